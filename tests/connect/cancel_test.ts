import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import { ConnectionError, ProtocolError } from "../../src/errors.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { toHex } from "../support/vectors.ts";
import { deferred } from "./deferred.ts";
import { fakeTimers, watchedSignal } from "./fake_time.ts";
import { type FakeOptions, fakeServer, goodTls, type Play, TARGET, trust } from "./fake_server.ts";
import { rejection } from "./rejection.ts";

const PLAIN = { ...TARGET, sslmode: "disable" };

/** The session is connection 0; `cancel` plays the connections behind it. */
function cancelled(cancel: Play, session: Play = trust, options: FakeOptions = {}) {
  return fakeServer(
    (peer, connection) => (connection === 0 ? session : cancel)(peer, connection),
    options,
  );
}

const sslThen = (play: Play): Play => async (peer, connection) => {
  await peer.packet();
  await peer.send(Uint8Array.of(0x53));
  await play(peer, connection);
};

const takeAndClose: Play = async (peer) => {
  await peer.packet();
  await peer.end();
};

async function open(
  server: ReturnType<typeof fakeServer>,
  target: Readonly<Record<string, string>> = PLAIN,
  options: ConnectOptions = {},
) {
  return await connect(target, { adapter: server.adapter, ...options });
}

test("cancel() brings the key on a connection of its own and awaits the server's end", async () => {
  const arrived = deferred();
  const end = deferred();
  const server = cancelled(async (peer) => {
    await peer.packet();
    arrived.resolve();
    await end.promise;
    await peer.end();
  });
  const session = await open(server);
  let over = false;
  const cancelling = session.cancel().then(() => over = true);
  await arrived.promise;
  assert.equal(over, false);
  end.resolve();
  await cancelling;
  assert.equal(
    toHex(server.peers[1]?.octets[0] ?? new Uint8Array(0)),
    "00000010" + "04d2162e" + "00001267" + "cafebabe",
  );
  await session.close();
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage", "Terminate"], ["CancelRequest"]]);
  assert.deepEqual(server.dials[1], server.dials[0]);
});

test("a key of 32 octets is sent as a whole", async () => {
  const secretKey = Uint8Array.from({ length: 32 }, (_, index) => index);
  const key: BackendMessage = { type: "BackendKeyData", processId: -2, secretKey };
  const server = cancelled(takeAndClose, async (peer) => {
    await peer.packet();
    await peer.send({ type: "AuthenticationOk" }, key, { type: "ReadyForQuery", status: "I" });
  });
  const session = await open(server, { ...PLAIN, min_protocol_version: "3.2" });
  assert.equal(session.protocolVersion, "3.2");
  assert.equal(session.processId, -2);
  await session.cancel();
  const [octets = new Uint8Array(0)] = server.peers[1]?.octets ?? [];
  assert.equal(toHex(octets), `0000002c04d2162efffffffe${toHex(secretKey)}`);
  await session.close();
  await server.done();
});

test("cancel() is encrypted as the session is, by SSLRequest", async () => {
  const server = cancelled(sslThen(takeAndClose), sslThen(trust));
  const session = await open(server, { ...TARGET, sslmode: "require" });
  await session.cancel();
  await session.close();
  await server.done();
  assert.deepEqual(server.sent()[1], ["SSLRequest", "CancelRequest"]);
  assert.deepEqual(server.tlsRequests[1], server.tlsRequests[0]);
});

test("cancel() is encrypted as the session is, by direct TLS", async () => {
  const server = cancelled(takeAndClose);
  const session = await open(server, { ...TARGET, sslmode: "require", sslnegotiation: "direct" });
  await session.cancel();
  await session.close();
  await server.done();
  assert.deepEqual(server.sent()[1], ["CancelRequest"]);
  assert.equal(server.tlsRequests.length, 2);
});

test("a session that went on in plaintext after N is cancelled in plaintext", async () => {
  const server = cancelled(takeAndClose, async (peer) => {
    await peer.packet();
    await peer.send(Uint8Array.of(0x4e));
    await trust(peer, 0);
  });
  const session = await open(server, { ...TARGET, sslmode: "prefer" });
  await session.cancel();
  await session.close();
  await server.done();
  assert.deepEqual(server.sent()[1], ["CancelRequest"]);
});

test("the key of an encrypted session never goes in plaintext", async () => {
  const server = cancelled(async (peer) => {
    await peer.packet();
    await peer.send(Uint8Array.of(0x4e));
  }, sslThen(trust));
  const session = await open(server, { ...TARGET, sslmode: "prefer" });
  const error = await rejection(session.cancel());
  assert.equal(error.code, "tls-refused");
  await session.close();
  await server.done();
  assert.deepEqual(server.sent()[1], ["SSLRequest"]);
});

