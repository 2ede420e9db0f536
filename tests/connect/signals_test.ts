import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { settledFor } from "../../src/connect/circumstances.ts";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import { ConnectionError } from "../../src/errors.ts";
import { deferred, never } from "./deferred.ts";
import { fakeTimers, watchedSignal } from "./fake_time.ts";
import { fakeServer, GREETING, LOCAL, trust } from "./fake_server.ts";
import { reasonOf, rejection } from "./rejection.ts";
import { rows } from "./sessions.ts";

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

const FIRES: Readonly<Record<string, (abort: () => void) => ConnectOptions>> = {
  "onParameter": (abort) => ({ onParameter: abort }),
  "onNotice": (abort) => ({ onNotice: abort }),
  "the last message's event": (abort) => ({
    onEvent: (event) => event.type === "message" && event.name === "ReadyForQuery" && abort(),
  }),
  "the event that says that it is ready": (abort) => ({
    onEvent: (event) => event.type === "ready" && abort(),
  }),
};

for (const [who, options] of Object.entries(FIRES)) {
  test(`a signal that is aborted by ${who}, over the last octets of start-up, leaves no session`, async () => {
    const server = fakeServer(async (peer) => {
      await peer.packet();
      const notice = { severity: "NOTICE", sqlState: "00000", message: "hello" };
      await peer.send(
        ...GREETING.slice(0, -1),
        { type: "NoticeResponse", fields: notice },
        { type: "ReadyForQuery", status: "I" },
      );
    });
    const watched = watchedSignal();
    const error = await rejection(connect({ ...LOCAL, sslmode: "disable" }, {
      adapter: server.adapter,
      signal: watched.signal,
      ...options(() => watched.abort()),
    }));
    assert.deepEqual([error.code, error.phase], ["aborted", "ready"]);
    assert.equal(watched.listeners, 0);
    await server.done();
  });
}

test("a signal that is aborted while the last answer of a session's check is told leaves no session", async () => {
  const server = fakeServer(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    await peer.send(
      ...rows(["transaction_read_only"], ["off"]),
      { type: "ParameterStatus", name: "TimeZone", value: "UTC" },
      { type: "ReadyForQuery", status: "I" },
    );
  });
  const watched = watchedSignal();
  const target = { ...LOCAL, sslmode: "disable", target_session_attrs: "read-write" };
  const error = await rejection(connect(target, {
    adapter: server.adapter,
    signal: watched.signal,
    onParameter: (name) => name === "TimeZone" && watched.abort(),
  }));
  assert.deepEqual([error.code, error.phase], ["aborted", "ready"]);
  await server.done();
});

test("a signal bounds the reading of files as well", async () => {
  const watched = watchedSignal();
  const reason = rejection(settledFor({ signal: watched.signal }, never));
  watched.abort();
  const error = await reason;
  assert.deepEqual([error.code, error.phase], ["aborted", "settings"]);
  assert.equal(watched.listeners, 0);
});

test("a signal that fires whenever a socket opens gives a session or the signal's error", async () => {
  for (let turns = 0; turns < 40; turns++) {
    const watched = watchedSignal();
    const later = async (): Promise<void> => {
      for (let turn = 0; turn < turns; turn++) await undefined;
      watched.abort();
    };
    const server = fakeServer(trust, {
      wrap: (transport) => {
        void later();
        return transport;
      },
    });
    const options = { adapter: server.adapter, signal: watched.signal };
    const outcome = await connect({ ...LOCAL, sslmode: "disable" }, options).catch((error) =>
      error
    );
    if (outcome instanceof ConnectionError) assert.equal(outcome.code, "aborted");
    else await outcome.close();
    // A play whose client has left already fails, which is none of this test's business.
    await Promise.allSettled([server.done()]);
  }
});
