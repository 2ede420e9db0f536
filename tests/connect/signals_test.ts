import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ConnectionError } from "../../src/errors.ts";
import { deferred, never } from "./deferred.ts";
import { fakeTimers, watchedSignal } from "./fake_time.ts";
import { fakeServer, GREETING, LOCAL, trust } from "./fake_server.ts";
import { reasonOf } from "./rejection.ts";

test("a signal that is aborted already keeps everything from beginning", async () => {
  const server = fakeServer(trust);
  const reason = new Error("too late");
  const error = await reasonOf(
    connect(LOCAL, { adapter: server.adapter, signal: AbortSignal.abort(reason) }),
  );
  assert.ok(error instanceof ConnectionError);
  assert.deepEqual([error.code, error.phase, error.cause], ["aborted", "settings", reason]);
  assert.equal(server.dials.length, 0);
});

test("once there is a session, the signal and connect_timeout have no hold on it", async () => {
  const timers = fakeTimers();
  try {
    const server = fakeServer(async (peer) => {
      await peer.packet();
      await peer.send(...GREETING);
      await peer.message();
      await peer.send({ type: "EmptyQueryResponse" }, { type: "ReadyForQuery", status: "I" });
    });
    const watched = watchedSignal();
    const session = await connect({ ...LOCAL, sslmode: "disable", connect_timeout: "7" }, {
      adapter: server.adapter,
      signal: watched.signal,
    });
    assert.equal(watched.listeners, 0);
    assert.equal(timers.pending, 0);
    watched.abort();
    assert.equal((await session.query("")).length, 1);
    await session.close();
    await server.done();
  } finally {
    timers.restore();
  }
});

test("the password callback's signal fires when the connection no longer wants the password", async () => {
  const asked = deferred();
  const told = deferred();
  const watched = watchedSignal();
  const server = fakeServer(async (peer) => {
    await peer.packet();
    await peer.send({ type: "AuthenticationCleartextPassword" });
  });
  const connecting = connect({ ...LOCAL, sslmode: "disable" }, {
    adapter: server.adapter,
    signal: watched.signal,
    password({ signal }) {
      signal.addEventListener("abort", told.resolve, { once: true });
      asked.resolve();
      return never();
    },
  });
  await asked.promise;
  watched.abort();
  await reasonOf(connecting);
  await told.promise;
  await server.done();
});
