import { MessageFormatError, PolicyError } from "../errors.ts";
import { decodeBase64 } from "./base64.ts";
import { showText } from "./display.ts";
import { SCRAM_KEY_OCTETS } from "./scram_keys.ts";

/** What server-first says. */
export interface ServerFirst {
  /** Our nonce and the server's, as received. */
  readonly nonce: string;
  readonly salt: Uint8Array;
  /** 1 to 2147483647; what is too much is the gate's decision. */
  readonly iterations: number;
}

/** PostgreSQL stores the count as a signed 32-bit integer. */
const MAX_ITERATIONS = 2_147_483_647;

/** The words of RFC 5802 section 7; only these are shown as they came. */
const SERVER_ERRORS: readonly string[] = [
  "invalid-encoding",
  "extensions-not-supported",
  "invalid-proof",
  "channel-bindings-dont-match",
  "server-does-support-channel-binding",
  "channel-binding-not-supported",
  "unsupported-channel-binding-type",
  "unknown-user",
  "invalid-username-encoding",
  "no-resources",
  "other-error",
];

/** Attribute letters RFC 5802 gives a meaning; none of them can be an extension. */
const RESERVED_ATTRIBUTES = "anmrcsipve";

/**
 * Whether a text can be a nonce: printable ASCII without comma, at least one character (RFC 5802
 * section 7).
 */
export function isNonce(text: string): boolean {
  return /^[\x21-\x2b\x2d-\x7e]+$/.test(text);
}

/**
 * Reads server-first: `r=`, `s=`, `i=` in this order, then extensions, which are ignored.
 *
 * Stricter than libpq, which takes any text behind `i=` and any strtol() number: RFC 5802's grammar
 * is kept.
 *
 * @throws {MessageFormatError} If it is anything else.
 */
export function parseServerFirst(data: Uint8Array): ServerFirst {
  const name = "AuthenticationSASLContinue";
  const attributes = splitAttributes(data, name);
  const nonce = attributeValue(attributes[0], "r", name);
  const salt = decodeBase64(attributeValue(attributes[1], "s", name));
  const count = attributeValue(attributes[2], "i", name);
  checkExtensions(attributes.slice(3), name);
  if (!isNonce(nonce)) throw malformed(name, "its nonce is not printable ASCII");
  if (salt === undefined || salt.length === 0) {
    throw malformed(name, "its salt is not base64 of at least one octet");
  }
  if (!/^[1-9][0-9]{0,9}$/.test(count) || Number(count) > MAX_ITERATIONS) {
    throw malformed(
      name,
      `its iteration count is "${showText(count)}", it must be 1 to ${MAX_ITERATIONS}`,
    );
  }
  return { nonce, salt, iterations: Number(count) };
}

/**
 * Reads server-final: `v=` and the signature, then extensions, which are ignored.
 *
 * @returns The 32 octets of ServerSignature.
 * @throws {PolicyError} `server-not-verified` if the server sent `e=`, an error, instead.
 * @throws {MessageFormatError} If it is anything else.
 */
export function parseServerFinal(data: Uint8Array): Uint8Array {
  const name = "AuthenticationSASLFinal";
  const attributes = splitAttributes(data, name);
  const first = attributes[0] ?? "";
  if (/^e=./s.test(first)) {
    checkExtensions(attributes.slice(1), name);
    const word = first.slice(2);
    const shown = SERVER_ERRORS.includes(word) ? word : showText(word);
    throw new PolicyError(
      "server-not-verified",
      `Cannot verify the server: it ended the SCRAM exchange with the error "${shown}"`,
    );
  }
  const signature = decodeBase64(attributeValue(first, "v", name));
  checkExtensions(attributes.slice(1), name);
  if (signature === undefined || signature.length !== SCRAM_KEY_OCTETS) {
    throw malformed(name, `its signature is not base64 of ${SCRAM_KEY_OCTETS} octets`);
  }
  return signature;
}

function splitAttributes(data: Uint8Array, name: string): readonly string[] {
  if (data.length === 0) throw malformed(name, "it is empty");
  if (data.includes(0)) throw malformed(name, "it holds a zero octet");
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch (cause) {
    throw new MessageFormatError(name, "it is not UTF-8", { phase: "authenticate", cause });
  }
  const attributes = text.split(",");
  if (/^m=/.test(text)) {
    throw malformed(name, "it demands a mandatory extension, which is not supported");
  }
  return attributes;
}

function attributeValue(attribute: string | undefined, letter: string, name: string): string {
  if (attribute === undefined || !attribute.startsWith(`${letter}=`)) {
    throw malformed(name, `attribute "${letter}" is missing or not in its place`);
  }
  return attribute.slice(2);
}

function checkExtensions(extensions: readonly string[], name: string): void {
  for (const extension of extensions) {
    if (!/^[A-Za-z]=./s.test(extension) || RESERVED_ATTRIBUTES.includes(extension.charAt(0))) {
      throw malformed(name, "what follows the last attribute is no extension");
    }
  }
}

function malformed(name: string, problem: string): MessageFormatError {
  return new MessageFormatError(name, problem, { phase: "authenticate" });
}
