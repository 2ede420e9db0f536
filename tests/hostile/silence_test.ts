import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ConnectionError } from "../../src/errors.ts";
import { deferred, settled } from "../connect/deferred.ts";
import { fakeTimers, watchedSignal } from "../connect/fake_time.ts";
import { fakeServer } from "../connect/fake_server.ts";
import { reasonOf } from "../connect/rejection.ts";
import { ScramServer } from "../connect/scram_server.ts";
import { PLAIN } from "../connect/sessions.ts";
import { WAYS_TO_OTHERS, WAYS_TO_READING } from "../handshake/places.ts";
import { interceptPbkdf2 } from "../support/pbkdf2.ts";
import { prepareCrypto, WAITING_PLACES, type WaitingPlace } from "./deadline_places.ts";
import { header, watchHeld } from "./held.ts";

const TIMEOUT_S = 60;
const REASON = new Error("no longer wanted");
/** An ErrorResponse as long as it may be anywhere, of which the server sends an octet a second. */
const SLOW = new Uint8Array(200).fill(0x58);
SLOW.set(header(0x45, 30_000));

/** Connects to a server that brings us to a place and is silent there, or almost. */
async function assertGivesUp(
  place: WaitingPlace,
  end: "signal" | "connect_timeout",
  drip: Uint8Array,
): Promise<void> {
  const reached = deferred();
  const undo = prepareCrypto(place, reached);
  const timers = fakeTimers();
  const held = watchHeld();
  let taken = 0;
  try {
    const server = fakeServer(place.play(reached), place.server(reached));
    const watched = watchedSignal();
    const connecting = connect({ ...place.target, connect_timeout: String(TIMEOUT_S) }, {
      adapter: server.adapter,
      signal: watched.signal,
      onEvent(event) {
        if (event.type === "message" && event.direction === "received") taken += event.octets;
      },
      ...place.options(reached),
    });
    await Promise.race([reached.promise, connecting]);
    // The client may have steps to go from what the server has just sent.
    await settled();
    if (place.octetsTaken !== undefined) assert.equal(taken, place.octetsTaken);
    const [peer] = server.peers;
    const before = held.most;
    for (const octet of drip) {
      await peer?.send(Uint8Array.of(octet));
      await settled(1);
    }
    assert.ok(held.most <= before + drip.length);
    assert.deepEqual(timers.delays, place.timed ? [TIMEOUT_S * 1000] : []);
    if (end === "signal") watched.abort(REASON);
    else timers.fire();
    const error = await reasonOf(connecting);
    assert.ok(error instanceof ConnectionError, String(error));
    assert.deepEqual([error.code, error.phase], [
      end === "signal" ? "aborted" : "timeout",
      place.phase,
    ]);
    assert.equal(error.attempts?.length, 1);
    await server.done();
    assert.ok(server.peers.every(({ ended }) => ended), "the socket is open");
    assert.deepEqual([watched.listeners, timers.pending], [0, 0]);
  } finally {
    held.stop();
    timers.restore();
    undo();
  }
}

const NOTHING = new Uint8Array(0);

for (const place of WAITING_PLACES) {
  for (const end of ["signal", "connect_timeout"] as const) {
    if (end === "connect_timeout" && !place.timed) continue;
    test(`a server that is silent while ${place.name} is given up by ${end}`, () =>
      assertGivesUp(place, end, NOTHING));
    if (!place.reads) continue;
    test(`one octet a second while ${place.name} does not put off ${end}`, () =>
      assertGivesUp(place, end, SLOW));
  }
}

test("every state of the machine that waits is among the places", () => {
  const names = WAITING_PLACES.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const state of [...Object.keys(WAYS_TO_READING), ...Object.keys(WAYS_TO_OTHERS)]) {
    if (state === "finished" || state === "failed") continue;
    assert.ok(names.some((name) => name.includes(`"${state}"`)), state);
  }
});

/** How a key derivation ends that nobody waits for any more. */
const ENDINGS = ["its keys", "an error"] as const;

for (const ending of ENDINGS) {
  test(`an abort in the middle of 100 000 iterations is obeyed at once, and ${ending} dropped`, async () => {
    const deriving = deferred();
    const release = deferred();
    let derivation: Promise<Uint8Array> | undefined;
    const restore = interceptPbkdf2(({ run }) => {
      const work = run();
      deriving.resolve();
      derivation = release.promise.then(() => {
        if (ending === "an error") throw new Error("the derivation failed");
        return work;
      });
      return derivation;
    });
    try {
      const server = fakeServer(async (peer) => {
        await peer.packet();
        await new ScramServer(peer, { password: "pencil", iterations: 100_000 }).first();
      });
      const watched = watchedSignal();
      const connecting = connect({ ...PLAIN, password: "pencil" }, {
        adapter: server.adapter,
        signal: watched.signal,
      });
      await deriving.promise;
      watched.abort(REASON);
      // The derivation cannot end before `release`: that connect() rejects shows that it does not wait.
      const error = await reasonOf(connecting);
      assert.ok(error instanceof ConnectionError);
      assert.deepEqual([error.code, error.phase, error.cause], ["aborted", "authenticate", REASON]);
      assert.equal(watched.listeners, 0);
      release.resolve();
      const outcome = await derivation?.then(
        (derived) => derived.length,
        (late: Error) => late.message,
      );
      assert.equal(outcome, ending === "its keys" ? 32 : "the derivation failed");
      await settled();
      await server.done();
      assert.deepEqual(server.sent(), [["StartupMessage", "SASLInitialResponse"]]);
    } finally {
      restore();
    }
  });
}
