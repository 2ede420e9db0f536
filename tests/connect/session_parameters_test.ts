import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionParameters } from "../../src/connect/session_parameters.ts";
import { trust } from "./fake_server.ts";
import { IDLE, open } from "./sessions.ts";

const REPORTED = [["server_version", "18.6"], ["TimeZone", "UTC"]] as const;

test("sessions that were told the same share it, until one of them is asked for all of it", () => {
  const [one, other] = [0, 1].map(() => new SessionParameters(new Map(REPORTED)));
  one?.own().set("TimeZone", "GMT");
  one?.own().delete("server_version");
  assert.deepEqual([...one?.own() ?? []], [["TimeZone", "GMT"]]);
  assert.equal(one?.get("TimeZone"), "GMT");
  assert.equal(other?.get("TimeZone"), "UTC");
  assert.deepEqual([...other?.own() ?? []], REPORTED);
  assert.deepEqual([...new SessionParameters(new Map(REPORTED)).own()], REPORTED);
});

test("the same in another order, more of it and less of it are not the same", () => {
  const [first, second] = REPORTED;
  for (const other of [[second, first], [first], [first, second, ["a", "b"] as const], []]) {
    new SessionParameters(new Map(REPORTED));
    assert.deepEqual([...new SessionParameters(new Map(other)).own()], other);
  }
});

test("session.parameters is one map that sees every change", async () => {
  const { session } = await open(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    await peer.send(
      { type: "ParameterStatus", name: "TimeZone", value: "GMT" },
      { type: "CommandComplete", tag: "SET" },
      IDLE,
    );
    await peer.message();
  });
  const { parameters } = session;
  await session.query("set time zone 'GMT'");
  assert.equal(parameters.get("TimeZone"), "GMT");
  assert.equal(session.parameters, parameters);
  await session.close();
});

test("closed may be asked for when the session is over", async () => {
  const { session } = await open(trust);
  const closing = session.close();
  const { closed } = session;
  await closing;
  assert.equal(await closed, undefined);
  assert.equal(await session.closed, undefined);
});
