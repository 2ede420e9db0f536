import "../support/guard.ts";
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions, TargetObject } from "../../src/connect/options.ts";
import { ConnectionError } from "../../src/errors.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import { listenOnLoopback } from "../support/loopback.ts";
import { OctetStream } from "../support/octet_stream.ts";
import { join } from "../support/vectors.ts";
import { errorResponse, GREETING } from "./fake_server.ts";
import { watchedSignal } from "./fake_time.ts";
import { rejection } from "./rejection.ts";

const ROUNDS = 1000;
const AT_ONCE = 20;
/** Sockets are released by the runtime's event loop; it is given so long to get to it. */
const SETTLE_MS = 10_000;
const POLL_MS = 20;
/** Runtimes open and close files of their own; a leak is one a connection. */
const TOLERANCE = 10;

const LET_IN = join(...GREETING.map(encodeBackend));
const REFUSED = encodeBackend(errorResponse("53300", "sorry, too many clients already"));
const TARGET: TargetObject = {
  host: "127.0.0.1",
  user: "app",
  sslmode: "disable",
  connect_timeout: 3600,
};

/** Timers set by this process and neither fired nor cleared; counted by wrapping the two functions. */
class TimerCount {
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

  get pending(): number {
    return this.#pending.size;
  }

  /** How many were ever set, to know that they are counted at all. */
  get set(): number {
    return this.#set;
  }

  restore(): void {
    Object.assign(globalThis, this.#real);
  }
}

/** Open files of this process, where the system tells; else what Node knows to be active. */
function openFiles(): number {
  if (process.platform === "linux") return readdirSync("/proc/self/fd").length;
  return process.getActiveResourcesInfo?.().length ?? 0;
}

async function untilAtMost(limit: number, count: () => number): Promise<number> {
  const until = performance.now() + SETTLE_MS;
  let now = count();
  while (now > limit && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    now = count();
  }
  return now;
}

/** The count once it no longer changes. */
async function settledCount(count: () => number): Promise<number> {
  const until = performance.now() + SETTLE_MS;
  let now = count();
  for (let same = 0; same < 5 && performance.now() < until;) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const next = count();
    same = next === now ? same + 1 : 0;
    now = next;
  }
  return now;
}

/** Does something so many times, some at once. */
async function repeated(times: number, run: () => Promise<void>): Promise<void> {
  let left = times;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (left > 0) {
      left--;
      await run();
    }
  }));
}

/** Asserts that many rounds leave as little open as a few did, and that nobody listens to the signal any more. */
async function assertNothingLeft(
  run: (options: ConnectOptions) => Promise<void>,
): Promise<void> {
  // What is loaded and opened once, is opened by now.
  await repeated(AT_ONCE, () => run({}));
  const watched = watchedSignal();
  const timers = new TimerCount();
  try {
    const before = await settledCount(openFiles);
    await repeated(ROUNDS, () => run({ signal: watched.signal }));
    assert.equal(watched.listeners, 0, "somebody still listens to the signal");
    assert.ok(timers.set >= ROUNDS, "timers are not counted");
    assert.equal(timers.pending, 0, "timers are left");
    const after = await untilAtMost(before + TOLERANCE, openFiles);
    assert.ok(after <= before + TOLERANCE, `${before} files were open, then ${after}`);
  } finally {
    timers.restore();
  }
}

/** Lets clients in by trust, or refuses them, until `run` is over. */
async function withServer(
  answer: Uint8Array,
  run: (port: number) => Promise<void>,
): Promise<void> {
  const server = await listenOnLoopback(async (socket) => {
    const stream = new OctetStream(socket, () => {});
    if (await stream.takeMessage(false) !== undefined) socket.write(answer);
    await stream.untilEnd();
    socket.end();
  });
  try {
    await run(server.port);
  } finally {
    await server.close();
  }
}

test(`after ${ROUNDS} sessions that were closed nothing is open that was not before`, () =>
  withServer(LET_IN, (port) =>
    assertNothingLeft(async (options) => {
      const session = await connect({ ...TARGET, port }, options);
      await session.close();
    })));

test(`after ${ROUNDS} refusals of a server nothing is open that was not before`, () =>
  withServer(REFUSED, (port) =>
    assertNothingLeft(async (options) => {
      const error = await rejection(connect({ ...TARGET, port }, options));
      assert.equal(error.sqlState, "53300");
    })));

test(`after ${ROUNDS} refused sockets nothing is open that was not before`, async () => {
  const closed = await listenOnLoopback(() => Promise.resolve());
  await closed.close();
  await assertNothingLeft(async (options) => {
    const error = await rejection(connect({ ...TARGET, port: closed.port }, options));
    assert.ok(error instanceof ConnectionError);
    assert.equal(error.code, "dial-failed");
  });
});
