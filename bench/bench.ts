import type { PostgresServer } from "../tests/support/postgres.ts";
import type { Runtime } from "../tests/support/runtimes.ts";
import type { ContenderName } from "./contenders/table.ts";
import type { Libpq } from "./libpq.ts";
import type { BenchOptions } from "./options.ts";

/** What every part gets. */
export interface Bench {
  readonly options: BenchOptions;
  readonly runtimes: readonly Runtime[];
  /** By version; 18 is always there. */
  readonly servers: ReadonlyMap<number, PostgresServer>;
  readonly libpqs: readonly Libpq[];
  /** Where the bundled programs are. */
  readonly folder: string;
  /** Who takes part on a runtime. */
  contendersOn(runtime: Runtime): readonly ContenderName[];
  /** Tells a person how far it is. */
  progress(text: string): void;
}

/** What a part ends with. */
export interface PartResult {
  readonly title: string;
  /** What the figures mean. */
  readonly legend: string;
  readonly tables: readonly Table[];
  /** The rows this part adds to the table that comes first. */
  readonly summary: readonly SummaryRow[];
  /** Everything that was measured, for the file. */
  readonly data: unknown;
}

/** One table of texts. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One figure, a text for every runtime: ours, the bare minimum's, and the best of everybody else. */
export interface SummaryRow {
  readonly figure: string;
  readonly ours: readonly string[];
  readonly floor: readonly string[];
  readonly peer: string;
}

/** Who is neither ours nor the floor. */
export function isPeer(contender: ContenderName): boolean {
  return !contender.startsWith("ours") && !contender.startsWith("raw");
}

/** The least of some values and whose it is; "–" of none. */
export function bestOf(values: readonly (readonly [who: string, value: number])[]): string {
  const [best] = [...values].sort(([, one], [, other]) => one - other);
  return best === undefined ? "–" : `${best[1].toFixed(2)} (${best[0]})`;
}

/** "ours (Bun)". */
export function titleOf(contender: ContenderName, runtime: Runtime): string {
  return `${contender}, ${runtimeTitle(runtime)}`;
}

export function runtimeTitle({ name }: Runtime): string {
  return { "deno": "Deno", "bun": "Bun", "node-20": "Node 20", "node-26": "Node 26" }[name];
}
