import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ConnectionError } from "../../src/errors.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { deferred } from "./deferred.ts";
import {
  errorResponse,
  type FakeServer,
  fakeServer,
  GREETING,
  type Play,
  TARGET,
  trust,
} from "./fake_server.ts";
import { watchedSignal } from "./fake_time.ts";
import { reasonOf, rejection } from "./rejection.ts";
import { rows } from "./sessions.ts";

const WANTS_PRIMARY = { ...TARGET, sslmode: "disable", target_session_attrs: "primary" };
const WANTS_WRITING = { ...WANTS_PRIMARY, target_session_attrs: "read-write" };
const IDLE: BackendMessage = { type: "ReadyForQuery", status: "I" };

/** What a server says that reports its state, as PostgreSQL 14 and later do. */
function reporting(inStandby: "on" | "off", readOnly: "on" | "off" = "off"): Play {
  return async (peer) => {
    await peer.packet();
    await peer.send(
      ...GREETING.slice(0, -1),
      { type: "ParameterStatus", name: "in_hot_standby", value: inStandby },
      { type: "ParameterStatus", name: "default_transaction_read_only", value: readOnly },
      IDLE,
    );
  };
}

/** A server that reports nothing about its state, and answers the question with these messages. */
function asked(...answer: readonly (BackendMessage | Uint8Array)[]): Play {
  return async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    await peer.send(...answer);
  };
}

const onEach = (...plays: readonly Play[]): Play => (peer, connection) =>
  (plays[connection] ?? trust)(peer, connection);

const MISMATCHES = [
  {
    wants: "primary",
    play: reporting("on"),
    message:
      'Cannot use this server: server is in hot standby mode, target_session_attrs wants "primary"',
  },
  {
    wants: "standby",
    play: reporting("off"),
    message:
      'Cannot use this server: server is not in hot standby mode, target_session_attrs wants "standby"',
  },
  {
    wants: "read-write",
    play: reporting("off", "on"),
    message:
      'Cannot use this server: session is read-only, target_session_attrs wants "read-write"',
  },
  {
    wants: "read-only",
    play: reporting("off"),
    message:
      'Cannot use this server: session is not read-only, target_session_attrs wants "read-only"',
  },
] as const;

for (const { wants, play, message } of MISMATCHES) {
  test(`a server that is not ${wants} is told Terminate, and the error says what it is`, async () => {
    const server = fakeServer(play);
    const target = { ...WANTS_PRIMARY, target_session_attrs: wants };
    const error = await rejection(connect(target, { adapter: server.adapter }));
    assert.ok(error instanceof ConnectionError);
    assert.deepEqual([error.code, error.phase, error.sqlState], [
      "session-attrs",
      "ready",
      "08004",
    ]);
    assert.equal(error.message, message);
    await server.done();
    assert.deepEqual(server.sent(), [["StartupMessage", "Terminate"]]);
  });
}

test("a question that fails leads to the next host, and the error names the question", async () => {
  const server = fakeServer(onEach(
    asked(errorResponse("42501", "permission denied", "ERROR"), IDLE),
    reporting("off"),
  ));
  const target = { ...WANTS_PRIMARY, host: "192.0.2.1,192.0.2.2" };
  const session = await connect(target, { adapter: server.adapter });
  assert.match(
    session.report.attempts[0]?.error?.message ?? "",
    /"SELECT pg_is_in_recovery\(\)" failed, target_session_attrs wants "primary"/,
  );
  await session.close();
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage", "Query", "Terminate"], [
    "StartupMessage",
    "Terminate",
  ]]);
});

test("the question and its answer are events like all messages, as is the Terminate of a mismatch", async () => {
  const server = fakeServer(asked(...rows(["transaction_read_only"], ["on"]), IDLE));
  const names: string[] = [];
  await rejection(connect(WANTS_WRITING, {
    adapter: server.adapter,
    onEvent: (event) => {
      if (event.type === "message") names.push(`${event.direction} ${event.name}`);
    },
  }));
  assert.deepEqual(names.slice(names.indexOf("sent Query")), [
    "sent Query",
    "received RowDescription",
    "received DataRow",
    "received CommandComplete",
    "received ReadyForQuery",
    "sent Terminate",
  ]);
});

async function takeQuery(server: FakeServer, target: typeof WANTS_WRITING): Promise<void> {
  const session = await connect(target, { adapter: server.adapter });
  assert.deepEqual((await session.query(""))[0]?.command, "");
  await session.close();
  await server.done();
}

test("the session that was asked is in step: the next answer is that of the next query", async () => {
  const server = fakeServer(async (peer, connection) => {
    await asked(...rows(["transaction_read_only"], ["off"]), IDLE)(peer, connection);
    await peer.message();
    await peer.send({ type: "EmptyQueryResponse" }, IDLE);
  });
  await takeQuery(server, WANTS_WRITING);
});

