/** Runs one fuzz target: seeded cases, a failure made small, and the command that plays it again. */
import { Prng } from "../support/prng.ts";

/** How a run of one target went. */
export interface Report {
  /** The target's name. */
  readonly target: string;
  /** How many cases were played. */
  readonly cases: number;
  /** How they ended, each kind with its count: chance that meets one kind of end only proves little. */
  readonly ends: ReadonlyMap<string, number>;
}

/** What a target does with chance: makes an input, then judges it. */
export interface Target<Input> {
  /** As `--target` takes it. */
  readonly name: string;
  /** Makes an input; all its chance is the generator's. */
  generate(prng: Prng): Input;
  /**
   * Judges an input, the same way each time.
   *
   * @returns The kind of end.
   * @throws If a property does not hold.
   */
  check(input: Input): string;
  /** The input as a person can read it. */
  show(input: Input): string;
  /** Inputs that are a little smaller, the smallest first. */
  smaller?(input: Input): Iterable<Input>;
}

/** A property did not hold; the message tells the seed, the input and the command that plays it again. */
export class FuzzFailure extends Error {
  override readonly name: string = "FuzzFailure";
  /** The target that found it. */
  readonly target: string;
  /** The seed of the one case. */
  readonly seed: number;
  /** Which case of the run it was, counted from 1. */
  readonly after: number;

  constructor(
    found: { readonly target: string; readonly seed: number; readonly after: number },
    text: string,
    cause: unknown,
  ) {
    const { target, seed, after } = found;
    super(
      `Fuzz target "${target}" fails with seed ${seed}: ${text}\n` +
        `Replay: deno task fuzz --target ${target} --seed ${seed} --cases 1`,
      { cause },
    );
    this.target = target;
    this.seed = seed;
    this.after = after;
  }
}

/** The most tries to make a failing input smaller. */
const MAX_SHRINKS = 400;

/**
 * Plays cases. Case n has the seed `seed + n`, so that any one of them can be played alone.
 *
 * @throws {FuzzFailure} For the first case that fails.
 */
export function fuzz<Input>(target: Target<Input>, seed: number, cases: number): Report {
  const ends = new Map<string, number>();
  for (let index = 0; index < cases; index++) {
    const caseSeed = (seed + index) >>> 0;
    const input = generated(target, caseSeed, index + 1);
    let end: string;
    try {
      end = target.check(input);
    } catch (cause) {
      const found = { target: target.name, seed: caseSeed, after: index + 1 };
      throw new FuzzFailure(found, told(target, input, cause), cause);
    }
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  return { target: target.name, cases, ends };
}

function generated<Input>(target: Target<Input>, seed: number, after: number): Input {
  try {
    return target.generate(new Prng(seed));
  } catch (cause) {
    // Generators use the encoders: what these refuse of a legal message is a finding, too.
    throw new FuzzFailure({ target: target.name, seed, after }, `no input: ${cause}`, cause);
  }
}

function told<Input>(target: Target<Input>, input: Input, cause: unknown): string {
  const small = shrunk(target, input, cause);
  return `${textOf(small.cause)}\nInput: ${target.show(small.input)}`;
}

/** Takes away what is not needed to fail, greedily. */
function shrunk<Input>(
  target: Target<Input>,
  input: Input,
  cause: unknown,
): { readonly input: Input; readonly cause: unknown } {
  let now = { input, cause };
  let tries = 0;
  for (let better = true; better && target.smaller !== undefined;) {
    better = false;
    for (const candidate of target.smaller(now.input)) {
      if (++tries > MAX_SHRINKS) return now;
      const failure = failureOf(target, candidate);
      if (failure === undefined) continue;
      now = { input: candidate, cause: failure.cause };
      better = true;
      break;
    }
  }
  return now;
}

function failureOf<Input>(
  target: Target<Input>,
  input: Input,
): { readonly cause: unknown } | undefined {
  try {
    target.check(input);
    return undefined;
  } catch (cause) {
    return { cause };
  }
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.stack ?? cause.message : String(cause);
}

/** Lists with pieces taken out: halves first, then ever less, down to one item. */
export function* withoutPieces<Item>(list: readonly Item[]): Generator<readonly Item[]> {
  for (let size = Math.ceil(list.length / 2); size >= 1; size = size === 1 ? 0 : size >> 1) {
    for (let at = 0; at < list.length; at += size) {
      yield [...list.slice(0, at), ...list.slice(at + size)];
    }
  }
}

/** As {@link withoutPieces}, for octets. */
export function* fewerOctets(octets: Uint8Array): Generator<Uint8Array> {
  for (const list of withoutPieces([...octets])) yield Uint8Array.from(list);
}

/** As {@link withoutPieces}, for the characters of a text. */
export function* shorterTexts(text: string): Generator<string> {
  for (const list of withoutPieces([...text])) yield list.join("");
}
