/** Measures framing and decoding of a server's messages on the runtime it runs on; prints one line of JSON. */
import process from "node:process";
import { decodeBackend, encodeBackend } from "../src/wire/backend.ts";
import { Deframer } from "../src/wire/deframer.ts";
import { SESSION_LIMITS } from "../src/wire/limits.ts";

/** Milliseconds of each way in each round. */
export interface DecodeSamples {
  readonly octets: number;
  readonly walk: readonly number[];
  readonly frame: readonly number[];
  readonly decode: readonly number[];
  readonly pgProtocol: readonly number[];
}

const MESSAGES = 100_000;
const CHUNK = 65_536;
const WARM_UP = 3;

const stream = makeStream();
const { Parser } = await import("pg-protocol/dist/parser.js") as unknown as {
  Parser: new () => { parse(chunk: Uint8Array, take: (message: unknown) => void): void };
};
const { Buffer } = await import("node:buffer");

const ways = { walk, frame, decode, pgProtocol } as const;
const samples: Record<keyof typeof ways, number[]> = {
  walk: [],
  frame: [],
  decode: [],
  pgProtocol: [],
};
for (let round = -WARM_UP; round < Number(process.argv[2]); round++) {
  for (const name of Object.keys(ways) as (keyof typeof ways)[]) {
    const chunks = chunksOf(stream);
    const began = performance.now();
    const count = ways[name](chunks);
    const took = performance.now() - began;
    if (count !== MESSAGES) throw new Error(`${name} found ${count} of ${MESSAGES} messages`);
    if (round >= 0) samples[name].push(took);
  }
}
process.stdout.write(`${JSON.stringify({ octets: stream.length, ...samples })}\n`);
process.exit(0);

/** Rows of four values for the most part, as a query's result has. */
function makeStream(): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (let at = 0; at < MESSAGES; at++) {
    const octets = at % 50 === 0
      ? encodeBackend({ type: "ParameterStatus", name: "application_name", value: `n${at}` })
      : encodeBackend({
        type: "DataRow",
        values: [String(at), `name of row ${at}`, at % 7 === 0 ? null : "2026-01-01 00:00:00", "t"],
      });
    parts.push(octets);
    length += octets.length;
  }
  const joined = new Uint8Array(length);
  let end = 0;
  for (const part of parts) {
    joined.set(part, end);
    end += part.length;
  }
  return joined;
}

/** Copies: pg-protocol moves octets about inside what it is given. */
function chunksOf(octets: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < octets.length; at += CHUNK) chunks.push(octets.slice(at, at + CHUNK));
  return chunks;
}

/** The least framing can be: reads length words, and skips. */
function walk(chunks: readonly Uint8Array[]): number {
  let count = 0;
  let left = 0;
  let header = 0;
  let length = 0;
  for (const chunk of chunks) {
    let at = Math.min(left, chunk.length);
    left -= at;
    while (at < chunk.length) {
      if (header === 0 && at + 5 <= chunk.length) {
        length = ((chunk[at + 1] ?? 0) << 24) | ((chunk[at + 2] ?? 0) << 16) |
          ((chunk[at + 3] ?? 0) << 8) | (chunk[at + 4] ?? 0);
        at += 5;
      } else {
        if (header > 0) length = (length << 8) | (chunk[at] ?? 0);
        at += 1;
        header = (header + 1) % 5;
        if (header > 0) continue;
      }
      count += 1;
      const body = length - 4;
      left = Math.max(0, at + body - chunk.length);
      at += body - left;
      length = 0;
    }
  }
  return count;
}

function frame(chunks: readonly Uint8Array[]): number {
  let count = 0;
  const deframer = new Deframer();
  for (const chunk of chunks) {
    deframer.adopt(chunk);
    while (deframer.step(SESSION_LIMITS)) count += 1;
  }
  return count;
}

function decode(chunks: readonly Uint8Array[]): number {
  let count = 0;
  const deframer = new Deframer();
  for (const chunk of chunks) {
    deframer.adopt(chunk);
    for (;;) {
      const next = deframer.message(SESSION_LIMITS);
      if (next === undefined) break;
      decodeBackend(next);
      count += 1;
    }
  }
  return count;
}

function pgProtocol(chunks: readonly Uint8Array[]): number {
  let count = 0;
  const parser = new Parser();
  for (const chunk of chunks) {
    parser.parse(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length), () => count += 1);
  }
  return count;
}
