import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions, TargetObject } from "../../src/connect/options.ts";
import { ConnectionError } from "../../src/errors.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import { listenOnLoopback } from "../support/loopback.ts";
import { openFiles, settledCount, TimerCount, untilAtMost } from "../hostile/counters.ts";
import { OctetStream } from "../support/octet_stream.ts";
import { join } from "../support/vectors.ts";
import { errorResponse, GREETING } from "./fake_server.ts";
import { watchedSignal } from "./fake_time.ts";
import { rejection } from "./rejection.ts";

const ROUNDS = 1000;
const AT_ONCE = 20;
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
