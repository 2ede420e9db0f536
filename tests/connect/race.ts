/** Dials that end when a test says so, in virtual time. */
import assert from "node:assert/strict";
import type { ConnectOptions } from "../../src/connect/options.ts";
import { abortedFailure, dialFailure } from "../../src/transport/failures.ts";
import { deferred, settled } from "./deferred.ts";
import {
  type FakeOptions,
  type FakeServer,
  fakeServer,
  type Play,
  TARGET,
  trust,
} from "./fake_server.ts";

/** Timers that know how late it is. */
export class VirtualTime {
  #nowMs = 0;
  #count = 0;
  readonly #timers = new Map<number, { readonly atMs: number; readonly run: () => void }>();
  readonly #real: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;

  constructor() {
    const { setTimeout, clearTimeout } = globalThis;
    this.#real = { setTimeout, clearTimeout };
    Object.assign(globalThis, {
      setTimeout: (run: () => void, delayMs: number): number => {
        this.#timers.set(++this.#count, { atMs: this.#nowMs + delayMs, run });
        return this.#count;
      },
      clearTimeout: (id: number | undefined) => void this.#timers.delete(id ?? 0),
    });
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** Lets so much time pass, timer by timer, each with all that follows from it. */
  async pass(ms: number): Promise<void> {
    await settled();
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, { atMs }]) => atMs <= untilMs)
        .sort(([, a], [, b]) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.#nowMs = due[1].atMs;
      due[1].run();
      await settled();
    }
    this.#nowMs = untilMs;
  }

  restore(): void {
    Object.assign(globalThis, this.#real);
  }
}

/** One socket that is being opened, until the test says how that ends. */
export interface Dial {
  readonly host: string;
  readonly signal: AbortSignal | undefined;
  /** It opens, even if nobody wants it any more. */
  open(): void;
  refuse(): void;
}

/** A server and its dials. */
export interface Race {
  readonly server: FakeServer;
  readonly dials: readonly Dial[];
  /** The first dial, before which files may have been read. */
  readonly begun: Promise<void>;
  /** The addresses of all dials so far. */
  hosts(): readonly string[];
  /** The dial of an address, its last one. */
  of(host: string): Dial;
}

/** The addresses of "db.test". */
export const A = "192.0.2.1";
export const B = "192.0.2.2";
export const C = "192.0.2.3";
const NAMES: Readonly<Record<string, readonly string[]>> = {
  "db.test": [A, B, C],
  "two.test": [A, B],
  "next.test": ["198.51.100.1"],
};

/** A server whose sockets open when the test says so. */
export function startRace(play: Play = trust, options: FakeOptions = {}): Race {
  const dials: Dial[] = [];
  const begun = deferred();
  const server = fakeServer(play, {
    resolve: (host) => Promise.resolve(NAMES[host] ?? []),
    onDial: (address, _dial, signal) =>
      new Promise<void>((resolve, reject) => {
        const host = address.kind === "tcp" ? address.host : address.path;
        dials.push({
          host,
          signal,
          open: resolve,
          refuse: () => reject(dialFailure(address, { code: "ECONNREFUSED" })),
        });
        begun.resolve();
        // A socket whose attempt is given up may still open later; only the first test of that says so.
        if (options.wrap === undefined) {
          signal?.addEventListener("abort", () => reject(abortedFailure(address, "dial")));
        }
      }),
    ...options,
  });
  return {
    server,
    dials,
    begun: begun.promise,
    hosts: () => dials.map(({ host }) => host),
    of(host) {
      const found = dials.findLast((dial) => dial.host === host);
      assert.ok(found, `"${host}" was not dialed`);
      return found;
    },
  };
}

/** Lets addresses race. */
export const RACING: ConnectOptions = { addressRacing: true };
/** A host with three addresses. */
export const NAMED: typeof TARGET & { readonly sslmode: "disable" } = {
  ...TARGET,
  host: "db.test",
  sslmode: "disable",
};

/** Runs a test in virtual time and asserts that no timer is left. */
export async function inVirtualTime(run: (time: VirtualTime) => Promise<void>): Promise<void> {
  const time = new VirtualTime();
  try {
    await run(time);
    assert.equal(time.pending, 0, "a timer is left");
  } finally {
    time.restore();
  }
}
