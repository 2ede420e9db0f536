/** Writes DER, and certificates that hold what a test needs and nothing that verifies. */

/** One element: tag octet, length in its shortest form, content. */
export function der(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const inside = concat(content);
  const length: number[] = [];
  for (let left = inside.length; left > 0; left >>= 8) length.unshift(left & 0xff);
  const head = inside.length < 0x80 ? [tag, inside.length] : [tag, 0x80 | length.length, ...length];
  return concat([Uint8Array.from(head), inside]);
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Uint8Array {
  const [root = 0, second = 0, ...arcs] = dotted.split(".").map(Number);
  const octets: number[] = [];
  for (const arc of [root * 40 + second, ...arcs]) {
    const digits = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      digits.unshift(0x80 | left % 128);
    }
    octets.push(...digits);
  }
  return der(0x06, Uint8Array.from(octets));
}

/** What a made certificate holds; all else is filler. */
export interface MadeCertificate {
  /** The dotted OID of its signature algorithm; ecdsa-with-SHA256 unless given. */
  readonly algorithm?: string;
  /** The parameters of the algorithm, as a whole element. */
  readonly parameters?: Uint8Array;
  readonly commonNames?: readonly string[];
  /** The string type of the common names; UTF8String unless given. */
  readonly commonNameTag?: number;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly Uint8Array[];
  /** More extensions, as whole elements, in front of subjectAltName. */
  readonly extensions?: readonly Uint8Array[];
}

/** A certificate of version 3, signed by nobody. */
export function makeCertificate(made: MadeCertificate): Uint8Array {
  const algorithm = der(
    0x30,
    oid(made.algorithm ?? "1.2.840.10045.4.3.2"),
    made.parameters ?? new Uint8Array(0),
  );
  const tag = made.commonNameTag ?? 0x0c;
  const subject = der(
    0x30,
    attribute("2.5.4.10", 0x0c, "an organization"),
    ...(made.commonNames ?? []).map((name) => attribute("2.5.4.3", tag, name)),
  );
  const names = [
    ...(made.dnsNames ?? []).map((name) => der(0x82, text(name))),
    ...(made.ipAddresses ?? []).map((address) => der(0x87, address)),
  ];
  const extensions = [
    ...(made.extensions ?? []),
    ...(names.length > 0 ? [subjectAltName(...names)] : []),
  ];
  const body = der(
    0x30,
    der(0xa0, der(0x02, Uint8Array.of(2))),
    der(0x02, Uint8Array.of(1)),
    algorithm,
    der(0x30, attribute("2.5.4.3", 0x0c, "an issuer")),
    der(0x30, der(0x17, text("260101000000Z")), der(0x17, text("460101000000Z"))),
    subject,
    der(0x30, algorithm, der(0x03, Uint8Array.of(0))),
    ...(extensions.length > 0 ? [der(0xa3, der(0x30, ...extensions))] : []),
  );
  return der(0x30, body, algorithm, der(0x03, Uint8Array.of(0)));
}

/** The extension subjectAltName around whole GeneralName elements. */
export function subjectAltName(...names: readonly Uint8Array[]): Uint8Array {
  return der(0x30, oid("2.5.29.17"), der(0x04, der(0x30, ...names)));
}

function attribute(type: string, tag: number, value: string): Uint8Array {
  return der(0x31, der(0x30, oid(type), der(tag, text(value))));
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
