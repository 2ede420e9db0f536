/** Many connects, some at once, and what must be as it was before. */
import assert from "node:assert/strict";
import type { ConnectOptions } from "../../src/connect/options.ts";
import { watchedSignal } from "../connect/fake_time.ts";
import { heapInUse, openFiles, settledCount, TimerCount, untilAtMost } from "./counters.ts";

/** How much of what is done. */
export interface Rounds {
  readonly times: number;
  /** Done before anything is counted: what is loaded, compiled and opened once is there by then. */
  readonly warmUp: number;
  /** Whether each round sets a timer, hence connect_timeout. */
  readonly timers: boolean;
  /** Whether all rounds share a signal, whose listeners are counted. */
  readonly signal: boolean;
}

const AT_ONCE = 20;
/** Runtimes open and close files of their own; a leak is one a connection. */
const TOLERATED_FILES = 10;
/** 500 octets a round of 10 000: less than the smallest thing a connection could leave. */
export const TOLERATED_HEAP = 5_000_000;

/** Does something so many times, some at once. */
async function repeated(times: number, run: (round: number) => Promise<void>): Promise<void> {
  let begun = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (begun < times) await run(begun++);
  }));
}

/** Asserts that sockets, timers, listeners and heap are after many rounds what they were before. */
export async function assertNothingLeft(
  rounds: Rounds,
  run: (options: ConnectOptions, round: number) => Promise<void>,
): Promise<void> {
  const { times, warmUp } = rounds;
  await repeated(warmUp, (round) => run({}, round));
  const watched = watchedSignal();
  const files = await settledCount(openFiles);
  const heap = await heapInUse();
  const timers = new TimerCount();
  try {
    const options = rounds.signal ? { signal: watched.signal } : {};
    await repeated(times, (round) => run(options, warmUp + round));
    assert.equal(watched.listeners, 0, "somebody still listens to the signal");
    if (rounds.timers) assert.ok(timers.set >= times, "timers are not counted");
    assert.equal(timers.pending, 0, "timers are left");
  } finally {
    timers.restore();
  }
  const open = await untilAtMost(files + TOLERATED_FILES, openFiles);
  assert.ok(open <= files + TOLERATED_FILES, `${files} files were open, then ${open}`);
  const growth = await heapInUse() - heap;
  assert.ok(growth < TOLERATED_HEAP, `the heap grew by ${growth} octets in ${times} rounds`);
}
