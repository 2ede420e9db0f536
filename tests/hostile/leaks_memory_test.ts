import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { TargetObject } from "../../src/connect/options.ts";
import { ConnectionError } from "../../src/errors.ts";
import { deferred } from "../connect/deferred.ts";
import {
  errorResponse,
  fakeServer,
  GREETING,
  type Play,
  TARGET,
  trust,
} from "../connect/fake_server.ts";
import { askingScram } from "../connect/logins.ts";
import { ClientClosed } from "../connect/peer.ts";
import { rejection } from "../connect/rejection.ts";
import { Prng } from "../support/prng.ts";
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

/** With those of leaks_test.ts, which are over sockets, 10 000 of each kind. */
const MEMORY: Rounds = { times: 8_000, warmUp: 500, timers: true, signal: true };
/** How often a server is asked whether its client is gone: each time would take longer than all the rest. */
const LOOK_EVERY = 16;
const PLAIN: TargetObject = { ...TARGET, sslmode: "disable", connect_timeout: 3600 };

const refusing: Play = async (peer) => {
  await peer.packet();
  await peer.send(errorResponse("53300", "sorry, too many clients already"));
  await peer.end();
};

test(`${MEMORY.times} sessions in memory, opened and closed, leave nothing behind`, () =>
  assertNothingLeft(MEMORY, async (options, round) => {
    const server = fakeServer(trust);
    await openAndClose(PLAIN, { ...options, adapter: server.adapter });
    if (round % LOOK_EVERY === 0) await server.done();
  }));

test(`${MEMORY.times} refusals in memory leave nothing behind`, () =>
  assertNothingLeft(MEMORY, async (options, round) => {
    const server = fakeServer(refusing);
    const error = await rejection(connect(PLAIN, { ...options, adapter: server.adapter }));
    assert.equal(error.sqlState, "53300");
    if (round % LOOK_EVERY === 0) await server.done();
  }));

/** TLS by SSLRequest, then a password, in clear or by SCRAM, from a callback: all the places there are. */
const startingTls = (then: Play): Play => async (peer, connection) => {
  try {
    await peer.packet();
    await peer.send(Uint8Array.of(0x53));
    await then(peer, connection);
  } catch (error) {
    // A client that gives up does not wait for what the server was about to say.
    if (!(error instanceof ConnectionError)) throw error;
    throw new ClientClosed("the client closed while the server spoke", { cause: error });
  }
};
const askingInClear: Play = async (peer) => {
  await peer.packet();
  await peer.send({ type: "AuthenticationCleartextPassword" });
  await peer.message("password");
  for (const one of GREETING) await peer.send(one);
};
const LONG_WAY: TargetObject = {
  ...PLAIN,
  host: "db.test",
  sslmode: "require",
  channel_binding: "disable",
};

test(`${MEMORY.times} connects in memory, aborted at a random await, leave nothing behind`, async () => {
  const prng = new Prng(SEED);
  const hits: Hits = new Map();
  const scram = startingTls(askingScram({ password: "pencil", iterations: 1 }));
  const clear = startingTls(askingInClear);
  await assertNothingLeft({ ...MEMORY, ...OWN_SIGNALS }, async (options, round) => {
    // What comes before the look-up takes turns of the event loop, which differ; what follows takes microtasks.
    const lookedUp = deferred();
    const server = fakeServer(prng.below(16) === 0 ? scram : clear, {
      resolve() {
        lookedUp.resolve();
        return Promise.resolve(["192.0.2.1"]);
      },
    });
    const password = (): Promise<string> => Promise.resolve("pencil");
    const [begin, turns, microtasks] = [prng.below(16), prng.below(16), prng.below(60)];
    await abortedOnce(
      LONG_WAY,
      { ...options, password, adapter: server.adapter },
      async (controller) => {
        if (begin > 0) await lookedUp.promise;
        await abortAfter(controller, turns > 3 ? 0 : turns, microtasks);
      },
      hits,
    );
    if (round % LOOK_EVERY === 0) await server.done();
  });
  const phases = ["settings", "resolve", "dial", "negotiate", "tls", "start-up", "authenticate"];
  assertSpread(hits, [...phases, "prepare", "ready"]);
});