test("a server that is not the one of the session does not get the key", async () => {
  const server = cancelled(sslThen(takeAndClose), sslThen(trust), {
    tls: (request, connection) => {
      if (connection === 0) return goodTls(request);
      throw new ConnectionError("certificate-untrusted", "another server", { phase: "tls" });
    },
  });
  const session = await open(server, { ...TARGET, sslmode: "require" });
  assert.equal((await rejection(session.cancel())).code, "certificate-untrusted");
  await session.close();
  await server.done();
  assert.deepEqual(server.sent()[1], ["SSLRequest"]);
});

test("cancel() goes to the address of the session, not to the name again", async () => {
  const server = cancelled(takeAndClose, trust, {
    resolve: () => Promise.resolve(["192.0.2.8", "192.0.2.9"]),
    onDial: (_address, dial) => {
      if (dial === 0) throw new ConnectionError("dial-failed", "Connection refused");
    },
  });
  const session = await open(server, { ...PLAIN, host: "db.test" });
  await session.cancel();
  assert.deepEqual(server.dials.at(-1), { kind: "tcp", host: "192.0.2.9", port: 5432 });
  await session.close();
  await server.done();
});

test("cancel() over a Unix socket goes to the same socket", async () => {
  const server = cancelled(takeAndClose);
  const session = await open(server, { user: "app", host: "/run/pg" });
  await session.cancel();
  assert.deepEqual(server.dials.at(-1), { kind: "unix", path: "/run/pg/.s.PGSQL.5432" });
  await session.close();
  await server.done();
});

test("octets instead of the end are an error", async () => {
  const server = cancelled(async (peer) => {
    await peer.packet();
    await peer.send(Uint8Array.of(0x45));
  });
  const session = await open(server);
  const error = await rejection(session.cancel());
  assert.ok(error instanceof ProtocolError);
  assert.equal(error.phase, "cancel");
  await session.close();
  await server.done();
});

test("a cancel that cannot be dialed says so, and the session is not touched", async () => {
  const server = cancelled(takeAndClose, trust, {
    onDial: (_address, dial) => {
      if (dial === 1) throw new ConnectionError("dial-failed", "Connection refused");
    },
  });
  const session = await open(server);
  assert.equal((await rejection(session.cancel())).code, "dial-failed");
  assert.equal(session.transactionStatus, "I");
  await session.close();
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage", "Terminate"]]);
});

for (
  const { name, connect_timeout, delayMs } of [
    { name: "connect_timeout", connect_timeout: "7", delayMs: 7000 },
    { name: "ten seconds of our own", connect_timeout: "0", delayMs: 10_000 },
  ]
) {
  test(`a cancel that is not answered ends after ${name}`, async () => {
    const arrived = deferred();
    const server = cancelled(async (peer) => {
      await peer.packet();
      arrived.resolve();
    });
    const session = await open(server, { ...PLAIN, connect_timeout });
    const timers = fakeTimers();
    try {
      const cancelling = session.cancel();
      await arrived.promise;
      assert.deepEqual(timers.delays, [delayMs]);
      timers.fire();
      const error = await rejection(cancelling);
      assert.deepEqual([error.code, error.phase], ["timeout", "cancel"]);
    } finally {
      timers.restore();
    }
    await session.close();
    await server.done();
  });
}

test("a signal gives up a cancel and leaves nothing behind", async () => {
  const arrived = deferred();
  const server = cancelled(async (peer) => {
    await peer.packet();
    arrived.resolve();
  });
  const session = await open(server);
  const watched = watchedSignal();
  const timers = fakeTimers();
  try {
    const cancelling = session.cancel({ signal: watched.signal });
    await arrived.promise;
    watched.abort();
    const error = await rejection(cancelling);
    assert.deepEqual([error.code, error.phase], ["aborted", "cancel"]);
    assert.equal(watched.listeners, 0);
    assert.equal(timers.pending, 0);
  } finally {
    timers.restore();
  }
  await session.close();
  await server.done();
});

test("a cancel leaves no timer and no listener behind when it succeeds", async () => {
  const server = cancelled(takeAndClose);
  const session = await open(server);
  const watched = watchedSignal();
  const timers = fakeTimers();
  try {
    await session.cancel({ signal: watched.signal });
    assert.equal(watched.listeners, 0);
    assert.equal(timers.pending, 0);
  } finally {
    timers.restore();
  }
  await session.close();
  await server.done();
});
