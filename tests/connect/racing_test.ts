import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ConnectionError } from "../../src/errors.ts";
import { Prng } from "../support/prng.ts";
import { settled } from "./deferred.ts";
import { trust } from "./fake_server.ts";
import { watchedSignal } from "./fake_time.ts";
import { A, B, C, type Dial, inVirtualTime, NAMED, RACING, startRace } from "./race.ts";
import { connectRejection, reasonOf } from "./rejection.ts";

test("the next address is dialed 250 ms after the last, while that one is still being dialed", () =>
  inVirtualTime(async (time) => {
    const race = startRace();
    const connecting = connect(NAMED, { adapter: race.server.adapter, ...RACING });
    await race.begun;
    for (const [ms, dialed] of [[249, [A]], [1, [A, B]], [249, [A, B]], [1, [A, B, C]]] as const) {
      await time.pass(ms);
      assert.deepEqual(race.hosts(), dialed);
    }
    await time.pass(10_000);
    assert.equal(race.dials.length, 3);
    race.of(B).open();
    const session = await connecting;
    assert.equal(session.address.remoteAddress, B);
    await session.close();
    await race.server.done();
  }));

test("without the option one address is dialed after the other", () =>
  inVirtualTime(async (time) => {
    const race = startRace();
    const connecting = connect(NAMED, { adapter: race.server.adapter });
    await race.begun;
    await time.pass(10_000);
    assert.deepEqual(race.hosts(), [A]);
    race.of(A).refuse();
    await time.pass(0);
    race.of(B).open();
    await (await connecting).close();
    assert.deepEqual(race.hosts(), [A, B]);
  }));

test("an address that fails is followed by the next at once, and 250 ms begin anew", () =>
  inVirtualTime(async (time) => {
    const race = startRace();
    const connecting = connect(NAMED, { adapter: race.server.adapter, ...RACING });
    await race.begun;
    await time.pass(200);
    race.of(A).refuse();
    await time.pass(0);
    assert.deepEqual(race.hosts(), [A, B]);
    await time.pass(249);
    assert.deepEqual(race.hosts(), [A, B]);
    await time.pass(1);
    assert.deepEqual(race.hosts(), [A, B, C]);
    race.of(C).open();
    await (await connecting).close();
  }));

test("the first that opens wins, and the others are given up before anything is sent", () =>
  inVirtualTime(async (time) => {
    const race = startRace();
    const connecting = connect(NAMED, { adapter: race.server.adapter, ...RACING });
    await race.begun;
    await time.pass(500);
    race.of(B).open();
    const session = await connecting;
    assert.deepEqual(race.dials.map(({ signal }) => signal?.aborted), [true, false, true]);
    assert.deepEqual(
      session.report.attempts.map(({ host, address, phase }) => [
        host,
        address,
        phase,
      ]),
      [["db.test", B, "ready"]],
    );
    await session.close();
    await race.server.done();
    assert.deepEqual(race.server.sent(), [["StartupMessage", "Terminate"]]);
  }));

test("sockets that open although they were given up are closed, and nothing is sent on them", () =>
  inVirtualTime(async (time) => {
    const race = startRace(trust, { wrap: (transport) => transport });
    const connecting = connect(NAMED, { adapter: race.server.adapter, ...RACING });
    await race.begun;
    await time.pass(500);
    race.of(B).open();
    const session = await connecting;
    race.of(A).open();
    race.of(C).open();
    await settled();
    assert.deepEqual(race.server.peers.map(({ ended }) => ended), [false, true, true]);
    await session.close();
    await race.server.done();
    assert.deepEqual(race.server.sent(), [["StartupMessage", "Terminate"], [], []]);
  }));

test("two sockets that open in the same turn make one session", () =>
  inVirtualTime(async (time) => {
    const race = startRace();
    const connecting = connect(NAMED, { adapter: race.server.adapter, ...RACING });
    await race.begun;
    await time.pass(500);
    for (const dial of race.dials) dial.open();
    const session = await connecting;
    assert.equal(session.address.remoteAddress, A);
    await session.close();
    await race.server.done();
    assert.deepEqual(race.server.sent().flat(), ["StartupMessage", "Terminate"]);
  }));

test("where all fail there is one report an address, in the order they failed, then the next host", () =>
  inVirtualTime(async (time) => {
    const race = startRace();
    const target = { ...NAMED, host: "db.test,next.test" };
    const connecting = connect(target, { adapter: race.server.adapter, ...RACING });
    await race.begun;
    await time.pass(500);
    for (const host of [C, A, B]) {
      race.of(host).refuse();
      await settled();
    }
    await time.pass(0);
    assert.deepEqual(race.hosts(), [A, B, C, "198.51.100.1"]);
    race.of("198.51.100.1").open();
    const session = await connecting;
    assert.deepEqual(
      session.report.attempts.map(({ address, phase, error }) => [address, phase, error?.code]),
      [
        [C, "dial", "dial-failed"],
        [A, "dial", "dial-failed"],
        [B, "dial", "dial-failed"],
        ["198.51.100.1", "ready", undefined],
      ],
    );
    for (const { address, error } of session.report.attempts.slice(0, 3)) {
      assert.ok(error?.message.includes(address), "the error of another address");
    }
    await session.close();
  }));

