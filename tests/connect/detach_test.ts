import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeBackend } from "../../src/wire/backend.ts";
import { encodeFrontend } from "../../src/wire/frontend.ts";
import { join } from "../support/vectors.ts";
import { deferred } from "./deferred.ts";
import { GREETING, trust } from "./fake_server.ts";
import { answering, IDLE, isClosed, open } from "./sessions.ts";

test("detach() hands over everything, and the session does nothing any more", async () => {
  const { session, server } = await open(answering([
    { type: "ParameterStatus", name: "TimeZone", value: "UTC" },
    { type: "CommandComplete", tag: "SET" },
    { type: "ReadyForQuery", status: "T" },
  ]));
  await session.query("set timezone = 'UTC'");
  const { transport, facts, leftover } = session.detach();
  assert.equal(leftover.length, 0);
  assert.deepEqual([...facts.parameters], [["server_version", "18.6"], ["TimeZone", "UTC"]]);
  assert.equal(facts.transactionStatus, "T");
  assert.equal(facts.protocolVersion, "3.0");
  assert.equal(facts.processId, 4711);
  assert.equal(facts.cancelKey?.keyLength, 4);
  assert.equal(facts.serverVersion.number, 180006);
  assert.equal(facts.authentication.method, "none");
  assert.deepEqual(facts.channel, { kind: "plain", local: true });
  assert.equal(facts.address.remoteAddress, "127.0.0.1");
  await isClosed(session);
  assert.throws(() => session.detach(), { code: "session-closed" });
  await session.close();
  await transport.write(encodeFrontend({ type: "Terminate" }));
  transport.close();
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage", "Query", "Terminate"]]);
});

test("detach() right after a query's result is allowed", async () => {
  const { session } = await open(answering([{ type: "EmptyQueryResponse" }, IDLE]));
  // No function in between, which would give the session time to tidy up.
  await session.query("");
  session.detach().transport.close();
});

test("detach() gives the octets that came behind ReadyForQuery", async () => {
  const late = encodeBackend({
    type: "NoticeResponse",
    fields: { severity: "WARNING", sqlState: "01000", message: "late" },
  });
  const { session } = await open(async (peer) => {
    await peer.packet();
    await peer.send(...GREETING, late, late.subarray(0, 3));
  });
  const { leftover, transport } = session.detach();
  assert.deepEqual(leftover, join(late, late.subarray(0, 3)));
  transport.close();
});

test("detach() during a query is refused, and the query goes on", async () => {
  const go = deferred();
  const { session } = await open(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    await go.promise;
    await peer.send({ type: "EmptyQueryResponse" }, IDLE);
  });
  const running = session.query("");
  assert.throws(() => session.detach(), { code: "misuse", phase: "ready" });
  go.resolve();
  assert.equal((await running).length, 1);
  await session.close();
});

test("detach() of a closed session is refused", async () => {
  const { session } = await open(trust);
  await session.close();
  assert.throws(() => session.detach(), { code: "session-closed" });
});
