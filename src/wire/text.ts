import { UsageError } from "../errors.ts";

const ENCODER = new TextEncoder();
/** Keeps a byte order mark: it is part of the value, as in PostgreSQL. */
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** Up to this many octets, adding characters one by one is faster than a call of TextDecoder. */
const SHORT = 8;

/**
 * The octets of a text that is to stand in front of a zero octet.
 *
 * @param text What to encode.
 * @param what Names the text in the error, which never shows the text itself.
 * @throws {UsageError} If the text holds a zero octet, or half a surrogate pair, which UTF-8 cannot express.
 */
export function encodeText(text: string, what: string): Uint8Array {
  if (text.includes("\0")) {
    throw new UsageError(`Cannot encode ${what}: it holds a zero octet, it must hold none`);
  }
  if (!text.isWellFormed()) {
    throw new UsageError(
      `Cannot encode ${what}: it holds half a surrogate pair, it must be well-formed Unicode`,
    );
  }
  return ENCODER.encode(text);
}

/**
 * The text of octets that should be UTF-8. What is not becomes U+FFFD: before client_encoding is agreed upon a
 * server may send any encoding. A byte order mark is kept.
 */
export function decodeText(octets: Uint8Array): string {
  const length = octets.length;
  if (length > SHORT) return DECODER.decode(octets);
  let text = "";
  for (let at = 0; at < length; at++) {
    const octet = octets[at] ?? 0;
    if (octet > 0x7f) return DECODER.decode(octets);
    text += String.fromCharCode(octet);
  }
  return text;
}