test("octets behind the answer to the question belong to the session", async () => {
  const notification: BackendMessage = {
    type: "NotificationResponse",
    processId: 7,
    channel: "news",
    payload: "late",
  };
  const server = fakeServer(async (peer, connection) => {
    const answer = rows(["transaction_read_only"], ["off"]);
    await asked(...answer, IDLE, notification)(peer, connection);
    await peer.message();
    await peer.send({ type: "EmptyQueryResponse" }, IDLE);
  });
  const payloads: string[] = [];
  const session = await connect(WANTS_WRITING, {
    adapter: server.adapter,
    onNotification: ({ payload }) => payloads.push(payload),
  });
  await session.query("");
  assert.deepEqual(payloads, ["late"]);
  await session.close();
});

test("what comes at any time is not lost when it comes during the question", async () => {
  const notice = { severity: "NOTICE", sqlState: "00000", message: "by the way" };
  const server = fakeServer(asked(
    { type: "ParameterStatus", name: "TimeZone", value: "UTC" },
    { type: "NoticeResponse", fields: notice },
    { type: "NotificationResponse", processId: 7, channel: "news", payload: "early" },
    ...rows(["transaction_read_only"], ["off"]),
    { type: "ParameterStatus", name: "server_version", value: "18.7" },
    IDLE,
  ));
  const told: string[] = [];
  const session = await connect(WANTS_WRITING, {
    adapter: server.adapter,
    onNotice: ({ message }) => told.push(message ?? ""),
    onNotification: ({ payload }) => told.push(payload),
    onParameter: (name, value) => told.push(`${name}=${value}`),
  });
  assert.equal(session.parameters.get("TimeZone"), "UTC");
  assert.equal(session.serverVersion.text, "18.7");
  assert.deepEqual(told, [
    "server_version=18.6",
    "TimeZone=UTC",
    "by the way",
    "early",
    "server_version=18.7",
  ]);
  await session.close();
  await server.done();
});

test("the transaction status is that after the question", async () => {
  const server = fakeServer(asked(
    ...rows(["transaction_read_only"], ["off"]),
    { type: "ReadyForQuery", status: "T" },
  ));
  const session = await connect(WANTS_WRITING, { adapter: server.adapter });
  assert.equal(session.transactionStatus, "T");
  await session.close();
});

test("a server that shuts down in place of an answer is passed over, as in libpq", async () => {
  const server = fakeServer(onEach(
    async (peer, connection) => {
      await asked(errorResponse("57P01", "terminating connection"))(peer, connection);
      await peer.end();
    },
    asked(...rows(["transaction_read_only"], ["off"]), IDLE),
  ));
  const target = { ...WANTS_WRITING, host: "192.0.2.1,192.0.2.2" };
  const session = await connect(target, { adapter: server.adapter });
  assert.equal(server.dials.length, 2);
  const [passedOver] = session.report.attempts;
  assert.equal(passedOver?.error?.code, "session-attrs");
  assert.match(passedOver?.error?.message ?? "", /terminating connection/);
  await session.close();
  await server.done();
});

test("a server that is gone in place of an answer ends everything, as in libpq", async () => {
  const server = fakeServer(async (peer, connection) => {
    await asked()(peer, connection);
    await peer.end();
  });
  const target = { ...WANTS_WRITING, host: "192.0.2.1,192.0.2.2" };
  const error = await rejection(connect(target, { adapter: server.adapter }));
  assert.equal(server.dials.length, 1);
  assert.equal(error.code, "connection-lost");
  await server.done();
});

test("an answer that is none ends everything, as nobody knows what comes next", async () => {
  const server = fakeServer(asked({ type: "DataRow", values: ["off"] }, IDLE));
  const target = { ...WANTS_WRITING, host: "192.0.2.1,192.0.2.2" };
  const error = await rejection(connect(target, { adapter: server.adapter }));
  assert.deepEqual([error.code, error.phase], ["protocol-violation", "ready"]);
  await server.done();
  assert.equal(server.dials.length, 1);
});

test("a signal that is aborted while the question is unanswered closes the socket and ends it", async () => {
  const reached = deferred();
  const server = fakeServer(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    reached.resolve();
  });
  const watched = watchedSignal();
  const target = { ...WANTS_WRITING, host: "192.0.2.1,192.0.2.2" };
  const reason = reasonOf(
    connect(target, { adapter: server.adapter, signal: watched.signal }),
  );
  await reached.promise;
  watched.abort();
  const error = await reason;
  assert.ok(error instanceof ConnectionError);
  assert.deepEqual([error.code, error.phase], ["aborted", "ready"]);
  await server.done();
  assert.equal(server.dials.length, 1);
  assert.equal(watched.listeners, 0);
});

test("prefer-standby takes a primary only after every host was asked for a standby", async () => {
  const server = fakeServer(onEach(reporting("off"), reporting("off"), reporting("off")));
  const target = {
    ...WANTS_PRIMARY,
    target_session_attrs: "prefer-standby",
    host: "192.0.2.1,192.0.2.2",
  };
  const session = await connect(target, { adapter: server.adapter });
  assert.deepEqual(session.report.attempts.map(({ address, error }) => [address, error?.code]), [
    ["192.0.2.1", "session-attrs"],
    ["192.0.2.2", "session-attrs"],
    ["192.0.2.1", undefined],
  ]);
  await session.close();
  await server.done();
});
