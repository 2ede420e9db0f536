import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Connector,
  type ConnectorOptions,
  createConnector,
} from "../../src/connect/connector.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import type { Session } from "../../src/connect/session.ts";
import { certificatePath } from "../support/certificates.ts";
import { liveServers } from "../support/live.ts";
import { PASSWORD, type PostgresVersion, SCRAM_PASSWORD } from "../support/postgres.ts";
import { type Proxy, startProxy } from "../support/servers.ts";
import { type Parameters, targetOf } from "./session_with.ts";

const live = await liveServers();

/** Long enough for everything that is sent without waiting to be one flight. */
const HOLD_MS = 25;

const VERIFIED = { sslmode: "verify-full", sslrootcert: certificatePath("ca.crt") };
const PLAIN = { sslmode: "disable" };
const LOGINS: Readonly<Record<string, Parameters>> = {
  trust: { user: "trust_user" },
  md5: { user: "md5_user", password: PASSWORD },
  SCRAM: { user: "scram_user", password: SCRAM_PASSWORD },
};

/** A connector to a server behind a proxy that counts. */
interface Counted {
  readonly connector: Connector;
  /** Round trips of the newest connection so far; opening the socket is the first. */
  trips(): number;
  /** How many connections were opened. */
  connections(): number;
}

async function counted(
  version: PostgresVersion,
  parameters: Parameters,
  options: ConnectorOptions,
  use: (counted: Counted) => Promise<void>,
): Promise<void> {
  const { port } = live.get(version);
  const proxy: Proxy = await startProxy({ target: { host: "127.0.0.1", port }, holdMs: HOLD_MS });
  try {
    const { user = "trust_user", ...rest } = parameters;
    await use({
      connector: createConnector({
        ...targetOf(proxy, user, rest),
        host: "localhost",
        hostaddr: "127.0.0.1",
      }, options),
      trips: () =>
        1 + (proxy.flights().at(-1) ?? []).filter(({ from }) => from === "client").length,
      connections: () => proxy.flights().length,
    });
  } finally {
    await proxy.close();
  }
}

/** The round trips of one connection to ReadyForQuery, and to the result of a first query. */
async function tripsOf(
  { connector, trips }: Counted,
  options: ConnectOptions = {},
): Promise<{ readonly ready: number; readonly result: number; readonly session: Session }> {
  const session = await connector.connect(options);
  const ready = trips();
  const [result] = await (session.firstResult ?? session.query("select 42"));
  assert.equal(result?.rows[0]?.[0], "42");
  const counts = { ready, result: trips(), session };
  await session.close();
  return counts;
}

const FIRST = { firstQuery: "select 42" };

/** Round trips to ReadyForQuery, first and again; and again to the first query's result, with the option and without. */
const COUNTS: readonly (readonly [
  name: string,
  login: string,
  parameters: Parameters,
  first: number,
  again: number,
  early: number,
  late: number,
])[] = [
  ["trust", "trust", PLAIN, 2, 2, 2, 3],
  ["md5", "md5", PLAIN, 3, 3, 3, 4],
  ["SCRAM", "SCRAM", PLAIN, 4, 3, 3, 4],
  ["SSLRequest and SCRAM", "SCRAM", VERIFIED, 6, 5, 5, 6],
  ["direct TLS and SCRAM", "SCRAM", { ...VERIFIED, sslnegotiation: "direct" }, 5, 4, 4, 5],
];

for (const [name, login, parameters, first, again, early, late] of COUNTS) {
  test(
    `${name}: ${first} round trips at first, ${again} again, ${early} to the first result`,
    { skip: live.skip(18) },
    () =>
      counted(18, { ...LOGINS[login], ...parameters }, {}, async (one) => {
        const once = await tripsOf(one);
        assert.deepEqual([once.ready, once.result], [first, first + 1]);
        const twice = await tripsOf(one);
        assert.deepEqual([twice.ready, twice.result], [again, late]);
        assert.equal(twice.session.report.saved.roundTrips, first - again);
        const thrice = await tripsOf(one, FIRST);
        assert.deepEqual([thrice.ready, thrice.result], [early, early]);
        assert.equal(thrice.session.report.saved.roundTrips, first + 1 - early);
        assert.equal(one.connections(), 3);
        assert.equal(one.connector.statistics.keyDerivations, login === "SCRAM" ? 1 : 0);
      }),
  );
}

for (const version of [17, 14] as const) {
  test(
    `PostgreSQL ${version}: SCRAM takes 4 round trips at first, 3 again, with the first result`,
    {
      skip: live.skip(version),
    },
    () =>
      counted(version, { ...LOGINS["SCRAM"], ...PLAIN }, {}, async (one) => {
        assert.equal((await tripsOf(one)).ready, 4);
        const again = await tripsOf(one, FIRST);
        assert.deepEqual([again.ready, again.result], [3, 3]);
      }),
  );

  test(`PostgreSQL ${version}: SCRAM over TLS takes a round trip less again`, {
    skip: live.skip(version),
  }, () =>
    counted(version, { ...LOGINS["SCRAM"], ...VERIFIED }, {}, async (one) => {
      const { ready } = await tripsOf(one);
      const again = await tripsOf(one, FIRST);
      // Or two, where the runtime remembers the curve these servers know.
      assert.ok(again.ready <= ready - 1, `${again.ready} after ${ready}`);
      assert.equal(again.result, again.ready);
      assert.ok(again.session.report.saved.earlySasl);
    }));
}

test(
  "pipelining: off takes as many round trips again as at first",
  { skip: live.skip(18) },
  () =>
    counted(18, { ...LOGINS["SCRAM"], ...PLAIN }, { pipelining: "off" }, async (one) => {
      for (const _ of [1, 2]) {
        const { ready, session } = await tripsOf(one);
        assert.equal(ready, 4);
        assert.equal(session.report.saved.earlySasl, false);
      }
    }),
);

test(
  "after clear() nothing is known any more",
  { skip: live.skip(18) },
  () =>
    counted(18, { ...LOGINS["SCRAM"], ...PLAIN }, {}, async (one) => {
      assert.equal((await tripsOf(one)).ready, 4);
      one.connector.clear();
      assert.equal((await tripsOf(one)).ready, 4);
      assert.equal((await tripsOf(one)).ready, 3);
      assert.equal(one.connector.statistics.keyDerivations, 2);
    }),
);