test("where all addresses of the only host fail, each has its line in the error", () =>
  inVirtualTime(async (time) => {
    const race = startRace();
    const target = { ...NAMED, host: "two.test" };
    const reason = reasonOf(connect(target, { adapter: race.server.adapter, ...RACING }));
    await race.begun;
    await time.pass(0);
    race.of(A).refuse();
    await time.pass(0);
    race.of(B).refuse();
    const lines = String((await reason as Error).message).split("\n");
    assert.equal(lines.length, 2);
    assert.match(lines[0] ?? "", /at "two\.test" \(192\.0\.2\.1\), port 5432 failed: /);
    assert.match(lines[1] ?? "", /at "two\.test" \(192\.0\.2\.2\), port 5432 failed: /);
  }));

test("a signal that is aborted in the middle of a race gives up every socket", () =>
  inVirtualTime(async (time) => {
    const race = startRace();
    const watched = watchedSignal();
    const reason = reasonOf(
      connect(NAMED, { adapter: race.server.adapter, signal: watched.signal, ...RACING }),
    );
    await race.begun;
    await time.pass(250);
    watched.abort();
    const error = await reason;
    assert.ok(error instanceof ConnectionError);
    assert.deepEqual([error.code, error.phase], ["aborted", "dial"]);
    assert.deepEqual(race.dials.map(({ signal }) => signal?.aborted), [true, true]);
    assert.equal(watched.listeners, 0);
    await time.pass(10_000);
    assert.equal(race.dials.length, 2);
  }));

test("connect_timeout in the middle of a race gives up every socket", () =>
  inVirtualTime(async (time) => {
    const race = startRace();
    const target = { ...NAMED, host: "two.test,next.test", connect_timeout: 1 };
    const connecting = connect(target, { adapter: race.server.adapter, ...RACING });
    await race.begun;
    await time.pass(1000);
    assert.deepEqual(race.dials.slice(0, 2).map(({ signal }) => signal?.aborted), [true, true]);
    // All addresses of the host had their chance at once, so the next host comes now.
    race.of("198.51.100.1").open();
    const session = await connecting;
    const codes = session.report.attempts.map(({ error }) => error?.code);
    assert.deepEqual(codes, ["timeout", "timeout", undefined]);
    await session.close();
  }));

test("connect_timeout in the middle of a race hides no failure before it, and blames nobody else", () =>
  inVirtualTime(async (time) => {
    const race = startRace();
    const target = { ...NAMED, host: "two.test", connect_timeout: 1 };
    const reason = connectRejection(connect(target, { adapter: race.server.adapter, ...RACING }));
    await race.begun;
    race.of(A).refuse();
    await time.pass(1000);
    const { attempts } = await reason;
    assert.deepEqual(attempts.map(({ address, error }) => [address, error?.code]), [
      [A, "dial-failed"],
      [B, "timeout"],
    ]);
  }));

test("whoever opens or fails when, there is never more than one StartupMessage", async () => {
  for (let seed = 1; seed <= 150; seed++) {
    await inVirtualTime(async (time) => {
      const prng = new Prng(seed);
      const race = startRace(trust, prng.below(2) === 0 ? { wrap: (one) => one } : {});
      const outcome = connect(NAMED, { adapter: race.server.adapter, ...RACING }).then(
        (session) => session,
        (error: Error) => error,
      );
      await race.begun;
      const ended = new Set<Dial>();
      const opened = new Set<Dial>();
      for (let step = 0; step < 12; step++) {
        await time.pass(prng.below(200));
        for (const dial of race.dials) {
          if (ended.has(dial) || prng.below(3) > 0) continue;
          ended.add(dial);
          if (prng.below(2) === 0) dial.refuse();
          else {
            opened.add(dial);
            dial.open();
          }
        }
      }
      for (let round = 0; round < 3; round++) {
        await time.pass(250);
        for (const dial of race.dials) dial.refuse();
      }
      const result = await outcome;
      const started = race.server.sent().flat().filter((name) => name === "StartupMessage");
      assert.equal(started.length, opened.size > 0 ? 1 : 0, `seed ${seed}`);
      assert.equal(result instanceof Error, opened.size === 0, `seed ${seed}: ${result}`);
      if (!(result instanceof Error)) await result.close();
      await race.server.done();
    });
  }
});
