import "../support/guard.ts";
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Connector, createConnector } from "../../src/connect/connector.ts";
import { WrongGuess } from "../../src/handshake/early.ts";
import { rejection } from "../connect/rejection.ts";
import { certificatePath } from "../support/certificates.ts";
import { startPgBouncer } from "../support/pgbouncer.ts";
import { PASSWORD, type PostgresServer, startPostgres } from "../support/postgres.ts";
import { debianProgram, startIfPossible } from "../support/program.ts";
import { type Parameters, targetOf, valueOf } from "./session_with.ts";

const VERIFIED = { sslmode: "verify-full", sslrootcert: certificatePath("ca.crt") };
const PLAIN = { sslmode: "disable" };
const ROLE = "changing";
const RELOADING = "reloading configuration files";

/** A server whose method for one role a test changes while it runs. */
async function startChanging(version: 18 | 17 | 14): Promise<{
  readonly server: PostgresServer;
  change(method: string): Promise<void>;
  stop(): Promise<void>;
}> {
  const marker = `host all ${ROLE} 127.0.0.1/32`;
  const server = await startPostgres({
    version,
    hba: [`${marker} scram-sha-256`],
    sql: [
      "SET password_encryption = 'scram-sha-256'; " +
      `CREATE ROLE ${ROLE} LOGIN PASSWORD '${PASSWORD}'`,
    ],
  });
  await server.sql(`CREATE TABLE runs (id int); GRANT ALL ON runs TO ${ROLE}`, "app");
  const path = join(server.socketDirectory, "data", "pg_hba.conf");
  const before = readFileSync(path, "utf8");
  let reloads = 0;
  return {
    server,
    stop: server.stop,
    async change(method) {
      writeFileSync(path, before.replace(`${marker} scram-sha-256`, `${marker} ${method}`));
      await server.sql("SELECT pg_reload_conf()");
      reloads++;
      // One way to match only: with several a search takes for ever.
      await server.logged(new RegExp(`^(?:(?:(?!${RELOADING})[^])*${RELOADING}){${reloads}}`));
    },
  };
}

/** How a new session was authenticated, whether it was guessed right, and how many guesses were wrong. */
async function loginBy(connector: Connector): Promise<readonly [string, boolean, number]> {
  const session = await connector.connect();
  try {
    assert.equal(await valueOf(session, "select current_user"), ROLE);
    const { attempts, saved } = session.report;
    const wrong = attempts.filter(({ error }) => error instanceof WrongGuess).length;
    assert.equal(attempts.length, wrong + 1);
    return [session.authentication.method, saved.earlySasl, wrong];
  } finally {
    await session.close();
  }
}

const changers = await Promise.all(
  ([18, 17, 14] as const).map(async (version) => ({
    version,
    changing: await startIfPossible(() => startChanging(version)),
  })),
);
const pooler = await startIfPossible(async () => {
  debianProgram("pgbouncer");
  const server = await startPostgres({ tls: false });
  const databases = { app: `host=127.0.0.1 port=${server.port} dbname=app user=trust_user` };
  const users = { [ROLE]: PASSWORD };
  const scram = await startPgBouncer({ authType: "scram-sha-256", users, databases });
  const trust = await startPgBouncer({ authType: "trust", users, databases });
  return {
    scram,
    trust,
    async stop() {
      await Promise.all([scram.stop(), trust.stop()]);
      await server.stop();
    },
  };
});

