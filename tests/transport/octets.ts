/** Octets for the transport tests. */
import type { Transport } from "../../src/transport/transport.ts";

/** So many octets that differ from place to place, with a period no buffer size shares. */
export function pattern(count: number): Uint8Array {
  let made = patterns.get(count);
  if (made === undefined) {
    made = new Uint8Array(count);
    for (let at = 0; at < count; at++) made[at] = (at % 251) ^ (at >> 16);
    patterns.set(count, made);
  }
  return made.slice();
}

const patterns = new Map<number, Uint8Array>();

/** Reads until there are so many octets; more is an error. */
export async function readExactly(from: Transport, count: number): Promise<Uint8Array> {
  const octets = new Uint8Array(count);
  let filled = 0;
  while (filled < count) {
    const chunk = await from.read();
    if (chunk === undefined) throw new Error(`the end came after ${filled} of ${count} octets`);
    octets.set(chunk, filled);
    filled += chunk.length;
  }
  return octets;
}
