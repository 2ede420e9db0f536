import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions, TargetObject } from "../../src/connect/options.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import { deferred } from "../connect/deferred.ts";
import { errorResponse, GREETING } from "../connect/fake_server.ts";
import { rejection } from "../connect/rejection.ts";
import { listenOnLoopback } from "../support/loopback.ts";
import { OctetStream } from "../support/octet_stream.ts";
import { Prng } from "../support/prng.ts";
import { join } from "../support/vectors.ts";
import {
  abortAfter,
  abortedOnce,
  assertSpread,
  type Hits,
  openAndClose,
  OWN_SIGNALS,
  SEED,
} from "./aborts.ts";
import { assertNothingLeft, type Rounds } from "./rounds.ts";

/** Over sockets of the system; leaks_memory_test.ts has the rest of 10 000 of each kind. */
const REAL: Rounds = { times: 2_000, warmUp: 200, timers: true, signal: true };

const TARGET: TargetObject = {
  host: "127.0.0.1",
  user: "app",
  dbname: "shop",
  sslmode: "disable",
  connect_timeout: 3600,
};
const LET_IN = join(...GREETING.map(encodeBackend));
const REFUSAL = errorResponse("53300", "sorry, too many clients already");

/** Answers StartupMessage until `run` is over. */
async function withServer(answer: Uint8Array, run: (port: number) => Promise<void>): Promise<void> {
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

async function beRefused(target: TargetObject, options: ConnectOptions): Promise<void> {
  const error = await rejection(connect(target, options));
  assert.equal(error.sqlState, "53300");
}

test(`${REAL.times} sessions over sockets, opened and closed, leave nothing behind`, () =>
  withServer(
    LET_IN,
    (port) => assertNothingLeft(REAL, (options) => openAndClose({ ...TARGET, port }, options)),
  ));

test(`${REAL.times} refusals over sockets leave nothing behind`, () =>
  withServer(
    encodeBackend(REFUSAL),
    (port) => assertNothingLeft(REAL, (options) => beRefused({ ...TARGET, port }, options)),
  ));

test(`${REAL.times} connects over sockets, aborted at a random await, leave nothing behind`, () =>
  withServer(LET_IN, async (port) => {
    const prng = new Prng(SEED);
    const hits: Hits = new Map();
    await assertNothingLeft({ ...REAL, ...OWN_SIGNALS }, (options) => {
      // Half of them while the socket opens, half from then on: how long that takes, nobody knows.
      const early = prng.below(2) === 0;
      const [turns, microtasks] = [prng.below(4), prng.below(40)];
      const dialed = deferred();
      const onEvent: ConnectOptions["onEvent"] = ({ type }) => {
        if (type === "dialed") dialed.resolve();
      };
      return abortedOnce({ ...TARGET, port }, { ...options, onEvent }, async (controller) => {
        if (!early) await dialed.promise;
        await abortAfter(controller, turns, microtasks);
      }, hits);
    });
    assertSpread(hits, ["dial", "start-up"]);
  }));
