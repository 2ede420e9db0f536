import { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";

export type { ColumnDescription, DataRow, RowDescription } from "./rows.ts";
export type {
  CopyBothResponse,
  CopyData,
  CopyDone,
  CopyFail,
  CopyInResponse,
  CopyOutResponse,
} from "./copy.ts";

/** Query ('Q'): one or more statements of the simple protocol. */
export interface Query {
  /** Tells the message from others. */
  readonly type: "Query";
  /** The statements, separated by semicolons. */
  readonly text: string;
}

/** Terminate ('X'): the client is about to close. */
export interface Terminate {
  /** Tells the message from others. */
  readonly type: "Terminate";
}

/** CommandComplete ('C'): a statement is done. */
export interface CommandComplete {
  /** Tells the message from others. */
  readonly type: "CommandComplete";
  /** As `SELECT 1` or `INSERT 0 5`. */
  readonly tag: string;
}

/** EmptyQueryResponse ('I'): stands for CommandComplete where there was no statement. */
export interface EmptyQueryResponse {
  /** Tells the message from others. */
  readonly type: "EmptyQueryResponse";
}

/**
 * Writes the body of a Query.
 *
 * @throws {UsageError} If the text holds a zero octet or half a surrogate pair.
 */
export function encodeQuery(message: Query, out: ByteWriter): void {
  out.cstring(message.text, "the text of Query");
}

/**
 * Reads the body of a Query.
 *
 * @throws {MessageFormatError} If the terminator is missing or octets are left over.
 */
export function decodeQuery(body: Uint8Array): Query {
  const reader = new ByteReader(body, "Query");
  const text = reader.cstring();
  reader.end();
  return { type: "Query", text };
}

/**
 * Reads the body of a Terminate.
 *
 * @throws {MessageFormatError} If it is not empty.
 */
export function decodeTerminate(body: Uint8Array): Terminate {
  new ByteReader(body, "Terminate").end();
  return { type: "Terminate" };
}

/**
 * Writes the body of a CommandComplete.
 *
 * @throws {UsageError} If the tag holds a zero octet or half a surrogate pair.
 */
export function encodeCommandComplete(message: CommandComplete, out: ByteWriter): void {
  out.cstring(message.tag, "the tag of CommandComplete");
}

/**
 * Reads the body of a CommandComplete.
 *
 * @throws {MessageFormatError} If the terminator is missing or octets are left over.
 */
export function decodeCommandComplete(body: Uint8Array): CommandComplete {
  const reader = new ByteReader(body, "CommandComplete");
  const tag = reader.cstring();
  reader.end();
  return { type: "CommandComplete", tag };
}

/**
 * Reads the body of an EmptyQueryResponse.
 *
 * @throws {MessageFormatError} If it is not empty.
 */
export function decodeEmptyQueryResponse(body: Uint8Array): EmptyQueryResponse {
  new ByteReader(body, "EmptyQueryResponse").end();
  return { type: "EmptyQueryResponse" };
}
