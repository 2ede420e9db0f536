import "../support/guard.ts";
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import { type AttemptReport, ConnectionError } from "../../src/errors.ts";
import { connectRejection, rejection } from "../connect/rejection.ts";
import { certificatePath } from "../support/certificates.ts";
import { MachineUnavailable } from "../support/machines.ts";
import {
  PASSWORD,
  type PostgresOptions,
  type PostgresServer,
  startPostgres,
} from "../support/postgres.ts";
import { startIfPossible } from "../support/program.ts";
import { type Parameters, targetOf as targetFor, withSession } from "./session_with.ts";
import { tamperedAdapter } from "./tampered_adapter.ts";

const [FIRST, SECOND, THIRD] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"] as const;
const ALL = [FIRST, SECOND, THIRD];

const servers = await startIfPossible(async () => {
  if (process.platform !== "linux") {
    throw new MachineUnavailable("needs a loopback network of many addresses, as Linux has");
  }
  const start = (host: string): Promise<PostgresServer> => {
    const hba: PostgresOptions["hba"] = ["hostnossl all no_tls_user 127.0.0.0/8 scram-sha-256"];
    return startPostgres({ host, hba });
  };
  const [last, every] = await Promise.all([start(THIRD), start(ALL.join(","))]);
  return {
    /** Listens on the third address only. */
    last,
    /** Listens on all three. */
    every,
    async stop() {
      await Promise.all([last.stop(), every.stop()]);
    },
  };
});
const { skip } = servers;

function targetOf(server: PostgresServer, parameters: Parameters = {}): Parameters {
  return targetFor(server, "trust_user", { host: "db.test", sslmode: "disable", ...parameters });
}

function resolving(
  addresses: readonly string[],
  options: ConnectOptions = {},
): ConnectOptions {
  return { ...options, resolve: () => Promise.resolve(addresses) };
}

/** Address and `ready` or the error's code of every attempt. */
function told(attempts: readonly AttemptReport[] = []): readonly string[] {
  return attempts.map(({ address, phase, error }) => `${address} ${error?.code ?? phase}`);
}

/** How many sessions the server has let in since, by its log, and how many connections it has taken. */
async function counted<Result>(
  server: PostgresServer,
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly sessions: number; readonly connections: number }> {
  const mark = `mark ${crypto.randomUUID()}`;
  const before = server.log().length;
  const result = await work();
  await server.sql(`DO $$ BEGIN RAISE LOG '${mark}'; END $$`);
  await server.logged(new RegExp(mark));
  const log = server.log().slice(before);
  return {
    result,
    sessions: log.match(/connection authorized: user=(?!postgres)/g)?.length ?? 0,
    connections: log.match(/connection received: host=127/g)?.length ?? 0,
  };
}

/** Never opens the first address, as where packets get lost. */
async function untilGivenUp(address: string, signal: AbortSignal | undefined): Promise<void> {
  if (address !== FIRST) return;
  await new Promise((_, reject) =>
    signal?.addEventListener("abort", () => reject(new ConnectionError("aborted", "given up")))
  );
}

test("the addresses of a name are tried in order until one answers", { skip }, async () => {
  const { last } = servers.get();
  const { sessions, connections } = await counted(
    last,
    () =>
      withSession(targetOf(last), ({ report, address }) => {
        assert.deepEqual(told(report.attempts), [
          `${FIRST} dial-failed`,
          `${SECOND} dial-failed`,
          `${THIRD} ready`,
        ]);
        assert.equal(address.remoteAddress, THIRD);
      }, resolving(ALL)),
  );
  assert.deepEqual([sessions, connections], [1, 1]);
});

test("the resolver's order counts, and the first that answers ends the search", {
  skip,
}, async () => {
  const { every } = servers.get();
  for (const addresses of [[SECOND, FIRST], [THIRD, SECOND, FIRST], [FIRST]]) {
    const { sessions, connections } = await counted(
      every,
      () =>
        withSession(targetOf(every), ({ report }) => {
          assert.deepEqual(told(report.attempts), [`${addresses[0]} ready`]);
        }, resolving(addresses)),
    );
    assert.deepEqual([sessions, connections], [1, 1]);
  }
});

test("a name none of whose addresses answers is one error for each address", { skip }, async () => {
  const { last } = servers.get();
  for (const addressRacing of [false, true]) {
    const options = resolving([FIRST, SECOND], { addressRacing });
    const error = await connectRejection(connect(targetOf(last), options));
    assert.deepEqual(told(error.attempts), [`${FIRST} dial-failed`, `${SECOND} dial-failed`]);
  }
});

test("a server that is not wanted is not asked again at its other addresses", {
  skip,
}, async () => {
  const { every } = servers.get();
  const target = targetOf(every, { target_session_attrs: "standby" });
  const error = await rejection(connect(target, resolving(ALL)));
  assert.deepEqual(told(error.attempts), [`${FIRST} session-attrs`]);
});

