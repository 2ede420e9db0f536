/** Reads vector files and turns their hex texts into octets and back. */
import { readFileSync } from "node:fs";

/** What every case of a vector file has; a file adds fields of its own. */
export interface VectorCase {
  /** What the case shows; becomes part of a test's title. */
  readonly name: string;
  /** Where its octets or its rule come from. */
  readonly source: string;
}

/**
 * Reads the cases of `tests/vectors/<name>.json`.
 *
 * @param name The file's name without its ending.
 * @returns The array under `cases`; its shape is the caller's word.
 * @throws {Error} If the file holds no case, lacks a name or source, or uses a name twice.
 */
export function readVectors<Case extends VectorCase = VectorCase>(name: string): readonly Case[] {
  const url = new URL(`../vectors/${name}.json`, import.meta.url);
  const file = JSON.parse(readFileSync(url, "utf8")) as { readonly cases?: readonly Case[] };
  const cases = file.cases ?? [];
  if (cases.length === 0) throw new Error(`Cannot use vectors "${name}": they hold no case`);
  const seen = new Set<string>();
  for (const one of cases) {
    if (!one.name || !one.source) {
      throw new Error(`Cannot use vectors "${name}": case "${one.name}" lacks a name or a source`);
    }
    if (seen.has(one.name)) {
      throw new Error(`Cannot use vectors "${name}": "${one.name}" is there twice`);
    }
    seen.add(one.name);
  }
  return cases;
}

/**
 * The octets of a hex text. Blanks may stand between octets; `61*30000` stands for 30000 times what is
 * before the star, back to the blank.
 *
 * @throws {Error} If the text is not hex.
 */
export function hex(text: string): Uint8Array {
  const octets: number[] = [];
  for (const word of text.split(/\s+/)) {
    if (word === "") continue;
    const [, digits, times] = /^((?:[0-9a-fA-F]{2})+)(?:\*(\d+))?$/.exec(word) ?? [];
    if (digits === undefined) {
      throw new Error(`Cannot read hex "${word}": it must be pairs of 0 to 9, a to f`);
    }
    const part: number[] = [];
    for (let at = 0; at < digits.length; at += 2) part.push(parseInt(digits.slice(at, at + 2), 16));
    for (let left = times === undefined ? 1 : Number(times); left > 0; left--) {
      for (const octet of part) octets.push(octet);
    }
  }
  return Uint8Array.from(octets);
}

/** The octets as hex in lower case, without blanks. */
export function toHex(octets: Uint8Array): string {
  let text = "";
  for (const octet of octets) text += octet.toString(16).padStart(2, "0");
  return text;
}

/** The octets cut into copies of `n` octets; the last piece may be shorter. */
export function split(octets: Uint8Array, n: number): readonly Uint8Array[] {
  if (!(n >= 1)) throw new Error(`Cannot split into pieces of "${n}" octets: it must be 1 or more`);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < octets.length; at += n) {
    pieces.push(new Uint8Array(octets.subarray(at, at + n)));
  }
  return pieces;
}

/** The octets of all pieces, one behind the other. */
export function join(...pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
