/**
 * PostgreSQL's messages: octets to data and back, for both directions and both roles.
 *
 * Nothing here reads, writes or waits. A {@link Deframer} cuts a stream into frames, bounded by the limits of the
 * phase; {@link decodeBackend}, {@link decodeFrontend} and {@link decodeStartupPacket} make messages of them;
 * {@link encodeBackend} and {@link encodeFrontend} make octets of messages. Octets that are no message end in a
 * MessageFormatError, messages that cannot be expressed in a UsageError.
 *
 * @example Reading what a server sent
 * ```ts
 * import { decodeBackend, Deframer, encodeBackend, SESSION_LIMITS } from "pg-handshake/wire";
 *
 * const deframer = new Deframer();
 * deframer.push(encodeBackend({ type: "ParameterStatus", name: "TimeZone", value: "UTC" }));
 * deframer.push(encodeBackend({ type: "ReadyForQuery", status: "I" }));
 *
 * const names: string[] = [];
 * for (let frame = deframer.message(SESSION_LIMITS); frame; frame = deframer.message(SESSION_LIMITS)) {
 *   names.push(decodeBackend(frame).type);
 * }
 * // names is ["ParameterStatus", "ReadyForQuery"]
 * ```
 *
 * @module
 */

export * from "./authentication.ts";
export * from "./backend.ts";
export { ByteReader } from "./byte_reader.ts";
export { ByteWriter } from "./byte_writer.ts";
export * from "./codes.ts";
export * from "./copy.ts";
export { Deframer, type Frame } from "./deframer.ts";
export * from "./frontend.ts";
export * from "./limits.ts";
export * from "./negotiate.ts";
export * from "./notice.ts";
export * from "./parameters.ts";
export {
  type CommandComplete,
  decodeCommandComplete,
  decodeEmptyQueryResponse,
  decodeQuery,
  decodeTerminate,
  type EmptyQueryResponse,
  encodeCommandComplete,
  encodeQuery,
  type Query,
  type Terminate,
} from "./query.ts";
export {
  type ColumnDescription,
  type DataRow,
  decodeDataRow,
  decodeRowDescription,
  encodeDataRow,
  encodeRowDescription,
  type RowDescription,
} from "./rows.ts";
export * from "./sasl.ts";
export * from "./startup.ts";
export { decodeText, encodeText } from "./text.ts";
