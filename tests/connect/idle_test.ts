import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { type PgHandshakeError, ProtocolError, UsageError } from "../../src/errors.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { deferred, settled } from "./deferred.ts";
import { errorResponse, type Play, trust } from "./fake_server.ts";
import { reasonOf, rejection } from "./rejection.ts";
import { answering, EMPTY, IDLE, isClosed, isUsable, open } from "./sessions.ts";

const SHUTDOWN = errorResponse("57P01", "terminating connection due to administrator command");

/** Lets the client in, then says something that nobody asked for when `go` settles. */
function unasked(go: Promise<void>, ...messages: readonly (BackendMessage | Uint8Array)[]): Play {
  return async (peer, connection) => {
    await trust(peer, connection);
    await go;
    await peer.send(...messages);
  };
}

test("what the server says while nothing is asked is delivered when it comes", async () => {
  const heard: unknown[] = [];
  const all = deferred();
  const { session, server } = await open(
    unasked(
      Promise.resolve(),
      { type: "NoticeResponse", fields: { message: "careful" } },
      { type: "ParameterStatus", name: "TimeZone", value: "UTC" },
      { type: "NotificationResponse", processId: 7, channel: "news", payload: "hello" },
    ),
    {
      onNotice: ({ message }) => heard.push(message),
      onParameter: (name, value) => name === "TimeZone" && heard.push(value),
      onNotification: (notification) => {
        heard.push(notification);
        all.resolve();
      },
    },
  );
  await all.promise;
  assert.deepEqual(heard, ["careful", "UTC", {
    processId: 7,
    channel: "news",
    payload: "hello",
  }]);
  assert.equal(session.parameters.get("TimeZone"), "UTC");
  await session.close();
  await server.done();
});

test("a server that goes away while nothing is asked is reported once, with what it said", async () => {
  const reasons: PgHandshakeError[] = [];
  const { session, server } = await open(async (peer, connection) => {
    await trust(peer, connection);
    await peer.send(SHUTDOWN);
    await peer.end();
  }, { onClose: (reason) => reasons.push(reason) });
  const reason = await session.closed;
  assert.deepEqual([reason?.code, reason?.sqlState], ["server-error", "57P01"]);
  assert.match(reason?.message ?? "", /terminating connection due to administrator command/);
  assert.deepEqual(reasons, [reason]);
  assert.equal(await reasonOf(session.query("select 1")), reason);
  await isClosed(session);
  await session.close();
  await server.done();
  assert.equal(reasons.length, 1);
});

test("a connection that breaks while nothing is asked is reported as lost", async () => {
  const { session, server } = await open(async (peer, connection) => {
    await trust(peer, connection);
    peer.break();
  });
  const reason = await session.closed;
  assert.equal(reason?.code, "connection-lost");
  await server.done();
});

test("a later query names the reason why the session ended, once it was told", async () => {
  const { session } = await open(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    await peer.send(SHUTDOWN);
    await peer.end();
  });
  const error = await rejection(session.query("select 1"));
  assert.equal(error.sqlState, "57P01");
  const later = await rejection(session.query("select 2"));
  assert.ok(later instanceof UsageError);
  assert.equal(later.code, "session-closed");
  assert.match(later.message, /it ended \(.*administrator command\)/);
  assert.equal(later.cause, error);
});

test("queries that wait behind the one that was lost are refused", async () => {
  const { session } = await open(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    await peer.end();
  });
  const [first, second] = await Promise.all([
    reasonOf(session.query("select 1")),
    reasonOf(session.query("select 2")),
  ]);
  assert.equal((first as PgHandshakeError).code, "connection-lost");
  assert.equal((second as PgHandshakeError).code, "session-closed");
});

test("an error that is not fatal and that nobody asked for is a notice, as in libpq", async () => {
  const heard = deferred();
  const { session } = await open(async (peer, connection) => {
    await trust(peer, connection);
    await peer.send(errorResponse("XX000", "by the way", "ERROR"));
    await peer.message();
    await peer.send(...EMPTY);
  }, { onNotice: ({ message }) => message === "by the way" && heard.resolve() });
  await heard.promise;
  await isUsable(session);
});

