/** The Deframer against a model that knows the whole stream: any limits, any cut, bounded memory. */
import assert from "node:assert/strict";
import { MessageFormatError } from "../../src/errors.ts";
import { MAX_LEGACY_ERROR_TEXT } from "../../src/wire/codes.ts";
import { Deframer, type Frame } from "../../src/wire/deframer.ts";
import type { FrameLimits } from "../../src/wire/limits.ts";
import type { Prng } from "../support/prng.ts";
import { join, toHex } from "../support/vectors.ts";
import { fewerOctets, fuzz, type Report, type Target } from "./fuzz.ts";
import { outcome, pieces } from "./parts.ts";

interface Input {
  readonly octets: Uint8Array;
  readonly cut: number;
  /** Greatest length word of each type octet. */
  readonly limits: FrameLimits;
}

/** All that can be told of a stream: its messages, how it went on, and what is left of it. */
interface Told {
  readonly frames: readonly string[];
  readonly end: "more" | "refused" | "text";
  readonly left: string;
}

const TYPES = [0x45, 0x52, 0x53, 0x00, 0xff] as const;
const ERROR = 0x45;
/** Longer streams come in larger pieces, for the sake of time. */
const MAX_OCTETWISE = 2_000;

const TARGET: Target<Input> = {
  name: "deframer",
  generate(prng) {
    const least = 4 + prng.below(5);
    const most = prng.pick([least, 8, 20, 300, 20_000]);
    const octets = join(...Array.from({ length: 1 + prng.below(6) }, () => frame(prng, most)));
    const limits = {
      minLength: (type: number) => Math.max(4, least - (type & 1)),
      maxLength: (type: number) => most + (type & 3),
      alwaysFrom: least,
      alwaysTo: prng.pick([most, 0]),
      legacyErrors: prng.below(2) === 0,
    };
    const cut = octets.length < MAX_OCTETWISE && prng.below(3) === 0
      ? 1
      : 2 + prng.below(0xffff_0000);
    return { octets, cut, limits };
  },
  check({ octets, cut, limits }) {
    const expected = model(octets, limits);
    assert.deepEqual(read(pieces(octets, cut), limits), expected, "in pieces");
    assert.deepEqual(read([octets], limits), expected, "whole");
    return expected.end === "more" && expected.left === "" ? "whole" : expected.end;
  },
  show: ({ octets, cut, limits }) =>
    `octets ${toHex(octets)}, cut ${cut}, from ${limits.minLength?.(0)} to ${
      limits.maxLength(0)
    }, legacy ${limits.legacyErrors}`,
  *smaller(input) {
    for (const octets of fewerOctets(input.octets)) yield { ...input, octets };
  },
};

/** Plays streams of frames. */
export function run(seed: number, cases: number): Report {
  return fuzz(TARGET, seed, cases);
}

/** A frame, its length word mostly true, or an error in the form of protocol 2. */
function frame(prng: Prng, most: number): Uint8Array {
  const type = prng.pick(TYPES);
  if (prng.below(5) === 0) {
    const longest = MAX_LEGACY_ERROR_TEXT + prng.below(3) - 1;
    const text = prng.octets(prng.below(12) === 0 ? longest : prng.pick([3, 40]));
    return join(Uint8Array.of(ERROR), text.map((octet) => octet | 1), Uint8Array.of(0));
  }
  const body = prng.octets(prng.below(Math.min(most, 600)));
  const length = prng.below(8) === 0
    ? prng.pick([0, 3, 4, most, most + 1, 0x7fff_ffff, 0xffff_ffff])
    : body.length + 4;
  const head = new Uint8Array(5);
  head[0] = type;
  new DataView(head.buffer).setUint32(1, length);
  return join(head, body);
}

function read(cut: readonly Uint8Array[], limits: FrameLimits): Told {
  const deframer = new Deframer();
  const frames: string[] = [];
  const greatest = Math.max(...TYPES.map((type) => limits.maxLength(type)), MAX_LEGACY_ERROR_TEXT);
  for (const piece of cut) {
    // What was pushed is the caller's again.
    const lent = new Uint8Array(piece);
    deframer.push(lent);
    lent.fill(0xaa);
    for (;;) {
      const next = outcome([MessageFormatError], () => deframer.message(limits));
      if (next.kind === "error") {
        return { frames, end: "refused", left: "" };
      }
      if (next.value === undefined) break;
      frames.push(shown(next.value));
    }
    assert.ok(deframer.held <= greatest + 1, `it holds ${deframer.held}, at most ${greatest + 1}`);
  }
  const text = deframer.legacyErrorAtEnd();
  if (text !== undefined) return { frames, end: "text", left: text };
  const held = deframer.held;
  const left = deframer.take();
  assert.equal(left.length, held);
  assert.equal(left.buffer.byteLength, held, "take() gives more away than it returns");
  assert.equal(deframer.held, 0);
  return { frames, end: "more", left: toHex(left) };
}

function shown(one: Frame): string {
  return `${one.type} ${one.legacy ?? false} ${toHex(one.body)}`;
}

/** The rules once more, for a stream that is there as a whole. */
function model(octets: Uint8Array, limits: FrameLimits): Told {
  const frames: string[] = [];
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  let at = 0;
  while (at < octets.length) {
    const type = octets[at] ?? 0;
    const rest = octets.length - at;
    const length = rest >= 5 ? view.getUint32(at + 1) : undefined;
    if (limits.legacyErrors && type === ERROR && isText(octets, at, length)) {
      const zero = octets.indexOf(0, at + 1);
      const end = Math.min(zero < 0 ? Infinity : zero, at + 1 + MAX_LEGACY_ERROR_TEXT);
      const isZero = end === zero && end < at + 1 + MAX_LEGACY_ERROR_TEXT;
      if (end > octets.length) {
        const left = new TextDecoder("utf-8", { ignoreBOM: true }).decode(octets.slice(at + 1));
        return { frames, end: "text", left: left.trim() };
      }
      frames.push(`${type} true ${toHex(octets.slice(at + 1, end))}`);
      // A text of the greatest length is cut before anybody knows whether a zero octet follows.
      at = isZero ? end + 1 : end;
      continue;
    }
    if (length === undefined) break;
    if (length < (limits.minLength?.(type) ?? 4) || length > limits.maxLength(type)) {
      return { frames, end: "refused", left: "" };
    }
    if (rest <= length) break;
    frames.push(`${type} false ${toHex(octets.slice(at + 5, at + 1 + length))}`);
    at += length + 1;
  }
  return { frames, end: "more", left: toHex(octets.slice(at)) };
}

function isText(octets: Uint8Array, at: number, length: number | undefined): boolean {
  if (at + 1 < octets.length && octets[at + 1] !== 0) return true;
  return length !== undefined && (length < 8 || length > 30_000);
}