for (const { version, changing } of changers) {
  const { skip } = changing;

  for (const [channel, parameters] of [["plaintext", PLAIN], ["TLS", VERIFIED]] as const) {
    test(`PostgreSQL ${version} over ${channel}: a method that changes costs one connection`, {
      skip,
    }, async () => {
      const { server, change } = changing.get();
      const connector = connectorTo(server, parameters);
      assert.deepEqual(await loginBy(connector), ["scram-sha-256", false, 0]);
      assert.deepEqual(await loginBy(connector), ["scram-sha-256", true, 0]);
      await change("trust");
      assert.deepEqual(await loginBy(connector), ["none", false, 1]);
      assert.deepEqual(await loginBy(connector), ["none", false, 0]);
      await change("scram-sha-256");
      assert.deepEqual(await loginBy(connector), ["scram-sha-256", false, 0]);
      await change("password");
      assert.deepEqual(await loginBy(connector), ["password", false, 1]);
      assert.deepEqual(await loginBy(connector), ["password", false, 0]);
      // The server's line about a message nobody asked for is the only trace.
      await change("scram-sha-256");
      assert.deepEqual(await loginBy(connector), ["scram-sha-256", false, 0]);
      await change("reject");
      const error = await rejection(connector.connect());
      assert.equal(error.sqlState, "28000");
      assert.equal(error.attempts?.length, 1);
      await change("scram-sha-256");
    });
  }

  test(
    `PostgreSQL ${version}: a first query is run once, whatever was guessed`,
    { skip },
    async () => {
      const { server, change } = changing.get();
      await server.sql("TRUNCATE runs", "app");
      const connector = connectorTo(server, PLAIN, "insert into runs values (1) returning id");
      const methods = ["trust", "trust", "scram-sha-256", "trust", "password", "md5", "trust"];
      for (const method of methods) {
        await change(method);
        const session = await connector.connect();
        assert.equal((await session.firstResult)?.[0]?.rows.length, 1);
        await session.close();
      }
      await change("scram-sha-256");
      const session = await connectorTo(server, PLAIN).connect();
      assert.equal(await valueOf(session, "select count(*) from runs"), String(methods.length));
      await session.close();
      assert.ok(connector.statistics.wrongGuesses > 0);
      assert.ok(connector.statistics.earlyQueries > 0);
    },
  );

  test(
    `PostgreSQL ${version}: with a wrong password the first query is not run`,
    { skip },
    async () => {
      const { server } = changing.get();
      await server.sql("TRUNCATE runs", "app");
      const connector = createConnector({ ...targetOf(server, ROLE, PLAIN), password: "wrong" }, {
        firstQuery: "insert into runs values (1)",
      });
      for (const _ of [1, 2]) {
        assert.equal((await rejection(connector.connect())).sqlState, "28P01");
      }
      assert.equal(connector.statistics.keysHeld, 0);
      const session = await connectorTo(server, PLAIN).connect();
      assert.equal(await valueOf(session, "select count(*) from runs"), "0");
      await session.close();
    },
  );

  test(`PostgreSQL ${version}: a password that was changed is taken, with keys of its own`, {
    skip,
  }, async () => {
    const { server } = changing.get();
    const passwords = [PASSWORD, "another"];
    const connector = createConnector(targetOf(server, ROLE, PLAIN), {
      password: () => passwords[0] ?? "",
    });
    assert.deepEqual(await loginBy(connector), ["scram-sha-256", false, 0]);
    await server.sql(`ALTER ROLE ${ROLE} PASSWORD 'another'`);
    assert.equal((await rejection(connector.connect())).sqlState, "28P01");
    passwords.shift();
    assert.deepEqual(await loginBy(connector), ["scram-sha-256", true, 0]);
    await server.sql(`ALTER ROLE ${ROLE} PASSWORD '${PASSWORD}'`);
  });
}

function connectorTo(
  server: { readonly port: number },
  parameters: Parameters,
  firstQuery?: string,
): Connector {
  const target = {
    ...targetOf(server, ROLE, parameters),
    host: "localhost",
    hostaddr: "127.0.0.1",
  };
  return createConnector({ ...target, password: PASSWORD }, {
    ...(firstQuery === undefined ? {} : { firstQuery }),
  });
}

for (const [channel, parameters] of [["plaintext", PLAIN], ["TLS", VERIFIED]] as const) {
  test(`PgBouncer over ${channel}: SASLInitialResponse and the first query leave early`, {
    skip: pooler.skip,
  }, async () => {
    const connector = connectorTo(pooler.get().scram, parameters, "select 42");
    for (const early of [false, true]) {
      const session = await connector.connect();
      assert.equal((await session.firstResult)?.[0]?.rows[0]?.[0], "42");
      assert.deepEqual([session.report.saved.earlySasl, session.report.saved.earlyQuery], [
        early,
        true,
      ]);
      await session.close();
    }
    // A pooler that knows the password itself makes up a salt for every login: there is nothing to keep.
    assert.equal(connector.statistics.keyDerivations, 2);
  });
}

test(
  "PgBouncer with trust: the first query leaves with StartupMessage",
  { skip: pooler.skip },
  async () => {
    const connector = connectorTo(pooler.get().trust, PLAIN, "select 42");
    for (const early of [false, true]) {
      const session = await connector.connect();
      assert.equal((await session.firstResult)?.[0]?.rows[0]?.[0], "42");
      assert.equal(session.report.saved.earlyQuery, early);
      await session.close();
    }
  },
);