for (
  const message of [
    IDLE,
    { type: "CommandComplete", tag: "SELECT 1" },
    { type: "AuthenticationOk" },
  ] as const
) {
  test(`${message.type} while nothing is asked ends the session`, async () => {
    const { session, server } = await open(unasked(Promise.resolve(), message));
    const reason = await session.closed;
    assert.ok(reason instanceof ProtocolError, String(reason));
    assert.equal(reason.phase, "ready");
    assert.match(
      reason.message,
      new RegExp(`^Cannot take ${message.type} now: no query is running`),
    );
    await server.done();
  });
}

test("closed tells nothing when close() or detach() ended the session, and onClose is not called", async () => {
  const reasons: unknown[] = [];
  const options = { onClose: (reason: unknown) => void reasons.push(reason) };
  const first = await open(trust, options);
  await first.session.close();
  assert.equal(await first.session.closed, undefined);
  const second = await open(trust, options);
  second.session.detach().transport.close();
  assert.equal(await second.session.closed, undefined);
  await second.server.done();
  assert.deepEqual(reasons, []);
});

test("a callback that throws while nothing is asked ends the session, and its error is the cause", async () => {
  const thrown = new TypeError("mine");
  const { session, server } = await open(
    unasked(Promise.resolve(), { type: "NoticeResponse", fields: { message: "careful" } }),
    {
      onNotice: () => {
        throw thrown;
      },
    },
  );
  const reason = await session.closed;
  assert.ok(reason instanceof UsageError);
  assert.equal(reason.cause, thrown);
  assert.equal(await reasonOf(session.query("select 1")), thrown);
  await server.done();
});

test("octets behind ReadyForQuery are read even if nothing else comes", async () => {
  const heard = deferred();
  const { session } = await open(async (peer) => {
    await peer.packet();
    await peer.send(
      { type: "AuthenticationOk" },
      IDLE,
      { type: "NoticeResponse", fields: { message: "early" } },
    );
  }, { onNotice: () => heard.resolve() });
  await heard.promise;
  await session.close();
});

test("a session that is detached while it reads loses nothing", async () => {
  const go = deferred();
  const { session, server } = await open(unasked(go.promise, SHUTDOWN));
  // The session reads by now.
  await settled(50);
  const { transport, leftover } = session.detach();
  assert.equal(leftover.length, 0);
  go.resolve();
  const octets = await transport.read();
  assert.equal(octets?.[0], 0x45);
  transport.close();
  await server.done();
});

test("a message cut by detach() is in leftover and in what is read next", async () => {
  const octets = Uint8Array.of(0x4e, 0, 0, 0, 5, 0);
  const go = deferred();
  const { session, server } = await open(async (peer, connection) => {
    await trust(peer, connection);
    await peer.send(octets.subarray(0, 3));
    await go.promise;
    await peer.send(octets.subarray(3));
  });
  // The session reads by now.
  await settled(50);
  const { transport, leftover } = session.detach();
  go.resolve();
  const rest = await transport.read();
  assert.deepEqual([...leftover, ...rest ?? []], [...octets]);
  transport.close();
  await server.done();
});

test("transaction status follows queries that wait in the queue", async () => {
  const { session } = await open(answering(
    [{ type: "CommandComplete", tag: "BEGIN" }, { type: "ReadyForQuery", status: "T" }],
    [{ type: "CommandComplete", tag: "COMMIT" }, IDLE],
  ));
  const seen: string[] = [];
  await Promise.all([
    session.query("begin").then(() => seen.push(session.transactionStatus)),
    session.query("commit").then(() => seen.push(session.transactionStatus)),
  ]);
  assert.deepEqual(seen, ["T", "I"]);
  await session.close();
});
