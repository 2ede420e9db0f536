import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ConnectionError } from "../../src/errors.ts";
import { settled } from "./deferred.ts";
import { errorResponse, type FakeOptions, type Play, trust } from "./fake_server.ts";
import { A, B, C, inVirtualTime, NAMED, RACING, startRace } from "./race.ts";
import { reasonOf } from "./rejection.ts";

const BROKEN: FakeOptions["tls"] = () => {
  throw new ConnectionError("tls-failed", "handshake failure", { phase: "tls" });
};
const says = (answer: string): Play => async (peer) => {
  if ((await peer.packet()).type === "SSLRequest") {
    await peer.send(new TextEncoder().encode(answer));
    await peer.packet();
  }
  await peer.send({ type: "AuthenticationOk" }, { type: "ReadyForQuery", status: "I" });
};

test("another encryption is for the address that won, and is no race", () =>
  inVirtualTime(async (time) => {
    const race = startRace(says("S"), { tls: BROKEN });
    const target = { ...NAMED, sslmode: "prefer" };
    const connecting = connect(target, { adapter: race.server.adapter, ...RACING });
    await race.begun;
    await time.pass(250);
    race.of(B).open();
    await time.pass(10_000);
    assert.deepEqual(race.hosts(), [A, B, B]);
    race.of(B).open();
    const session = await connecting;
    assert.deepEqual(
      session.report.attempts.map(({ address, encryption }) => [address, encryption]),
      [[B, "ssl-request"], [B, "plain"]],
    );
    await session.close();
  }));

test("connect_timeout goes on for another encryption of the address that won", () =>
  inVirtualTime(async (time) => {
    const race = startRace(says("S"), { tls: BROKEN });
    const target = { ...NAMED, host: "two.test", sslmode: "prefer", connect_timeout: 1 };
    const reason = reasonOf(connect(target, { adapter: race.server.adapter, ...RACING }));
    await race.begun;
    await time.pass(600);
    race.of(B).open();
    await time.pass(0);
    assert.deepEqual(race.hosts(), [A, B, B]);
    await time.pass(399);
    assert.equal(race.of(B).signal?.aborted, false);
    await time.pass(1);
    assert.equal(
      race.dials[2]?.signal?.aborted,
      true,
      "the second encryption got a second of its own",
    );
    await time.pass(10_000);
    await reason;
  }));

test("a server that is starting up leads to the next host, not to another address", () =>
  inVirtualTime(async (time) => {
    const race = startRace(async (peer, connection) => {
      if (connection > 0) return await trust(peer, connection);
      await peer.packet();
      await peer.send(errorResponse("57P03", "the database system is starting up"));
      await peer.end();
    });
    const target = { ...NAMED, host: "db.test,next.test" };
    const connecting = connect(target, { adapter: race.server.adapter, ...RACING });
    await race.begun;
    await time.pass(250);
    race.of(B).open();
    await time.pass(0);
    assert.deepEqual(race.hosts(), [A, B, "198.51.100.1"]);
    race.of("198.51.100.1").open();
    await (await connecting).close();
  }));

test("a winner that falls silent is followed by a race of the other addresses", () =>
  inVirtualTime(async (time) => {
    const race = startRace(async (peer, connection) => {
      if (connection > 0) await trust(peer, connection);
    });
    const target = { ...NAMED, connect_timeout: 2 };
    const connecting = connect(target, { adapter: race.server.adapter, ...RACING });
    await race.begun;
    await time.pass(250);
    race.of(B).open();
    await time.pass(1750);
    assert.deepEqual(race.hosts(), [A, B, A]);
    await time.pass(250);
    assert.deepEqual(race.hosts(), [A, B, A, C]);
    race.of(C).open();
    const session = await connecting;
    assert.deepEqual(session.report.attempts.map(({ address, error }) => [address, error?.code]), [
      [B, "timeout"],
      [C, undefined],
    ]);
    await session.close();
  }));

test("hosts of a list do not race, and a host with one address sets no timer", () =>
  inVirtualTime(async (time) => {
    const race = startRace();
    const target = { ...NAMED, host: `${A},${B}` };
    const connecting = connect(target, { adapter: race.server.adapter, ...RACING });
    await race.begun;
    await settled();
    assert.equal(time.pending, 0);
    await time.pass(10_000);
    assert.deepEqual(race.hosts(), [A]);
    race.of(A).open();
    await (await connecting).close();
  }));
