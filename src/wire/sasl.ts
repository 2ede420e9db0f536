import { MessageFormatError, UsageError } from "../errors.ts";
import { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";
import { MAX_PASSWORD, MAX_SCRAM_LENGTH, MAX_TOKEN_LENGTH } from "./codes.ts";
import { encodeText } from "./text.ts";

/** PasswordMessage ('p'): answers a request for a password, cleartext or hashed. */
export interface PasswordMessage {
  /** Tells the message from others. */
  readonly type: "PasswordMessage";
  /** At most 65530 octets, none of them zero. */
  readonly password: Uint8Array;
}

/** SASLInitialResponse ('p'): chooses a mechanism and begins it. */
export interface SASLInitialResponse {
  /** Tells the message from others. */
  readonly type: "SASLInitialResponse";
  /** As `SCRAM-SHA-256`. */
  readonly mechanism: string;
  /** Undefined if the mechanism begins without data, which differs from empty data. */
  readonly data: Uint8Array | undefined;
}

/** SASLResponse ('p'): the next data of a SASL exchange. */
export interface SASLResponse {
  /** Tells the message from others. */
  readonly type: "SASLResponse";
  /** As the mechanism has it. */
  readonly data: Uint8Array;
}

/** GSSResponse ('p'): the next token of a GSSAPI or SSPI exchange. */
export interface GSSResponse {
  /** Tells the message from others. */
  readonly type: "GSSResponse";
  /** The token. */
  readonly data: Uint8Array;
}

/**
 * Writes the body of a PasswordMessage.
 *
 * @throws {UsageError} If the password holds a zero octet or is longer than a server reads.
 */
export function encodePasswordMessage(message: PasswordMessage, out: ByteWriter): void {
  if (message.password.length > MAX_PASSWORD) {
    throw new UsageError(
      `Cannot encode PasswordMessage: the password must have at most ${MAX_PASSWORD} octets`,
    );
  }
  if (message.password.includes(0)) {
    throw new UsageError("Cannot encode PasswordMessage: the password must not hold a zero octet");
  }
  out.bytes(message.password);
  out.u8(0);
}

/**
 * Reads the body of a PasswordMessage.
 *
 * @throws {MessageFormatError} If it is not one text with one zero octet at its end, or too long.
 */
export function decodePasswordMessage(body: Uint8Array): PasswordMessage {
  checkReceived("PasswordMessage", body, MAX_TOKEN_LENGTH);
  const reader = new ByteReader(body, "PasswordMessage");
  const password = reader.cstringOctets();
  reader.end();
  return { type: "PasswordMessage", password };
}

/**
 * Writes the body of a SASLInitialResponse.
 *
 * @throws {UsageError} If the mechanism's name is empty or no text, or the whole is longer than a server reads.
 */
export function encodeSASLInitialResponse(message: SASLInitialResponse, out: ByteWriter): void {
  if (message.mechanism === "") {
    throw new UsageError("Cannot encode SASLInitialResponse: the mechanism has an empty name");
  }
  const name = encodeText(message.mechanism, "the mechanism of SASLInitialResponse");
  const octets = name.length + 1 + 4 + (message.data?.length ?? 0);
  checkSent("SASLInitialResponse", octets, greatestLength(message.mechanism));
  out.bytes(name);
  out.u8(0);
  if (message.data === undefined) {
    out.i32(-1);
  } else {
    out.i32(message.data.length);
    out.bytes(message.data);
  }
}

/**
 * Reads the body of a SASLInitialResponse.
 *
 * @throws {MessageFormatError} If the mechanism's name is empty, its terminator is missing, the length of the
 *   data is below -1 or not that of the rest, or the whole is too long for the mechanism.
 */
export function decodeSASLInitialResponse(body: Uint8Array): SASLInitialResponse {
  checkReceived("SASLInitialResponse", body, MAX_TOKEN_LENGTH);
  const reader = new ByteReader(body, "SASLInitialResponse");
  const mechanism = reader.cstring();
  if (mechanism === "") reader.fail("the mechanism has an empty name");
  checkReceived("SASLInitialResponse", body, greatestLength(mechanism));
  const length = reader.i32();
  const data = length === -1 ? undefined : reader.bytes(length);
  reader.end();
  return { type: "SASLInitialResponse", mechanism, data };
}

/**
 * Writes the body of a SASLResponse.
 *
 * @throws {UsageError} If it is longer than a server reads; SCRAM's own limit, 1020, is the caller's to keep.
 */
export function encodeSASLResponse(message: SASLResponse, out: ByteWriter): void {
  checkSent("SASLResponse", message.data.length, MAX_TOKEN_LENGTH);
  out.bytes(message.data);
}

/**
 * Reads the body of a SASLResponse.
 *
 * @throws {MessageFormatError} If it is longer than any mechanism allows.
 */
export function decodeSASLResponse(body: Uint8Array): SASLResponse {
  checkReceived("SASLResponse", body, MAX_TOKEN_LENGTH);
  return { type: "SASLResponse", data: new ByteReader(body, "SASLResponse").rest() };
}

/**
 * Writes the body of a GSSResponse.
 *
 * @throws {UsageError} If it is longer than a server reads.
 */
export function encodeGSSResponse(message: GSSResponse, out: ByteWriter): void {
  checkSent("GSSResponse", message.data.length, MAX_TOKEN_LENGTH);
  out.bytes(message.data);
}

/**
 * Reads the body of a GSSResponse.
 *
 * @throws {MessageFormatError} If it is longer than a server reads.
 */
export function decodeGSSResponse(body: Uint8Array): GSSResponse {
  checkReceived("GSSResponse", body, MAX_TOKEN_LENGTH);
  return { type: "GSSResponse", data: new ByteReader(body, "GSSResponse").rest() };
}

function greatestLength(mechanism: string): number {
  return mechanism.startsWith("SCRAM-") ? MAX_SCRAM_LENGTH : MAX_TOKEN_LENGTH;
}

function checkSent(name: string, octets: number, maxLength: number): void {
  if (octets + 4 > maxLength) {
    throw new UsageError(
      `Cannot encode ${name}: it has ${octets} octets, it must have at most ${maxLength - 4}`,
    );
  }
}

function checkReceived(name: string, body: Uint8Array, maxLength: number): void {
  if (body.length + 4 > maxLength) {
    throw new MessageFormatError(
      name,
      `it has ${body.length} octets, it must have at most ${maxLength - 4}`,
    );
  }
}
