import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { UsageError } from "../../src/errors.ts";
import { ServerError } from "../../src/handshake/server_error.ts";
import { deferred } from "./deferred.ts";
import { errorResponse, fakeServer, trust } from "./fake_server.ts";
import { rejection } from "./rejection.ts";
import { answering, column, EMPTY, IDLE, isUsable, open, PLAIN, rows } from "./sessions.ts";

test("a query gives one result a statement, values as text, NULL as null", async () => {
  const { session } = await open(answering([
    ...rows(["one", "nothing"], ["1", null], ["", "NULL"]),
    { type: "CommandComplete", tag: "SET" },
    ...rows([], []),
    ...rows(["none"]),
    IDLE,
  ]));
  const results = await session.query("select …; set …; select; select …");
  assert.deepEqual(results.map(({ command, rows }) => [command, rows]), [
    ["SELECT 2", [["1", null], ["", "NULL"]]],
    ["SET", []],
    ["SELECT 1", [[]]],
    ["SELECT 0", []],
  ]);
  assert.deepEqual(results[0]?.columns, [column("one"), column("nothing")]);
  assert.deepEqual(results[1]?.columns, []);
  assert.deepEqual(results[3]?.columns.map(({ name }) => name), ["none"]);
  await session.close();
});

test("an empty query gives one empty result", async () => {
  const { session } = await open(answering(EMPTY));
  await isUsable(session);
});

test("an error in the middle is the query's error, and the session stays usable", async () => {
  const { session, server } = await open(answering(
    [...rows(["one"], ["1"]), errorResponse("22012", "division by zero", "ERROR"), IDLE],
    EMPTY,
  ));
  const error = await rejection(session.query("select 1; select 1/0; select 2"));
  assert.ok(error instanceof ServerError);
  assert.deepEqual([error.code, error.sqlState, error.phase, error.severity, error.message], [
    "server-error",
    "22012",
    "ready",
    "ERROR",
    "division by zero",
  ]);
  assert.equal(error.attempts, undefined);
  await isUsable(session);
  await server.done();
});

test("an error between the rows of a statement leaves nothing for the next", async () => {
  const [description, row] = rows(["one"], ["1"]);
  assert.ok(description && row);
  const { session } = await open(answering(
    [description, row, errorResponse("22012", "division by zero", "ERROR"), IDLE],
    [{ type: "CommandComplete", tag: "SET" }, IDLE],
  ));
  await rejection(session.query("select 1/x from t"));
  assert.deepEqual(await session.query("set …"), [{ columns: [], rows: [], command: "SET" }]);
  await session.close();
});

test("of two errors the first is told", async () => {
  const { session } = await open(answering([
    errorResponse("42601", "syntax error", "ERROR"),
    errorResponse("25P02", "aborted", "ERROR"),
    IDLE,
  ]));
  assert.equal((await rejection(session.query("selec"))).sqlState, "42601");
  await session.close();
});

test("what the server says on its own reaches its callback and disturbs nothing", async () => {
  const seen: unknown[] = [];
  const { session } = await open(
    answering([
      { type: "NoticeResponse", fields: { severity: "NOTICE", message: "table is not there" } },
      { type: "RowDescription", columns: [column("one")] },
      { type: "NotificationResponse", processId: 7, channel: "news", payload: "hello" },
      { type: "DataRow", values: ["1"] },
      { type: "ParameterStatus", name: "TimeZone", value: "UTC" },
      { type: "CommandComplete", tag: "SELECT 1" },
      { type: "NotificationResponse", processId: 8, channel: "news", payload: "" },
      IDLE,
    ]),
    {
      onNotice: (notice) => seen.push(notice),
      onNotification: (notification) => seen.push(notification),
      onParameter: (name, value) => seen.push(`${name}=${value}`),
    },
  );
  const [result] = await session.query("select 1");
  assert.deepEqual(result?.rows, [["1"]]);
  assert.deepEqual(seen, [
    "server_version=18.6",
    { severity: "NOTICE", message: "table is not there" },
    { processId: 7, channel: "news", payload: "hello" },
    "TimeZone=UTC",
    { processId: 8, channel: "news", payload: "" },
  ]);
  await session.close();
});

test("queries queue in the order of their calls, whatever becomes of them", async () => {
  const texts: string[] = [];
  const server = fakeServer(async (peer, connection) => {
    await trust(peer, connection);
    for (let count = 0; count < 4; count++) {
      const message = await peer.message();
      texts.push(message.type === "Query" ? message.text : message.type);
      await peer.send(
        count === 1
          ? errorResponse("42601", "syntax error", "ERROR")
          : { type: "CommandComplete", tag: `T${count}` },
        IDLE,
      );
    }
  });
  const session = await connect(PLAIN, { adapter: server.adapter });
  const outcomes = await Promise.allSettled(["a", "b", "c", "d"].map((one) => session.query(one)));
  assert.deepEqual(texts, ["a", "b", "c", "d"]);
  assert.deepEqual(
    outcomes.map((one) => one.status === "fulfilled" ? one.value[0]?.command : one.status),
    ["T0", "rejected", "T2", "T3"],
  );
  await session.close();
});

test("the next query is not sent before the last one is over", async () => {
  const go = deferred();
  const server = fakeServer(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    await peer.send({ type: "CommandComplete", tag: "ONE" });
    await go.promise;
    assert.deepEqual(peer.sent, ["StartupMessage", "Query"]);
    await peer.send(IDLE);
    await peer.message();
    await peer.send({ type: "CommandComplete", tag: "TWO" }, IDLE);
  });
  const session = await connect(PLAIN, { adapter: server.adapter });
  const both = Promise.all([session.query("one"), session.query("two")]);
  go.resolve();
  assert.deepEqual((await both).map(([result]) => result?.command), ["ONE", "TWO"]);
  await session.close();
  await server.done();
});

test("a text with a zero octet is refused before anything is sent", async () => {
  const { session, server } = await open(answering(EMPTY));
  const error = await rejection(session.query("select '\0'"));
  assert.ok(error instanceof UsageError);
  await isUsable(session);
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage", "Query", "Terminate"]]);
});