test("load_balance_hosts=random reaches every address of a name", { skip }, async () => {
  const { every } = servers.get();
  const target = targetOf(every, { load_balance_hosts: "random" });
  const reached = new Set<string | undefined>();
  // The chance that an address is missed 300 times is 10 to the power of -52.
  for (let connects = 0; reached.size < 3 && connects < 300; connects++) {
    const one = await withSession(target, ({ address }) => address.remoteAddress, resolving(ALL));
    reached.add(one);
  }
  assert.deepEqual([...reached].sort(), ALL);
});

test("the name is what the certificate must show, whatever the address is", { skip }, async () => {
  const { last } = servers.get();
  const verified = { sslmode: "verify-full", sslrootcert: certificatePath("ca.crt") };
  for (const addressRacing of [false, true]) {
    const options = resolving(ALL, { addressRacing });
    await withSession(targetOf(last, verified), ({ channel, address }) => {
      assert.equal(channel.kind === "tls" && channel.tls.verified, "full");
      assert.equal(address.remoteAddress, THIRD);
    }, options);
    const elsewhere = targetOf(last, { ...verified, host: "elsewhere.test" });
    await assert.rejects(connect(elsewhere, options), { code: "certificate-name" });
  }
});

test("racing: refused addresses do not hold up the one that answers", { skip }, async () => {
  const { last } = servers.get();
  const { sessions, connections } = await counted(
    last,
    () =>
      withSession(targetOf(last), ({ report }) => {
        assert.deepEqual(told(report.attempts), [
          `${FIRST} dial-failed`,
          `${SECOND} dial-failed`,
          `${THIRD} ready`,
        ]);
      }, resolving(ALL, { addressRacing: true })),
  );
  assert.deepEqual([sessions, connections], [1, 1]);
});

test("racing: however many addresses answer, there is one session", { skip }, async () => {
  const { every } = servers.get();
  for (let connects = 0; connects < 5; connects++) {
    const { sessions } = await counted(
      every,
      () =>
        withSession(targetOf(every), ({ report, address }) => {
          assert.deepEqual(told(report.attempts), [`${address.remoteAddress} ready`]);
        }, resolving(ALL, { addressRacing: true })),
    );
    assert.equal(sessions, 1);
  }
});

test("racing: a black hole is left behind, and its dial is given up", { skip }, async () => {
  const { every } = servers.get();
  const { adapter, dials } = tamperedAdapter(untilGivenUp);
  const { sessions } = await counted(
    every,
    () =>
      withSession(targetOf(every), ({ report, address }) => {
        assert.deepEqual(told(report.attempts), [`${SECOND} ready`]);
        assert.equal(address.remoteAddress, SECOND);
      }, resolving([FIRST, SECOND], { addressRacing: true, adapter })),
  );
  assert.equal(sessions, 1);
  const done = dials.map(({ address, aborted, written }) => [address, aborted, written > 0]);
  assert.deepEqual(done, [[FIRST, true, false], [SECOND, false, true]]);
});

test("racing: a loser that answers too late is closed before anything is sent", {
  skip,
}, async () => {
  const { every } = servers.get();
  let letGo = (): void => {};
  const late = new Promise<void>((resolve) => letGo = resolve);
  let arrive = (): void => {};
  const arrived = new Promise<void>((resolve) => arrive = resolve);
  // The first is open before the second is, and given out after it.
  const { adapter, dials } = tamperedAdapter(async (address) => {
    if (address === FIRST) arrive();
    await (address === FIRST ? late : arrived);
  });
  const { sessions, connections } = await counted(every, async () => {
    const options = resolving([FIRST, SECOND], { addressRacing: true, adapter });
    await withSession(targetOf(every), async (session) => {
      assert.equal(session.address.remoteAddress, SECOND);
      const [loser] = dials;
      assert.deepEqual([loser?.address, loser?.opened, loser?.closed], [FIRST, true, false]);
      letGo();
      // A round trip to the server later the loser has come and gone.
      await session.query("select 1");
      assert.deepEqual([loser?.closed, loser?.written], [true, 0]);
    }, options);
  });
  assert.deepEqual([sessions, connections], [1, 2]);
});

test("racing: the second encryption goes to the address that answered the first", {
  skip,
}, async () => {
  const { last } = servers.get();
  const parameters = { user: "no_tls_user", password: PASSWORD, sslmode: "prefer" };
  const { sessions, connections } = await counted(
    last,
    () =>
      withSession(targetOf(last, parameters), ({ report, channel }) => {
        assert.equal(channel.kind, "plain");
        assert.deepEqual(report.attempts.map(({ address, encryption }) => [address, encryption]), [
          [FIRST, "ssl-request"],
          [SECOND, "ssl-request"],
          [THIRD, "ssl-request"],
          [THIRD, "plain"],
        ]);
      }, resolving(ALL, { addressRacing: true })),
  );
  assert.deepEqual([sessions, connections], [1, 2]);
});

test("connect_timeout passes over an address that does not answer", { skip }, async () => {
  const { every } = servers.get();
  const { adapter } = tamperedAdapter(untilGivenUp);
  const target = targetOf(every, { connect_timeout: "2" });
  await withSession(target, ({ report }) => {
    assert.deepEqual(told(report.attempts), [`${FIRST} timeout`, `${SECOND} ready`]);
  }, resolving(ALL, { adapter }));
});
