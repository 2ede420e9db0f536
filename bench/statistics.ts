/** Samples and what is said about them. */
export interface Spread {
  readonly median: number;
  /** The quartiles: half of all samples lie between them. */
  readonly low: number;
  readonly high: number;
}

/** Median and quartiles; NaN of nothing. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor((sorted.length - 1) * part)] ?? NaN;
  return { median: median(sorted), low: at(0.25), high: at(0.75) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] ?? NaN;
  const lower = sorted[(sorted.length - 1) >> 1] ?? NaN;
  return (lower + upper) / 2;
}

/** Round by round, so that a machine that grows slower during the run changes nothing. */
export function ratioOf(values: readonly number[], base: readonly number[]): Spread {
  const count = Math.min(values.length, base.length);
  return spreadOf(
    Array.from({ length: count }, (_, at) => (values[at] ?? NaN) / (base[at] ?? NaN)),
  );
}
