import { UsageError } from "../errors.ts";
import { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";
import { AUTHENTICATION } from "./codes.ts";

/** AuthenticationOk (code 0): the server takes the client for who it says it is. */
export interface AuthenticationOk {
  /** Tells the message from others. */
  readonly type: "AuthenticationOk";
}

/** AuthenticationKerberosV4 (code 1), servers until 8.0: a Kerberos 4 exchange outside the protocol. */
export interface AuthenticationKerberosV4 {
  /** Tells the message from others. */
  readonly type: "AuthenticationKerberosV4";
}

/** AuthenticationKerberosV5 (code 2), servers until 9.3: a Kerberos 5 exchange outside the protocol. */
export interface AuthenticationKerberosV5 {
  /** Tells the message from others. */
  readonly type: "AuthenticationKerberosV5";
}

/** AuthenticationCleartextPassword (code 3): wants the password itself. */
export interface AuthenticationCleartextPassword {
  /** Tells the message from others. */
  readonly type: "AuthenticationCleartextPassword";
}

/** AuthenticationCryptPassword (code 4), servers until 8.3: wants crypt(3) of the password. */
export interface AuthenticationCryptPassword {
  /** Tells the message from others. */
  readonly type: "AuthenticationCryptPassword";
  /** Two octets. */
  readonly salt: Uint8Array;
}

/** AuthenticationMD5Password (code 5): wants the password hashed twice by MD5. */
export interface AuthenticationMD5Password {
  /** Tells the message from others. */
  readonly type: "AuthenticationMD5Password";
  /** Four octets. */
  readonly salt: Uint8Array;
}

/** AuthenticationSCMCredential (code 6), servers until 9.0: wants credentials beside a Unix socket's octet. */
export interface AuthenticationSCMCredential {
  /** Tells the message from others. */
  readonly type: "AuthenticationSCMCredential";
}

/** AuthenticationGSS (code 7): wants the first GSSAPI token. */
export interface AuthenticationGSS {
  /** Tells the message from others. */
  readonly type: "AuthenticationGSS";
}

/** AuthenticationGSSContinue (code 8): the server's token in a GSSAPI or SSPI exchange. */
export interface AuthenticationGSSContinue {
  /** Tells the message from others. */
  readonly type: "AuthenticationGSSContinue";
  /** The token. */
  readonly data: Uint8Array;
}

/** AuthenticationSSPI (code 9): wants the first SSPI (SPNEGO) token. */
export interface AuthenticationSSPI {
  /** Tells the message from others. */
  readonly type: "AuthenticationSSPI";
}

/** AuthenticationSASL (code 10): the SASL mechanisms offered, in the server's order of preference. */
export interface AuthenticationSASL {
  /** Tells the message from others. */
  readonly type: "AuthenticationSASL";
  /** Names as `SCRAM-SHA-256`; may be empty. */
  readonly mechanisms: readonly string[];
}

/** AuthenticationSASLContinue (code 11): a SASL challenge. */
export interface AuthenticationSASLContinue {
  /** Tells the message from others. */
  readonly type: "AuthenticationSASLContinue";
  /** As the mechanism has it. */
  readonly data: Uint8Array;
}

/** AuthenticationSASLFinal (code 12): the outcome data of a SASL exchange, as SCRAM's server-final. */
export interface AuthenticationSASLFinal {
  /** Tells the message from others. */
  readonly type: "AuthenticationSASLFinal";
  /** As the mechanism has it. */
  readonly data: Uint8Array;
}

/** A request with a code nobody knows; cannot be answered. */
export interface AuthenticationUnknown {
  /** Tells the message from others. */
  readonly type: "AuthenticationUnknown";
  /** The code, 0 to 2^32 - 1. */
  readonly code: number;
  /** What follows the code. */
  readonly data: Uint8Array;
}

/** AuthenticationRequest ('R') in all its forms. */
export type AuthenticationMessage =
  | AuthenticationOk
  | AuthenticationKerberosV4
  | AuthenticationKerberosV5
  | AuthenticationCleartextPassword
  | AuthenticationCryptPassword
  | AuthenticationMD5Password
  | AuthenticationSCMCredential
  | AuthenticationGSS
  | AuthenticationGSSContinue
  | AuthenticationSSPI
  | AuthenticationSASL
  | AuthenticationSASLContinue
  | AuthenticationSASLFinal
  | AuthenticationUnknown;

/** Messages that are their code and nothing else. */
type BareType = Exclude<
  AuthenticationMessage,
  { readonly data: Uint8Array } | { readonly salt: Uint8Array } | AuthenticationSASL
>["type"];

const BARE: readonly (readonly [code: number, type: BareType])[] = [
  [AUTHENTICATION.Ok, "AuthenticationOk"],
  [AUTHENTICATION.KerberosV4, "AuthenticationKerberosV4"],
  [AUTHENTICATION.KerberosV5, "AuthenticationKerberosV5"],
  [AUTHENTICATION.CleartextPassword, "AuthenticationCleartextPassword"],
  [AUTHENTICATION.SCMCredential, "AuthenticationSCMCredential"],
  [AUTHENTICATION.GSS, "AuthenticationGSS"],
  [AUTHENTICATION.SSPI, "AuthenticationSSPI"],
];
const BARE_BY_CODE: ReadonlyMap<number, BareType> = new Map(BARE);
const CODE_BY_BARE: ReadonlyMap<string, number> = new Map(BARE.map(([code, type]) => [type, code]));
const KNOWN_CODES: ReadonlySet<number> = new Set(Object.values(AUTHENTICATION));

const CRYPT_SALT = 2;
const MD5_SALT = 4;

/**
 * Writes the body of an AuthenticationRequest.
 *
 * @throws {UsageError} If a salt has not its length, a mechanism's name is empty or no text, or
 *   AuthenticationUnknown has a code that is known.
 */
export function encodeAuthentication(message: AuthenticationMessage, out: ByteWriter): void {
  switch (message.type) {
    case "AuthenticationCryptPassword":
      return encodeSalt(message, AUTHENTICATION.CryptPassword, CRYPT_SALT, out);
    case "AuthenticationMD5Password":
      return encodeSalt(message, AUTHENTICATION.MD5Password, MD5_SALT, out);
    case "AuthenticationGSSContinue":
      return encodeData(AUTHENTICATION.GSSContinue, message.data, out);
    case "AuthenticationSASLContinue":
      return encodeData(AUTHENTICATION.SASLContinue, message.data, out);
    case "AuthenticationSASLFinal":
      return encodeData(AUTHENTICATION.SASLFinal, message.data, out);
    case "AuthenticationUnknown":
      if (KNOWN_CODES.has(message.code)) {
        throw new UsageError(
          `Cannot encode AuthenticationUnknown: code "${message.code}" is known, it must not be`,
        );
      }
      return encodeData(message.code, message.data, out);
    case "AuthenticationSASL":
      out.u32(AUTHENTICATION.SASL);
      for (const mechanism of message.mechanisms) {
        if (mechanism === "") {
          throw new UsageError("Cannot encode AuthenticationSASL: a mechanism has an empty name");
        }
        out.cstring(mechanism, "a mechanism of AuthenticationSASL");
      }
      return out.u8(0);
    default:
      return encodeBare(message.type, out);
  }
}

/**
 * Reads the body of an AuthenticationRequest.
 *
 * Stricter than libpq, which leaves surplus octets in the stream: each form must be exactly as long as it says.
 *
 * @throws {MessageFormatError} If the body is shorter or longer than its code allows.
 */
export function decodeAuthentication(body: Uint8Array): AuthenticationMessage {
  const reader = new ByteReader(body, "AuthenticationRequest");
  const code = reader.u32();
  const bare = BARE_BY_CODE.get(code);
  if (bare !== undefined) {
    behindCode(body, bare).end();
    return { type: bare };
  }
  switch (code) {
    case AUTHENTICATION.CryptPassword:
      return decodeSalt("AuthenticationCryptPassword", CRYPT_SALT, body);
    case AUTHENTICATION.MD5Password:
      return decodeSalt("AuthenticationMD5Password", MD5_SALT, body);
    case AUTHENTICATION.GSSContinue:
      return { type: "AuthenticationGSSContinue", data: reader.rest() };
    case AUTHENTICATION.SASL:
      return decodeMechanisms(body);
    case AUTHENTICATION.SASLContinue:
      return { type: "AuthenticationSASLContinue", data: reader.rest() };
    case AUTHENTICATION.SASLFinal:
      return { type: "AuthenticationSASLFinal", data: reader.rest() };
    default:
      return { type: "AuthenticationUnknown", code, data: reader.rest() };
  }
}

/** Reads what follows the code, with the name the code has given the message. */
function behindCode(body: Uint8Array, messageName: string): ByteReader {
  return new ByteReader(body.subarray(4), messageName);
}

function decodeSalt(
  type: "AuthenticationCryptPassword" | "AuthenticationMD5Password",
  length: number,
  body: Uint8Array,
): AuthenticationMessage {
  const reader = behindCode(body, type);
  if (reader.left !== length) {
    reader.fail(`its salt has ${reader.left} octets, it must have ${length}`);
  }
  return { type, salt: reader.rest() };
}

function decodeMechanisms(body: Uint8Array): AuthenticationSASL {
  const reader = behindCode(body, "AuthenticationSASL");
  const mechanisms: string[] = [];
  for (let name = reader.cstring(); name !== ""; name = reader.cstring()) mechanisms.push(name);
  reader.end();
  return { type: "AuthenticationSASL", mechanisms };
}

function encodeSalt(
  message: AuthenticationCryptPassword | AuthenticationMD5Password,
  code: number,
  length: number,
  out: ByteWriter,
): void {
  if (message.salt.length !== length) {
    throw new UsageError(
      `Cannot encode ${message.type}: its salt has ${message.salt.length} octets, it must have ${length}`,
    );
  }
  encodeData(code, message.salt, out);
}

function encodeData(code: number, data: Uint8Array, out: ByteWriter): void {
  out.u32(code);
  out.bytes(data);
}

function encodeBare(type: BareType, out: ByteWriter): void {
  const code = CODE_BY_BARE.get(type);
  if (code === undefined) throw new UsageError(`Cannot encode "${type}": no such message is known`);
  out.u32(code);
}
