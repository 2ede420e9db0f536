/** What a process has open, set and in memory, for tests of leaks. */
import { readdirSync } from "node:fs";
import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Sockets are released by the runtime's event loop; it is given so long to get to it. */
const SETTLE_MS = 10_000;
const POLL_MS = 20;
/** Collections before memory is looked at: what one sets free by finalizers, the next one takes. */
const COLLECTIONS = 2;

/** Timers set by this process and neither fired nor cleared; counted by wrapping the two functions. */
export class TimerCount {
  readonly #pending = new Set<unknown>();
  readonly #real: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  #set = 0;

  constructor() {
    const { setTimeout, clearTimeout } = globalThis;
    this.#real = { setTimeout, clearTimeout };
    const pending = this.#pending;
    Object.assign(globalThis, {
      setTimeout: (run: () => void, delayMs: number): unknown => {
        this.#set++;
        const id: unknown = setTimeout(() => {
          pending.delete(id);
          run();
        }, delayMs);
        pending.add(id);
        return id;
      },
      clearTimeout: (id: ReturnType<typeof setTimeout>): void => {
        pending.delete(id);
        clearTimeout(id);
      },
    });
  }

  /** How many are set now. */
  get pending(): number {
    return this.#pending.size;
  }

  /** How many were ever set, to know that they are counted at all. */
  get set(): number {
    return this.#set;
  }

  /** Gives the runtime's own functions back. */
  restore(): void {
    Object.assign(globalThis, this.#real);
  }
}

/** Open files of this process, where the system tells; else what Node knows to be active. */
export function openFiles(): number {
  if (process.platform === "linux") return readdirSync("/proc/self/fd").length;
  return process.getActiveResourcesInfo?.().length ?? 0;
}

/** The count as soon as it is not above the limit, or when it has had its time. */
export async function untilAtMost(limit: number, count: () => number): Promise<number> {
  const until = performance.now() + SETTLE_MS;
  let now = count();
  while (now > limit && performance.now() < until) {
    await pause(POLL_MS);
    now = count();
  }
  return now;
}

/** The count once it no longer changes. */
export async function settledCount(count: () => number): Promise<number> {
  const until = performance.now() + SETTLE_MS;
  let now = count();
  for (let same = 0; same < 5 && performance.now() < until;) {
    await pause(POLL_MS);
    const next = count();
    same = next === now ? same + 1 : 0;
    now = next;
  }
  return now;
}

/** Octets of the heap in use after everything that can be collected was. */
export async function heapInUse(): Promise<number> {
  for (let time = 0; time < COLLECTIONS; time++) {
    collect();
    await pause(POLL_MS);
  }
  collect();
  return process.memoryUsage().heapUsed;
}

const collect = collector();

/** Every runtime collects on demand, each in its own way. */
function collector(): () => void {
  const { Bun, gc } = globalThis as unknown as {
    readonly Bun?: { gc(force: boolean): void };
    readonly gc?: () => void;
  };
  if (Bun !== undefined) return () => Bun.gc(true);
  if (gc !== undefined) return gc;
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
