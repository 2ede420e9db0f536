/**
 * Fuzzes by hand: `deno task fuzz`.
 *
 *   --minutes N       plays all targets in turns for that long; 1 unless given
 *   --cases N         plays exactly that many cases of each target instead
 *   --target NAME     this target only
 *   --seed N          the seed of the first case; chosen by the clock unless given
 *
 * Stops at the first failure, whose message names the command that plays it again, with exit code 1.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { FuzzFailure } from "./fuzz.ts";
import { type NamedTarget, targetOf, TARGETS } from "./targets.ts";

/** Turns are long enough to be measured, and short enough that every target has many. */
const TURN = 500;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    cases: { type: "string" },
    target: { type: "string" },
    seed: { type: "string" },
  },
});

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = error instanceof FuzzFailure ? 1 : 2;
}

function main(): number {
  const targets = values.target === undefined ? TARGETS : [targetOf(values.target)];
  const seed = values.seed === undefined ? Date.now() >>> 0 : number("seed", values.seed);
  print(`seed ${seed}`);
  const tally = new Map<NamedTarget, { cases: number; ms: number }>();
  const play = (target: NamedTarget, cases: number): void => {
    const now = tally.get(target) ?? { cases: 0, ms: 0 };
    const started = performance.now();
    target.run((seed + now.cases) >>> 0, cases);
    tally.set(target, { cases: now.cases + cases, ms: now.ms + performance.now() - started });
  };
  try {
    if (values.cases !== undefined) {
      for (const target of targets) play(target, number("cases", values.cases));
    } else {
      const end = performance.now() + number("minutes", values.minutes) * 60_000;
      do {
        for (const target of targets) play(target, TURN);
      } while (performance.now() < end);
    }
  } finally {
    for (const [{ name }, { cases, ms }] of tally) {
      print(`${name}: ${cases} cases, ${Math.round(cases / ms * 1_000)} a second`);
    }
  }
  return 0;
}

function number(option: string, text: string): number {
  const value = Number(text);
  if (text !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new Error(`Cannot use --${option} "${text}": it must be a number of 0 or more`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
