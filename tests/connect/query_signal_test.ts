import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ConnectionError } from "../../src/errors.ts";
import { deferred, settled } from "./deferred.ts";
import { watchedSignal } from "./fake_time.ts";
import { errorResponse, fakeServer, GREETING, type Play, trust } from "./fake_server.ts";
import { reasonOf, rejection } from "./rejection.ts";
import { EMPTY, IDLE, isClosed, isUsable, open, PLAIN } from "./sessions.ts";

const CANCELED = errorResponse("57014", "canceling statement due to user request", "ERROR");

/** Connection 0 takes a query and answers it when it is cancelled by connection 1. */
function cancellable(options: {
  readonly asked?: () => void;
  readonly answer?: "finished";
  readonly onCancel?: Play;
}): Play {
  const cancelled = deferred();
  return async (peer, connection) => {
    if (connection > 0) {
      await peer.packet();
      cancelled.resolve();
      await options.onCancel?.(peer, connection);
      return await peer.end();
    }
    await trust(peer, connection);
    await peer.message();
    options.asked?.();
    await cancelled.promise;
    if (options.answer === "finished") await peer.send(...EMPTY);
    else await peer.send(CANCELED, IDLE);
    await peer.message();
    await peer.send(...EMPTY);
  };
}

test("a signal cancels the query that runs, and the session stays usable", async () => {
  const asked = deferred();
  const { session, server } = await open(cancellable({ asked: asked.resolve }));
  const watched = watchedSignal();
  const running = reasonOf(session.query("select pg_sleep(60)", { signal: watched.signal }));
  await asked.promise;
  watched.abort();
  const error = await running;
  assert.ok(error instanceof ConnectionError);
  assert.deepEqual([error.code, error.phase], ["aborted", "ready"]);
  assert.match(error.message, /cancelled, as the signal was aborted: .*user request/);
  assert.equal(watched.listeners, 0);
  await isUsable(session);
  await server.done();
  assert.deepEqual(server.sent()[1], ["CancelRequest"]);
});

test("the deadline of a signal is a timeout", async () => {
  const { session, server } = await open(cancellable({}));
  // Node does not wait for such a signal, and here is no socket that it would wait for.
  const awake = setTimeout(() => {}, 60_000);
  const error = await rejection(
    session.query("select pg_sleep(60)", { signal: AbortSignal.timeout(5) }),
  );
  clearTimeout(awake);
  assert.deepEqual([error.code, error.phase], ["timeout", "ready"]);
  assert.equal((error.cause as Error).name, "TimeoutError");
  await isUsable(session);
  await server.done();
});

test("a query that was faster than its cancel gives its results", async () => {
  const asked = deferred();
  const { session, server } = await open(
    cancellable({ asked: asked.resolve, answer: "finished" }),
  );
  const controller = new AbortController();
  const running = session.query("", { signal: controller.signal });
  await asked.promise;
  controller.abort();
  assert.equal((await running).length, 1);
  await isUsable(session);
  await server.done();
});

test("the next query is not sent before the cancel is over", async () => {
  const asked = deferred();
  const over = deferred();
  const { session, server } = await open(cancellable({
    asked: asked.resolve,
    answer: "finished",
    onCancel: () => over.promise,
  }));
  const controller = new AbortController();
  const running = session.query("", { signal: controller.signal });
  const next = session.query("");
  await asked.promise;
  controller.abort();
  await settled(50);
  assert.deepEqual(server.sent()[0], ["StartupMessage", "Query"]);
  over.resolve();
  await running;
  assert.equal((await next).length, 1);
  await session.close();
  await server.done();
});

test("a signal takes a waiting query out of the queue at once, and nothing is cancelled", async () => {
  const asked = deferred();
  const go = deferred();
  const { session, server } = await open(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    asked.resolve();
    await go.promise;
    await peer.send(...EMPTY);
    await peer.message();
    await peer.send(...EMPTY);
  });
  const controller = new AbortController();
  const first = session.query("");
  const waiting = reasonOf(session.query("drop table t", { signal: controller.signal }));
  const third = session.query("");
  await asked.promise;
  controller.abort();
  assert.equal((await waiting as ConnectionError).code, "aborted");
  go.resolve();
  await first;
  assert.equal((await third).length, 1);
  await session.close();
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage", "Query", "Query", "Terminate"]]);
});

test("a signal that has fired before sends nothing", async () => {
  const { session, server } = await open(trust);
  const error = await rejection(session.query("select 1", { signal: AbortSignal.abort() }));
  assert.equal(error.code, "aborted");
  await session.close();
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage", "Terminate"]]);
});

test("a query that cannot be cancelled ends the session, and says why", async () => {
  const asked = deferred();
  const server = fakeServer(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    asked.resolve();
  }, {
    onDial: (_address, dial) => {
      if (dial === 1) throw new ConnectionError("dial-failed", "Connection refused");
    },
  });
  const session = await connect(PLAIN, { adapter: server.adapter });
  const controller = new AbortController();
  const running = rejection(session.query("select 1", { signal: controller.signal }));
  await asked.promise;
  controller.abort();
  const error = await running;
  assert.deepEqual([error.code, error.phase], ["connection-lost", "ready"]);
  assert.match(error.message, /could not be: Connection refused/);
  assert.equal(await session.closed, error);
  await isClosed(session);
  await server.done();
});

test("a query of a server without BackendKeyData cannot be cancelled either", async () => {
  const asked = deferred();
  const server = fakeServer(async (peer) => {
    await peer.packet();
    await peer.send(...GREETING.filter(({ type }) => type !== "BackendKeyData"));
    await peer.message();
    asked.resolve();
  });
  const session = await connect(PLAIN, { adapter: server.adapter });
  const controller = new AbortController();
  const running = rejection(session.query("select 1", { signal: controller.signal }));
  await asked.promise;
  controller.abort();
  assert.equal((await running).code, "connection-lost");
  await isClosed(session);
  await server.done();
});
