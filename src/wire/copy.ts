import { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";
import { readCount, readFormat } from "./rows.ts";

/** What the three answers to COPY have in common. */
export interface CopyResponseFields {
  /** 0 text, 1 binary: the whole COPY. */
  readonly format: number;
  /** 0 text, 1 binary: each column. */
  readonly columnFormats: readonly number[];
}

/** CopyInResponse ('G'): the server waits for CopyData. */
export interface CopyInResponse extends CopyResponseFields {
  /** Tells the message from others. */
  readonly type: "CopyInResponse";
}

/** CopyOutResponse ('H'): CopyData will follow. */
export interface CopyOutResponse extends CopyResponseFields {
  /** Tells the message from others. */
  readonly type: "CopyOutResponse";
}

/** CopyBothResponse ('W'): CopyData will go both ways; replication only. */
export interface CopyBothResponse extends CopyResponseFields {
  /** Tells the message from others. */
  readonly type: "CopyBothResponse";
}

/** Any of the three answers to COPY. */
export type CopyResponse = CopyInResponse | CopyOutResponse | CopyBothResponse;

/** CopyData ('d'): a piece of the stream. */
export interface CopyData {
  /** Tells the message from others. */
  readonly type: "CopyData";
  /** Any octets. */
  readonly data: Uint8Array;
}

/** CopyDone ('c'): the stream is complete. */
export interface CopyDone {
  /** Tells the message from others. */
  readonly type: "CopyDone";
}

/** CopyFail ('f'): the client gives up its stream. */
export interface CopyFail {
  /** Tells the message from others. */
  readonly type: "CopyFail";
  /** Why; the server shows it in its error. */
  readonly reason: string;
}

/**
 * Writes the body of a CopyInResponse, CopyOutResponse or CopyBothResponse.
 *
 * @throws {UsageError} If a number does not fit.
 */
export function encodeCopyResponse(message: CopyResponse, out: ByteWriter): void {
  out.u8(message.format);
  out.i16(message.columnFormats.length);
  for (const format of message.columnFormats) out.i16(format);
}

/**
 * Reads the body of a CopyInResponse, CopyOutResponse or CopyBothResponse.
 *
 * @param type Which of the three it is.
 * @throws {MessageFormatError} If a format is not 0 or 1, the count lies, or octets are left over.
 */
export function decodeCopyResponse(body: Uint8Array, type: CopyResponse["type"]): CopyResponse {
  const reader = new ByteReader(body, type);
  const format = reader.u8();
  if (format > 1) reader.fail(`its format is ${format}, it must be 0 or 1`);
  const count = readCount(reader, 2, "columns");
  const columnFormats: number[] = [];
  while (columnFormats.length < count) columnFormats.push(readFormat(reader));
  reader.end();
  return { type, format, columnFormats };
}

/** Writes the body of a CopyData. */
export function encodeCopyData(message: CopyData, out: ByteWriter): void {
  out.bytes(message.data);
}

/** Reads the body of a CopyData: any octets. */
export function decodeCopyData(body: Uint8Array): CopyData {
  return { type: "CopyData", data: new ByteReader(body, "CopyData").rest() };
}

/**
 * Reads the body of a CopyDone.
 *
 * @throws {MessageFormatError} If it is not empty.
 */
export function decodeCopyDone(body: Uint8Array): CopyDone {
  new ByteReader(body, "CopyDone").end();
  return { type: "CopyDone" };
}

/**
 * Writes the body of a CopyFail.
 *
 * @throws {UsageError} If the reason holds a zero octet or half a surrogate pair.
 */
export function encodeCopyFail(message: CopyFail, out: ByteWriter): void {
  out.cstring(message.reason, "the reason in CopyFail");
}

/**
 * Reads the body of a CopyFail.
 *
 * @throws {MessageFormatError} If the terminator is missing or octets are left over.
 */
export function decodeCopyFail(body: Uint8Array): CopyFail {
  const reader = new ByteReader(body, "CopyFail");
  const reason = reader.cstring();
  reader.end();
  return { type: "CopyFail", reason };
}
