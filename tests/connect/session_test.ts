import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ConnectionError, UsageError } from "../../src/errors.ts";
import { deferred } from "./deferred.ts";
import { errorResponse, fakeServer, forwarding, GREETING, trust } from "./fake_server.ts";
import { reasonOf, rejection } from "./rejection.ts";
import { answering, IDLE, isClosed, open, PLAIN } from "./sessions.ts";

test("a session tells what start-up has found out", async () => {
  const { session } = await open(trust);
  assert.deepEqual([...session.parameters], [["server_version", "18.6"]]);
  assert.deepEqual(session.serverVersion, { text: "18.6", number: 180006 });
  assert.equal(session.processId, 4711);
  assert.equal(session.protocolVersion, "3.0");
  assert.deepEqual(session.channel, { kind: "plain", local: true });
  assert.equal(session.authentication.method, "none");
  assert.equal(session.authentication.channelBound, false);
  assert.equal(session.address.remoteAddress, "127.0.0.1");
  assert.equal(session.transactionStatus, "I");
  assert.equal(session.report.attempts.length, 1);
  await session.close();
});

test("close() sends Terminate once and may be called again", async () => {
  const { session, server } = await open(trust);
  await session.close();
  await session.close();
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage", "Terminate"]]);
  await isClosed(session);
});

test("Symbol.asyncDispose closes", async () => {
  const { session, server } = await open(trust);
  await session[Symbol.asyncDispose]();
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage", "Terminate"]]);
});

test("close() does not mind a server that is gone", async () => {
  const { session, server } = await open(async (peer, connection) => {
    await trust(peer, connection);
    peer.break();
  });
  await session.close();
  await server.done();
  await isClosed(session);
});

test("close() releases the socket even if the server takes no octets any more", async () => {
  const stuck = deferred();
  const server = fakeServer(trust, {
    wrap: (transport) => {
      const ended = deferred();
      let full = false;
      return {
        ...forwarding(transport),
        write: (octets) => {
          full ||= octets[0] === 0x51;
          if (!full) return transport.write(octets);
          stuck.resolve();
          return ended.promise.then(() => {
            throw new ConnectionError("aborted", "closed on this side");
          });
        },
        close() {
          ended.resolve();
          transport.close();
        },
      };
    },
  });
  const session = await connect(PLAIN, { adapter: server.adapter });
  const lost = reasonOf(session.query("select 1"));
  await stuck.promise;
  await session.close();
  assert.ok(await lost instanceof ConnectionError);
  await server.done();
});

test("close() while a query runs ends the query", async () => {
  const asked = deferred();
  const { session, server } = await open(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    asked.resolve();
  });
  const lost = reasonOf(session.query("select pg_sleep(60)"));
  await asked.promise;
  await session.close();
  const error = await lost;
  assert.ok(error instanceof ConnectionError, String(error));
  await server.done();
});

test("what came behind ReadyForQuery is the beginning of the first query's answer", async () => {
  const notices: (string | undefined)[] = [];
  const { session } = await open(async (peer) => {
    await peer.packet();
    await peer.send(...GREETING, { type: "NoticeResponse", fields: { message: "early" } });
    await peer.message();
    await peer.send({ type: "EmptyQueryResponse" }, IDLE);
  }, { onNotice: ({ message }) => notices.push(message) });
  await session.query("");
  assert.deepEqual(notices, ["early"]);
  await session.close();
});

test("a server that ended the session while it was idle is heard by the next query", async () => {
  const { session } = await open(async (peer, connection) => {
    await trust(peer, connection);
    await peer.send(errorResponse("57P01", "terminating connection due to administrator command"));
    await peer.end();
  });
  const error = await rejection(session.query("select 1"));
  assert.deepEqual([error.code, error.sqlState], ["server-error", "57P01"]);
  await isClosed(session);
});

test("the server's last word is heard even if the query could not be written", async () => {
  const server = fakeServer(async (peer, connection) => {
    await trust(peer, connection);
    await peer.send(errorResponse("57P01", "terminating connection due to administrator command"));
    await peer.end();
  }, {
    wrap: (transport) => ({
      ...forwarding(transport),
      write: (octets) =>
        octets[0] === 0x51
          ? Promise.reject(new ConnectionError("connection-lost", "Broken pipe"))
          : transport.write(octets),
    }),
  });
  const session = await connect(PLAIN, { adapter: server.adapter });
  const error = await rejection(session.query("select 1"));
  assert.deepEqual([error.code, error.sqlState], ["server-error", "57P01"]);
  await server.done();
});

test("parameters and transaction status follow the server", async () => {
  const seen: (readonly [string, string])[] = [];
  const { session } = await open(
    answering(
      [
        { type: "CommandComplete", tag: "BEGIN" },
        { type: "ReadyForQuery", status: "T" },
      ],
      [errorResponse("42601", "syntax error", "ERROR"), { type: "ReadyForQuery", status: "E" }],
      [
        { type: "ParameterStatus", name: "server_version", value: "18.7" },
        { type: "ParameterStatus", name: "in_hot_standby", value: "on" },
        { type: "CommandComplete", tag: "ROLLBACK" },
        IDLE,
      ],
    ),
    { onParameter: (name, value) => seen.push([name, value]) },
  );
  await session.query("begin");
  assert.equal(session.transactionStatus, "T");
  await rejection(session.query("selec"));
  assert.equal(session.transactionStatus, "E");
  await session.query("rollback");
  assert.equal(session.transactionStatus, "I");
  assert.equal(session.serverVersion.number, 180007);
  assert.deepEqual(seen, [
    ["server_version", "18.6"],
    ["server_version", "18.7"],
    ["in_hot_standby", "on"],
  ]);
  await session.close();
});

for (const status of ["T", "E"] as const) {
  test(`a session that begins with transaction status ${status} says so`, async () => {
    const { session } = await open(async (peer) => {
      await peer.packet();
      await peer.send(...GREETING.slice(0, -1), { type: "ReadyForQuery", status });
    });
    assert.equal(session.transactionStatus, status);
    await session.close();
  });
}

test("a server without BackendKeyData gives a session that cannot cancel", async () => {
  const { session } = await open(async (peer) => {
    await peer.packet();
    await peer.send({ type: "AuthenticationOk" }, IDLE);
  });
  assert.equal(session.processId, undefined);
  assert.deepEqual(session.serverVersion, { text: "", number: 0 });
  const error = await rejection(session.cancel());
  assert.ok(error instanceof UsageError);
  assert.equal(error.phase, "cancel");
  await session.close();
});

test("whoever closes at the same time waits for the same end", async () => {
  const released = deferred();
  let closed = false;
  const server = fakeServer(trust, {
    wrap: (transport) => ({
      ...forwarding(transport),
      write: async (octets) => {
        if (octets[0] === 0x58) await released.promise;
        await transport.write(octets);
      },
      close: () => {
        closed = true;
        transport.close();
      },
    }),
  });
  const session = await connect(PLAIN, { adapter: server.adapter });
  const first = session.close();
  const second = session.close().then(() => closed);
  released.resolve();
  assert.equal(await second, true);
  await first;
});

test("what is closed cannot be cancelled: nothing is dialed", async () => {
  const { session, server } = await open(trust);
  await session.close();
  const error = await rejection(session.cancel());
  assert.deepEqual([error.code, error.phase], ["session-closed", "ready"]);
  assert.equal(server.dials.length, 1);
});
