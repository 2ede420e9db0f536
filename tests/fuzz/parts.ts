/** What the fuzz targets make their inputs of, and the properties they share. */
import assert from "node:assert/strict";
import { PgHandshakeError, UsageError } from "../../src/errors.ts";
import { needles, printed } from "../handshake/secrets.ts";
import { Prng } from "../support/prng.ts";

/** Octets that no chance gives, in place of every secret. */
export const NEEDLE: Uint8Array = new TextEncoder().encode("s3cr3t-Ndl-q7Zx");

/** Characters with a meaning somewhere, of each length in UTF-8, and what a reader may trip over. */
const CHARACTERS: readonly string[] = [
  ..."aZ09 _-.,:=@/\\'\"%*#[]{}",
  "\t",
  "\n",
  "\x1b",
  "\u0085",
  "\u00e9",
  "\u202e",
  "\u4e00",
  "\ufeff",
  "\ufffd",
  "\u{1f418}",
];

/** A text PostgreSQL can carry: no zero octet, no half of a surrogate pair. Seldom a long one. */
export function text(prng: Prng, longest = 12): string {
  if (prng.below(40) === 0) return prng.pick(CHARACTERS).repeat(prng.below(900));
  return Array.from({ length: prng.below(longest + 1) }, () => prng.pick(CHARACTERS)).join("");
}

/** A number where signs and sizes change. */
export function edge(prng: Prng, least: number, greatest: number): number {
  switch (prng.below(4)) {
    case 0:
      return least;
    case 1:
      return greatest;
    case 2:
      return Math.min(greatest, Math.max(least, prng.below(3)));
    default:
      return least + prng.below(greatest - least + 1);
  }
}

/** Up to `most` octets, each as likely as any other. */
export function octets(prng: Prng, most: number): Uint8Array {
  return prng.octets(prng.below(most + 1));
}

/** A list of up to `most` things. */
export function list<Item>(prng: Prng, most: number, make: () => Item): readonly Item[] {
  return Array.from({ length: prng.below(most + 1) }, make);
}

/** The octets in pieces of 1 to `most`, where the seed says; 0 and 1 stand for whole and octet by octet. */
export function pieces(whole: Uint8Array, seed: number): readonly Uint8Array[] {
  if (seed === 0) return [whole];
  const prng = new Prng(seed);
  const most = seed === 1 ? 1 : prng.pick([2, 7, 60, 4_000]);
  const cut: Uint8Array[] = [];
  for (let at = 0; at < whole.length;) {
    const end = at + 1 + prng.below(most);
    cut.push(whole.slice(at, end));
    at = end;
  }
  return cut;
}

/** A result, or the error that came in its place. */
export type Outcome<Value> =
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "error"; readonly error: PgHandshakeError };

/** The classes of errors a call may end in. */
export type Declared = readonly (abstract new (...args: never[]) => PgHandshakeError)[];

/**
 * Runs what may end in a declared error.
 *
 * @throws If it ends in any other: one of JavaScript's own, or a UsageError that is not listed.
 */
export function outcome<Value>(declared: Declared, run: () => Value): Outcome<Value> {
  try {
    return { kind: "value", value: run() };
  } catch (error) {
    if (!(error instanceof PgHandshakeError) || !declared.some((one) => error instanceof one)) {
      throw new Error(`Not a declared error: ${String(error)}`, { cause: error });
    }
    assertErrorText(error);
    return { kind: "error", error };
  }
}

/** What two outcomes have in common if they are the same. */
export function comparable(result: Outcome<unknown>): unknown {
  return result.kind === "value"
    ? result.value
    : [result.error.code, result.error.phase, result.error.message];
}

/** Greatest message of an error: several host names of the settings, never a text of any length. */
const MAX_ERROR_TEXT = 5_000;
// deno-lint-ignore no-control-regex -- controls are what it looks for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

/** The text of an error is there and bounded. */
export function assertErrorText(error: PgHandshakeError): void {
  assert.ok(error.message.length > 0 && error.message.length < MAX_ERROR_TEXT, error.message);
}

/** The error is one that a peer may cause, and takes no orders from it to a terminal. */
export function assertPeerError(error: PgHandshakeError): void {
  assert.ok(!(error instanceof UsageError), error.message);
  assert.notEqual(error.phase, "settings", error.message);
  assertErrorText(error);
  assertPrintable(error.message);
}

/** The text holds nothing that a terminal obeys. */
export function assertPrintable(shown: string): void {
  assert.ok(!CONTROLS.test(shown), JSON.stringify(shown));
}

/** Needles of secrets that stay the same, made once. */
export function needlesOf(...secrets: readonly Uint8Array[]): readonly string[] {
  return secrets.flatMap(needles);
}

/** No needle stands in the text. */
export function assertHides(shown: string, hidden: readonly string[], where: string): void {
  for (const needle of hidden) assert.ok(!shown.includes(needle), `${where} shows "${needle}"`);
}

/** No needle stands in any print of the value; slow, as prints are. */
export function assertPrintHides(value: unknown, hidden: readonly string[], where: string): void {
  assertHides(printed(value).replace(/\s+/g, " "), hidden, where);
}

/** What an error says where most readers look: message, stack and JSON. */
export function saidBy(error: Error): string {
  return `${error.stack}\n${error.message}\n${JSON.stringify(error)}`;
}
