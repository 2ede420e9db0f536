/** Timers that fire when a test says so, and signals that know who listens. */

interface Timer {
  readonly run: () => void;
  readonly delayMs: number;
}

/** The timers set since `fakeTimers()` was called. */
export interface FakeTimers {
  /** The delays of all timers ever set, in order. */
  readonly delays: readonly number[];
  /** How many are set and neither fired nor cleared. */
  readonly pending: number;
  /** Fires all that are set. */
  fire(): void;
  /** Gives the runtime's own timers back. */
  restore(): void;
}

/** Replaces `setTimeout` and `clearTimeout` of this process. */
export function fakeTimers(): FakeTimers {
  const { setTimeout, clearTimeout } = globalThis;
  const timers = new Map<number, Timer>();
  const delays: number[] = [];
  const replace = (set: unknown, clear: unknown): void => {
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
  };
  replace(
    (run: () => void, delayMs: number): number => {
      const id = delays.push(delayMs);
      timers.set(id, { run, delayMs });
      return id;
    },
    (id: number | undefined): void => {
      if (id !== undefined) timers.delete(id);
    },
  );
  return {
    delays,
    get pending() {
      return timers.size;
    },
    fire() {
      const due = [...timers.values()];
      timers.clear();
      for (const timer of due) timer.run();
    },
    restore: () => replace(setTimeout, clearTimeout),
  };
}

/** A signal of a test and how many listeners it has. */
export interface WatchedSignal {
  readonly signal: AbortSignal;
  readonly listeners: number;
  abort(reason?: unknown): void;
}

/** Makes one. */
export function watchedSignal(): WatchedSignal {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set<unknown>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  const spy = (name: string, value: unknown): void => {
    Object.defineProperty(signal, name, { value, configurable: true });
  };
  spy("addEventListener", (type: "abort", listener: () => void, options?: { once?: boolean }) => {
    listeners.add(listener);
    add(type, listener, options);
  });
  spy("removeEventListener", (type: "abort", listener: () => void) => {
    listeners.delete(listener);
    remove(type, listener);
  });
  return {
    signal,
    get listeners() {
      return listeners.size;
    },
    abort: (reason) => controller.abort(reason),
  };
}
