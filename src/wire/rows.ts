import { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";
import { decodeText, encodeText } from "./text.ts";

/** What RowDescription tells about one column. */
export interface ColumnDescription {
  /** The column's name or alias. */
  readonly name: string;
  /** The table's object identifier, 0 to 2^32 - 1; 0 if the column is no table's. */
  readonly tableId: number;
  /** The column's number in its table; 0 if it is no table's. */
  readonly columnNumber: number;
  /** The type's object identifier, 0 to 2^32 - 1. */
  readonly typeId: number;
  /** The type's size in octets; negative for types of variable width. */
  readonly typeSize: number;
  /** What the type makes of it; -1 for none. */
  readonly typeModifier: number;
  /** 0 text, 1 binary. */
  readonly format: number;
}

/** RowDescription ('T'): the columns of the rows to come. */
export interface RowDescription {
  /** Tells the message from others. */
  readonly type: "RowDescription";
  /** In the order of the values of DataRow. */
  readonly columns: readonly ColumnDescription[];
}

/** DataRow ('D'): one row, its values as text. */
export interface DataRow {
  /** Tells the message from others. */
  readonly type: "DataRow";
  /** One for each column; null is SQL's NULL. */
  readonly values: readonly (string | null)[];
}

/** A name's zero octet and the six numbers behind it. */
const LEAST_COLUMN = 1 + 4 + 2 + 4 + 2 + 4 + 2;
/** The octets of a count. */
const COUNT = 2;
/** The length word of a value. */
const LEAST_VALUE = 4;

/**
 * Writes the body of a RowDescription.
 *
 * @throws {UsageError} If a name is no text, a number does not fit, or there are more than 32767 columns.
 */
export function encodeRowDescription(message: RowDescription, out: ByteWriter): void {
  out.i16(message.columns.length);
  for (const column of message.columns) {
    out.cstring(column.name, "the name of a column");
    out.u32(column.tableId);
    out.i16(column.columnNumber);
    out.u32(column.typeId);
    out.i16(column.typeSize);
    out.i32(column.typeModifier);
    out.i16(column.format);
  }
}

/**
 * Reads the body of a RowDescription.
 *
 * @throws {MessageFormatError} If it holds more or fewer columns than it counts, or a format is not 0 or 1.
 */
export function decodeRowDescription(body: Uint8Array): RowDescription {
  const reader = new ByteReader(body, "RowDescription");
  const count = readCount(reader, LEAST_COLUMN, "columns");
  const columns: ColumnDescription[] = [];
  while (columns.length < count) {
    columns.push({
      name: reader.cstring(),
      tableId: reader.u32(),
      columnNumber: reader.i16(),
      typeId: reader.u32(),
      typeSize: reader.i16(),
      typeModifier: reader.i32(),
      format: readFormat(reader),
    });
  }
  reader.end();
  return { type: "RowDescription", columns };
}

/**
 * Writes the body of a DataRow.
 *
 * @throws {UsageError} If a value holds a zero octet or half a surrogate pair, or there are more than 32767.
 */
export function encodeDataRow(message: DataRow, out: ByteWriter): void {
  out.i16(message.values.length);
  for (const value of message.values) {
    if (value === null) {
      out.i32(-1);
      continue;
    }
    const octets = encodeText(value, "a value of DataRow");
    out.i32(octets.length);
    out.bytes(octets);
  }
}

/**
 * Reads the body of a DataRow, every value as UTF-8.
 *
 * The whole body is decoded at once, lengths and all: a call of TextDecoder costs more than the octets of a
 * value. No character has more UTF-16 units than octets, so if the text is as long as the body, every octet
 * became one unit and the values stand in the text where they stand in the body.
 *
 * @throws {MessageFormatError} If it holds more or fewer values than it counts, or a length is below -1 or goes
 *   beyond the body.
 */
export function decodeDataRow(body: Uint8Array): DataRow {
  const octets = body.length;
  const count = ((body[0] ?? 0) << 8) | (body[1] ?? 0);
  // A count that cannot be true is refused before it costs anything.
  if (octets < COUNT || count > 0x7fff || count * LEAST_VALUE > octets - COUNT) readerAt(body, 0);
  const text = decodeText(body);
  const aligned = text.length === octets;
  // Of the right size from the start: one that grows gets room for 17 values at its first.
  const values = new Array<string | null>(count);
  let at = COUNT;
  // Not by a reader's small steps: of all that is ever decoded most is decoded here.
  for (let index = 0; index < count; index++) {
    const start = at + LEAST_VALUE;
    const length = ((body[at] ?? 0) << 24) | ((body[at + 1] ?? 0) << 16) |
      ((body[at + 2] ?? 0) << 8) | (body[at + 3] ?? 0);
    const end = length === -1 ? start : start + length;
    if (end < start || end > octets) refuseValue(body, at - COUNT);
    values[index] = length === -1
      ? null
      : aligned
      ? text.substring(start, end)
      : decodeText(body.subarray(start, end));
    at = end;
  }
  if (at !== octets) readerAt(body, at - COUNT).end();
  return { type: "DataRow", values };
}

/** A reader that stands so many octets behind the count, and finds what is wrong there. */
function readerAt(body: Uint8Array, offset: number): ByteReader {
  const reader = new ByteReader(body, "DataRow");
  readCount(reader, LEAST_VALUE, "values");
  reader.skip(offset);
  return reader;
}

function refuseValue(body: Uint8Array, offset: number): never {
  const reader = readerAt(body, offset);
  reader.skip(reader.i32());
  return reader.fail("a value is not whole");
}

/**
 * Reads a 16-bit count, and refuses one that cannot be true before it costs anything.
 *
 * @param least The octets each of the things counted has at least.
 * @throws {MessageFormatError} If it is negative, or more than the octets left can hold.
 */
export function readCount(reader: ByteReader, least: number, what: string): number {
  const count = reader.i16();
  if (count < 0 || count * least > reader.left) {
    reader.fail(`it counts ${count} ${what}, but ${reader.left} octets are left`);
  }
  return count;
}

/**
 * Reads the format code of a column.
 *
 * @throws {MessageFormatError} If it is neither 0 (text) nor 1 (binary).
 */
export function readFormat(reader: ByteReader): number {
  const format = reader.i16();
  if (format !== 0 && format !== 1) reader.fail(`a format is ${format}, it must be 0 or 1`);
  return format;
}
