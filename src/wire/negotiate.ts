import { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";

/** NegotiateProtocolVersion ('v'): the server cannot do all the StartupMessage asked for, and says what it can. */
export interface NegotiateProtocolVersion {
  /** Tells the message from others. */
  readonly type: "NegotiateProtocolVersion";
  /** Major version << 16 | minor version: the whole version, although the manual calls it the minor one. */
  readonly version: number;
  /** The `_pq_.` parameters the server does not know. */
  readonly unrecognized: readonly string[];
}

/**
 * Writes the body of a NegotiateProtocolVersion.
 *
 * @throws {UsageError} If a name holds a zero octet or half a surrogate pair.
 */
export function encodeNegotiateProtocolVersion(
  message: NegotiateProtocolVersion,
  out: ByteWriter,
): void {
  out.u32(message.version);
  out.i32(message.unrecognized.length);
  for (const name of message.unrecognized) {
    out.cstring(name, "a name in NegotiateProtocolVersion");
  }
}

/**
 * Reads the body of a NegotiateProtocolVersion.
 *
 * @throws {MessageFormatError} If the count is negative or not that of the names, or octets are left over.
 */
export function decodeNegotiateProtocolVersion(body: Uint8Array): NegotiateProtocolVersion {
  const reader = new ByteReader(body, "NegotiateProtocolVersion");
  const version = reader.u32();
  const count = reader.i32();
  // A name has one octet at least, so a count that lies is found before it costs anything.
  if (count < 0 || count > reader.left) {
    reader.fail(`it counts ${count} names, but ${reader.left} octets are left`);
  }
  const unrecognized: string[] = [];
  while (unrecognized.length < count) unrecognized.push(reader.cstring());
  reader.end();
  return { type: "NegotiateProtocolVersion", version, unrecognized };
}
