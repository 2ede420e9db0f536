import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { startPgBouncer } from "../support/pgbouncer.ts";
import { PASSWORD, startPostgres } from "../support/postgres.ts";
import { debianProgram, freePort, startIfPossible } from "../support/program.ts";
import { startPrimary, startStandby } from "../support/standby.ts";
import { errorOf, openSql, recordSessions, targetOf, WAYS, withPool, withSql } from "./drivers.ts";
import { untilAsleep } from "../live/session_with.ts";

const pooler = await startIfPossible(async () => {
  debianProgram("pgbouncer");
  const server = await startPostgres({ tls: false });
  const bouncer = await startPgBouncer({
    authType: "scram-sha-256",
    users: { app_user: PASSWORD },
    databases: { app: `host=127.0.0.1 port=${server.port} dbname=app user=trust_user` },
  });
  return {
    server,
    bouncer,
    async stop() {
      await bouncer.stop();
      await server.stop();
    },
  };
});

const cluster = await startIfPossible(async () => {
  const primary = await startPrimary(18);
  const standby = await startStandby(primary);
  return {
    primary,
    standby,
    async stop() {
      await standby.stop();
      await primary.stop();
    },
  };
});

for (const sslmode of ["disable", "verify-full"]) {
  test(`through PgBouncer, sslmode=${sslmode}: queries, transactions, cancel`, {
    skip: pooler.skip,
  }, async () => {
    const { bouncer, server } = pooler.get();
    const { sslrootcert } = WAYS[1]?.[1] ?? {};
    const target = targetOf(bouncer, {
      user: "app_user",
      password: PASSWORD,
      sslmode,
      ...(sslrootcert === undefined ? {} : { sslrootcert }),
    });
    await withPool(target, async (pool) => {
      const { rows } = await pool.query("select $1::int as n", [7]);
      assert.deepEqual(rows, [{ n: 7 }]);
    });
    await withSql(target, async (sql) => {
      const [row] = await sql.begin((tx) => [tx`select ${7}::int as n, pg_backend_pid() as pid`])
        .then(([result]) => result ?? []);
      assert.equal(row?.["n"], 7);
      const sleeping = sql`select pg_sleep(60)`.execute();
      const failed = errorOf(sleeping);
      await untilAsleep(server, Number(row?.["pid"]));
      sleeping.cancel();
      assert.equal((await failed).code, "57014");
    }, { max: 1, prepare: false });
  });
}

test("a pool whose primary fails goes on with the one that took over", {
  skip: cluster.skip,
}, async () => {
  const { primary, standby } = cluster.get();
  const target = {
    host: "127.0.0.1,127.0.0.1,127.0.0.1",
    // Nobody listens at the first, and the second, a standby, is read-only until it is promoted.
    port: [await freePort(), standby.port, primary.port].join(","),
    user: "trust_user",
    dbname: "app",
    sslmode: "disable",
    target_session_attrs: "read-write",
  };
  const { facts, bridge } = recordSessions();
  const portsUsed = (): readonly unknown[] => facts.map(({ address }) => address.remotePort);
  const sql = openSql(target, { max: 1 }, bridge);
  await withPool(
    target,
    async (pool) => {
      const text = "select current_setting('transaction_read_only') as r, pg_is_in_recovery() as s";
      const writable = { r: "off", s: false };
      assert.deepEqual((await pool.query(text)).rows, [writable]);
      assert.deepEqual({ ...(await sql.unsafe(text))[0] }, writable);
      assert.deepEqual(portsUsed(), [primary.port, primary.port]);
      await primary.stop();
      // Nobody is read-write now, and the whole story is in the error.
      const error = await errorOf(pool.query(text)) as Error & { attempts?: unknown[] };
      assert.equal(error.name, "ConnectError");
      assert.equal(error.attempts?.length, 3);
      await standby.promote();
      assert.deepEqual((await pool.query(text)).rows, [writable]);
      assert.deepEqual({ ...(await sql.unsafe(text))[0] }, writable);
      assert.deepEqual(portsUsed().slice(2), [standby.port, standby.port]);
    },
    { max: 1 },
    bridge,
  );
  await sql.end();
});
