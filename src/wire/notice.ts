import { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";

/**
 * What a server says in an ErrorResponse or NoticeResponse; any field may be missing. The text is the server's:
 * it may hold control characters, and nothing in it is to be trusted before the server is.
 */
export interface NoticeFields {
  /** `FATAL`, `ERROR`, `NOTICE` ...; may be translated. */
  readonly severity?: string;
  /** As `severity`, never translated; since 9.6. */
  readonly severityUntranslated?: string;
  /** Five characters; PostgreSQL manual, appendix A. */
  readonly sqlState?: string;
  /** What happened, in one line. */
  readonly message?: string;
  /** More about it. */
  readonly detail?: string;
  /** What may be done about it. */
  readonly hint?: string;
  /** A decimal number: the character of the query it is about, counted from 1. */
  readonly position?: string;
  /** As `position`, counted in `internalQuery`. */
  readonly internalPosition?: string;
  /** The text of the server's own command that failed. */
  readonly internalQuery?: string;
  /** The call stack, one entry a line. */
  readonly where?: string;
  /** The schema it is about. */
  readonly schema?: string;
  /** The table it is about. */
  readonly table?: string;
  /** The column it is about. */
  readonly column?: string;
  /** The data type it is about. */
  readonly dataType?: string;
  /** The constraint it is about. */
  readonly constraint?: string;
  /** The place in the server's own source. */
  readonly file?: string;
  /** A decimal number: the line in `file`. */
  readonly line?: string;
  /** The function in `file`. */
  readonly routine?: string;
}

/** ErrorResponse ('E'): what was asked for failed; during start-up the connection ends. */
export interface ErrorResponse {
  /** Tells the message from others. */
  readonly type: "ErrorResponse";
  /** What the server says. */
  readonly fields: NoticeFields;
}

/** NoticeResponse ('N'): the server remarks something; may come at any time after AuthenticationOk. */
export interface NoticeResponse {
  /** Tells the message from others. */
  readonly type: "NoticeResponse";
  /** What the server says. */
  readonly fields: NoticeFields;
}

/** Field codes in the order of the manual, "Error and Notice Message Fields", which servers keep too. */
const FIELDS: readonly (readonly [code: number, name: keyof NoticeFields])[] = [
  [0x53, "severity"], // S
  [0x56, "severityUntranslated"], // V
  [0x43, "sqlState"], // C
  [0x4d, "message"], // M
  [0x44, "detail"], // D
  [0x48, "hint"], // H
  [0x50, "position"], // P
  [0x70, "internalPosition"], // p
  [0x71, "internalQuery"], // q
  [0x57, "where"], // W
  [0x73, "schema"], // s
  [0x74, "table"], // t
  [0x63, "column"], // c
  [0x64, "dataType"], // d
  [0x6e, "constraint"], // n
  [0x46, "file"], // F
  [0x4c, "line"], // L
  [0x52, "routine"], // R
];
const NAME_OF: ReadonlyMap<number, keyof NoticeFields> = new Map(FIELDS);

/**
 * Writes the body of an ErrorResponse.
 *
 * @throws {UsageError} If a text holds a zero octet or half a surrogate pair.
 */
export function encodeErrorResponse(message: ErrorResponse, out: ByteWriter): void {
  encodeFields(message.fields, out);
}

/**
 * Reads the body of an ErrorResponse.
 *
 * @throws {MessageFormatError} If a terminator is missing or octets are left over; never for invalid UTF-8.
 */
export function decodeErrorResponse(body: Uint8Array): ErrorResponse {
  return { type: "ErrorResponse", fields: decodeFields(body, "ErrorResponse") };
}

/**
 * Writes the body of a NoticeResponse.
 *
 * @throws {UsageError} If a text holds a zero octet or half a surrogate pair.
 */
export function encodeNoticeResponse(message: NoticeResponse, out: ByteWriter): void {
  encodeFields(message.fields, out);
}

/**
 * Reads the body of a NoticeResponse.
 *
 * @throws {MessageFormatError} If a terminator is missing or octets are left over; never for invalid UTF-8.
 */
export function decodeNoticeResponse(body: Uint8Array): NoticeResponse {
  return { type: "NoticeResponse", fields: decodeFields(body, "NoticeResponse") };
}

function encodeFields(fields: NoticeFields, out: ByteWriter): void {
  for (const [code, name] of FIELDS) {
    const text = fields[name];
    if (text === undefined) continue;
    out.u8(code);
    out.cstring(text, `the field "${name}"`);
  }
  out.u8(0);
}

function decodeFields(body: Uint8Array, messageName: string): NoticeFields {
  const reader = new ByteReader(body, messageName);
  const fields: { -readonly [Name in keyof NoticeFields]: string } = {};
  for (let code = reader.u8(); code !== 0; code = reader.u8()) {
    const name = NAME_OF.get(code);
    // The manual: unrecognized codes are to be ignored. Of repeated ones the first stays.
    if (name === undefined || fields[name] !== undefined) reader.cstringOctets();
    else fields[name] = reader.cstring();
  }
  reader.end();
  return fields;
}
