/** What a middleman makes of a server's messages that he can read. */
import { Buffer } from "node:buffer";
import { hex } from "./vectors.ts";

/**
 * `no-plus`: SCRAM-SHA-256-PLUS is not on offer. `ask-clear`, `ask-md5`: another method is asked for. `admit`: nothing
 * is asked for, the client is let in at once. `no-final`: AuthenticationSASLFinal is left out.
 */
export type Rewriting = "no-plus" | "ask-clear" | "ask-md5" | "admit" | "no-final";

/** The codes of Authentication messages (PostgreSQL manual, Message Formats). */
const SASL = 10;
const SASL_FINAL = 12;
const AUTHENTICATION = 0x52;

const ASK_CLEAR = hex("52 00000008 00000003");
const ASK_MD5 = hex("52 0000000c 00000005 01020304");
const NO_PLUS = Buffer.concat([
  hex("52 00000017 0000000a"),
  Buffer.from("SCRAM-SHA-256\0\0"),
]);
/** AuthenticationOk, BackendKeyData, ReadyForQuery. */
const ADMITTED = hex("52 00000008 00000000 4b 0000000c 00000001 00000002 5a 00000005 49");

/** Takes a server's octets, cut anywhere, and gives what the client gets in their place. */
export function rewritten(rewriting: Rewriting): (octets: Uint8Array) => Uint8Array {
  let held: Buffer = Buffer.alloc(0);
  return (octets) => {
    held = Buffer.concat([held, octets]);
    const out: Uint8Array[] = [];
    while (held.length >= 5) {
      const length = 1 + held.readUInt32BE(1);
      if (held.length < length) break;
      out.push(changed(rewriting, held.subarray(0, length)));
      held = held.subarray(length);
    }
    return new Uint8Array(Buffer.concat(out));
  };
}

function changed(rewriting: Rewriting, message: Buffer): Uint8Array {
  const code = message[0] === AUTHENTICATION ? message.readUInt32BE(5) : undefined;
  if (rewriting === "no-final") return code === SASL_FINAL ? new Uint8Array(0) : message;
  if (code !== SASL) return message;
  switch (rewriting) {
    case "no-plus":
      return NO_PLUS;
    case "ask-clear":
      return ASK_CLEAR;
    case "ask-md5":
      return ASK_MD5;
    case "admit":
      return ADMITTED;
  }
}
