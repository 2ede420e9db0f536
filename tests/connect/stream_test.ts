import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../src/errors.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import { watchHeld } from "../hostile/held.ts";
import { join } from "../support/vectors.ts";
import { deferred, settled } from "./deferred.ts";
import { errorResponse, fakeServer, GREETING, type Play, trust } from "./fake_server.ts";
import { connect } from "../../src/connect/connect.ts";
import { reasonOf, rejection } from "./rejection.ts";
import { answering, column, EMPTY, IDLE, isUsable, open, PLAIN, rows } from "./sessions.ts";

const CANCELED = errorResponse("57014", "canceling statement due to user request", "ERROR");

test("stream() gives the rows of all statements with their columns, then the tags", async () => {
  const { session } = await open(answering([
    ...rows(["one", "two"], ["1", null], ["3", "4"]),
    { type: "CommandComplete", tag: "SET" },
    ...rows(["three"], ["5"]),
    IDLE,
  ], EMPTY));
  const stream = session.stream("select");
  const seen: unknown[] = [];
  for await (const { columns, values } of stream) {
    seen.push([columns.map(({ name }) => name), values]);
  }
  assert.deepEqual(seen, [
    [["one", "two"], ["1", null]],
    [["one", "two"], ["3", "4"]],
    [["three"], ["5"]],
  ]);
  assert.deepEqual(stream.commands, ["SELECT 2", "SET", "SELECT 1"]);
  await isUsable(session);
});

test("stream() sends nothing before the first row is asked for", async () => {
  const { session, server } = await open(trust);
  const stream = session.stream("select 1");
  await settled(20);
  await stream.return();
  assert.deepEqual(await stream.next(), { value: undefined, done: true });
  await session.close();
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage", "Terminate"]]);
});

test("an error comes behind the rows before it, and the session stays usable", async () => {
  const { session } = await open(answering([
    ...rows(["one"], ["1"]).slice(0, 2),
    errorResponse("22012", "division by zero", "ERROR"),
    IDLE,
  ], EMPTY));
  const stream = session.stream("select 1/0");
  assert.deepEqual((await stream.next()).value.values, ["1"]);
  assert.equal((await rejection(stream.next())).sqlState, "22012");
  assert.deepEqual(await stream.next(), { value: undefined, done: true });
  await isUsable(session);
});

test("COPY in stream() is refused", async () => {
  const { session } = await open(answering([
    { type: "CopyOutResponse", format: 0, columnFormats: [0] },
    { type: "CopyDone" },
    { type: "CommandComplete", tag: "COPY 0" },
    IDLE,
  ]));
  assert.ok(await rejection(session.stream("copy t to stdout").next()) instanceof UsageError);
  await session.close();
});

test("queries wait until a stream is over", async () => {
  const { session, server } = await open(answering([...rows(["one"], ["1"]), IDLE], EMPTY));
  const stream = session.stream("select 1");
  const [row, results] = await Promise.all([stream.next(), session.query("")]);
  assert.deepEqual(row.value.values, ["1"]);
  assert.equal(results.length, 1);
  await session.close();
  await server.done();
});

const ROW = encodeBackend({ type: "DataRow", values: ["x".repeat(1000)] });
const PIECE = join(...Array.from({ length: 60 }, () => ROW));

/** Connection 0 is asked for endless rows, connection 1 brings the cancel. */
function endless(sent: { rows: number }, cancelled: Promise<void>, onCancel: () => void): Play {
  let stop = false;
  void cancelled.then(() => stop = true);
  return async (peer, connection) => {
    if (connection > 0) {
      await peer.packet();
      onCancel();
      return await peer.end();
    }
    await trust(peer, connection);
    await peer.message();
    await peer.send({ type: "RowDescription", columns: [column("one")] });
    while (!stop) {
      await peer.send(PIECE);
      sent.rows += 60;
    }
    await peer.send(CANCELED, IDLE);
    await peer.message();
    await peer.send(...EMPTY);
  };
}

test("a slow reader holds a bounded part of an endless result", async () => {
  const sent = { rows: 0 };
  const cancel = deferred();
  const { session, server } = await open(endless(sent, cancel.promise, cancel.resolve));
  const watch = watchHeld();
  try {
    const stream = session.stream("select endless");
    await stream.next();
    await settled(100);
    // 256 KiB of rows, what the socket's two buffers and the deframer take.
    assert.ok(sent.rows < 1_000, `${sent.rows} rows were taken`);
    for (let row = 0; row < 5_000; row++) await stream.next();
    assert.ok(sent.rows >= 5_000);
    assert.ok(watch.most < 1_000_000, `${watch.most} octets were held`);
    await stream.return();
  } finally {
    watch.stop();
  }
  await isUsable(session);
  await server.done();
  assert.deepEqual(server.sent()[1], ["CancelRequest"]);
});

test("break cancels the query and leaves the session usable", async () => {
  const sent = { rows: 0 };
  const cancel = deferred();
  const { session, server } = await open(endless(sent, cancel.promise, cancel.resolve));
  let seen = 0;
  for await (const { values } of session.stream("select endless")) {
    assert.equal(values[0]?.length, 1000);
    if (++seen === 100) break;
  }
  await isUsable(session);
  await server.done();
});

test("ending early without a cancel key reads the rest", async () => {
  const server = fakeServer(async (peer) => {
    await peer.packet();
    await peer.send(...GREETING.filter(({ type }) => type !== "BackendKeyData"));
    await peer.message();
    await peer.send(...rows(["one"], ["1"], ["2"], ["3"]), IDLE);
    await peer.message();
    await peer.send(...EMPTY);
  });
  const session = await connect(PLAIN, { adapter: server.adapter });
  for await (const _ of session.stream("select 1")) break;
  await isUsable(session);
  await server.done();
});

test("a signal ends a stream behind the rows that came", async () => {
  const sent = { rows: 0 };
  const cancel = deferred();
  const { session, server } = await open(endless(sent, cancel.promise, cancel.resolve));
  const controller = new AbortController();
  const stream = session.stream("select endless", { signal: controller.signal });
  await stream.next();
  controller.abort(new Error("enough"));
  const error = await reasonOf((async () => {
    for await (const _ of stream);
  })());
  assert.equal((error as { code?: string }).code, "aborted");
  assert.deepEqual((error as Error).cause, new Error("enough"));
  await isUsable(session);
  await server.done();
});

test("a session that is lost ends the stream with the reason", async () => {
  const { session } = await open(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    await peer.send(...rows(["one"], ["1"]).slice(0, 2));
    peer.break();
  });
  const stream = session.stream("select 1");
  assert.deepEqual((await stream.next()).value.values, ["1"]);
  assert.equal((await rejection(stream.next())).code, "connection-lost");
});

test("leaving a stream whose signal ran out of time is no error, as the session survived it", async () => {
  const asked = deferred();
  const { session } = await open(async (peer, connection) => {
    if (connection > 0) {
      await peer.packet();
      asked.resolve();
      return await peer.end();
    }
    await trust(peer, connection);
    await peer.message();
    await peer.send(...rows(["one"], ["1"]).slice(0, 2));
    await asked.promise;
    await peer.send(CANCELED, IDLE);
    await peer.message();
    await peer.send(...EMPTY);
  });
  const controller = new AbortController();
  const stream = session.stream("select 1", { signal: controller.signal });
  assert.deepEqual((await stream.next()).value.values, ["1"]);
  controller.abort(new DOMException("over", "TimeoutError"));
  await stream.return();
  await isUsable(session);
});
