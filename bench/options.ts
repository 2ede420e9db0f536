import { parseArgs } from "node:util";
import { RUNTIME_NAMES, type RuntimeName } from "../tests/support/runtimes.ts";

/** What can be measured, in the order it is. */
export const PARTS = [
  "flights",
  "latency",
  "burst",
  "profile",
  "memory",
  "size",
  "import",
  "start",
  "decode",
  "bridge",
] as const;

/** One of them. */
export type PartName = typeof PARTS[number];

/** What the command line asks for. */
export interface BenchOptions {
  readonly parts: readonly PartName[];
  readonly runtimes: readonly RuntimeName[];
  /** Rounds of the interleaved measurements. */
  readonly rounds: number;
  /** Connects of one contender at a stretch. */
  readonly batch: number;
  /** Whether few rounds are enough. */
  readonly quick: boolean;
  /** Where the JSON goes. */
  readonly output: string;
}

/** The command line is at fault. */
export class Mistake extends Error {}

const ROUNDS = { full: 16, quick: 4 } as const;
const BATCH = { full: 10, quick: 5 } as const;

/** @throws {Mistake} Naming what is wrong and what would be right. */
export function readOptions(args: readonly string[]): BenchOptions {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (error) {
    throw new Mistake(error instanceof Error ? error.message : String(error));
  }
  const pace = values.quick ? "quick" : "full";
  return {
    parts: chosen(values.only, PARTS),
    runtimes: chosen(values.runtimes ?? "deno,bun,node-26", RUNTIME_NAMES),
    rounds: number(values.rounds, ROUNDS[pace]),
    batch: number(values.batch, BATCH[pace]),
    quick: values.quick,
    output: values.output ?? "bench/results.json",
  };
}

function parse(args: readonly string[]): {
  only?: string;
  runtimes?: string;
  rounds?: string;
  batch?: string;
  output?: string;
  quick: boolean;
} {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      runtimes: { type: "string" },
      rounds: { type: "string" },
      batch: { type: "string" },
      output: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  return { ...values, quick: values.quick ?? false };
}

function chosen<Name extends string>(text: string | undefined, all: readonly Name[]): Name[] {
  if (text === undefined) return [...all];
  const wanted = text.split(",");
  const isMeant = (name: Name): boolean =>
    wanted.some((one) => one === name || one === name.split("-")[0]);
  const unknown = wanted.find((one) =>
    !all.some((name) => name === one || name.startsWith(`${one}-`))
  );
  if (unknown !== undefined) {
    throw new Mistake(`Cannot measure "${unknown}": it must be of ${all.join(", ")}`);
  }
  return all.filter(isMeant);
}

function number(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Mistake(`Cannot use "${text}": it must be a number above 0`);
}
