/** Names what a client sent, from its octets alone, so that traces can be checked against it. */

const CODES: ReadonlyMap<number, string> = new Map([
  [0x04d2162e, "CancelRequest"],
  [0x04d2162f, "SSLRequest"],
  [0x04d21630, "GSSENCRequest"],
]);

/** How a token of GSSAPI begins (RFC 2743 section 3.1), and no password of the vectors. */
const TOKEN = 0x60;

/** One message in a stream of a client. */
export interface SentMessage {
  readonly name: string;
  /** The octets of the whole message. */
  readonly octets: number;
}

/**
 * The messages in what a client sent.
 *
 * @throws {Error} If the octets do not end with a message.
 */
export function sentMessages(sent: Uint8Array): readonly SentMessage[] {
  const messages: SentMessage[] = [];
  const view = new DataView(sent.buffer, sent.byteOffset, sent.byteLength);
  let typed = false;
  let saslBegun = false;
  for (let at = 0; at < sent.length;) {
    if (typed && sent[at] === 0) {
      // The octet that carries credentials stands for itself.
      messages.push({ name: "SCMCredential", octets: 1 });
      at += 1;
      continue;
    }
    const octets = view.getUint32(typed ? at + 1 : at) + (typed ? 1 : 0);
    if (at + octets > sent.length) throw new Error("What was sent ends inside a message");
    const body = new TextDecoder("latin1").decode(sent.subarray(at + 5, at + octets));
    let name: string;
    if (!typed) {
      const code = view.getUint32(at + 4);
      name = CODES.get(code) ?? "StartupMessage";
      typed = name === "StartupMessage";
    } else if (sent[at] === 0x51) {
      name = "Query";
    } else if (sent[at] !== 0x70) {
      throw new Error(`Something of type ${sent[at]} was sent`);
    } else if (sent[at + 5] === TOKEN) {
      name = "GSSResponse";
    } else if (saslBegun) {
      name = "SASLResponse";
    } else {
      saslBegun = /^(SCRAM-SHA-256(-PLUS)?|OAUTHBEARER)\0/.test(body);
      name = saslBegun ? "SASLInitialResponse" : "PasswordMessage";
    }
    messages.push({ name, octets });
    at += octets;
  }
  return messages;
}
