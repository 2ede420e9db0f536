import "../support/guard.ts";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import copyStreams from "pg-copy-streams";
import { pgStream } from "../../src/bridge/pg.ts";
import { liveServers } from "../support/live.ts";
import { startIfPossible } from "../support/program.ts";
import { startPostgres } from "../support/postgres.ts";
import { startScripted } from "../support/servers.ts";
import { untilAsleep } from "../live/session_with.ts";
import { errorOf, openSql, targetOf, withPool } from "./drivers.ts";
import { type CountedAdapter, countedAdapter, untilGone } from "./sockets.ts";

const live = await liveServers();
const skip = live.skip(18);
const mortal = await startIfPossible(() => startPostgres({ version: 18 }));

/** Waits until this process has no socket of these left. */
async function untilClosed({ left }: CountedAdapter): Promise<void> {
  while (left() > 0) await delay(5);
}

test("pg: end() leaves no socket", { skip }, async () => {
  const counted = await countedAdapter();
  const server = live.get(18);
  const target = { ...targetOf(server), application_name: "bridge pg end" };
  await withPool(
    target,
    async (pool) => {
      await Promise.all([1, 2, 3].map(() => pool.query("select pg_sleep(0.05)")));
      assert.equal(counted.left(), 3);
    },
    {},
    counted,
  );
  await untilClosed(counted);
  await untilGone(server, "bridge pg end");
  assert.equal(counted.opened(), 3);
});

test("pg: an idle time-out leaves no socket, and the pool goes on", { skip }, async () => {
  const counted = await countedAdapter();
  await withPool(
    targetOf(live.get(18)),
    async (pool) => {
      const removed = once(pool, "remove");
      await pool.query("select 1");
      await removed;
      await untilClosed(counted);
      await pool.query("select 1");
    },
    { idleTimeoutMillis: 20 },
    counted,
  );
  await untilClosed(counted);
  assert.equal(counted.opened(), 2);
});

for (const way of ["TCP", "a Unix socket"]) {
  test(`pg over ${way}: why a server ended the session arrives, though the thread was busy`, {
    skip,
  }, async () => {
    const server = live.get(18);
    const host = way === "TCP" ? "127.0.0.1" : server.socketDirectory;
    const client = new pg.Client({ stream: pgStream({ ...targetOf(server), host }), ssl: false });
    const heard: unknown[] = [];
    client.on("error", (error) => heard.push(error));
    await client.connect();
    const { processID } = client as unknown as { processID: number };
    // Nothing is read meanwhile, so that the write finds the server gone and its last word unread.
    const untilGone = `kill -TERM ${processID}; while kill -0 ${processID}; do sleep 0.01; done`;
    execFileSync("sh", ["-c", untilGone], { stdio: "ignore" });
    heard.push(await errorOf(client.query("select 1")));
    const codes = heard.map((error) => (error as { code?: string }).code);
    assert.ok(codes.includes("57P01"), `heard of ${codes}`);
    await client.end();
  });
}

test("pg: a query time-out and a destroyed stream leave no socket", { skip }, async () => {
  const counted = await countedAdapter();
  const server = live.get(18);
  const target = { ...targetOf(server), application_name: "bridge pg destroy" };
  await withPool(
    target,
    async (pool) => {
      const client = await pool.connect();
      client.on("error", () => {});
      const failed = errorOf(client.query("select count(*) from generate_series(1, 1000)"));
      (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream
        .destroy();
      assert.match((await failed).message, /Connection terminated/);
      client.release(true);
      await pool.query("select 1");
    },
    {},
    counted,
  );
  await untilClosed(counted);
  await untilGone(server, "bridge pg destroy");
});

test("pg: a client left in the middle of COPY out leaves no socket", { skip }, async () => {
  const counted = await countedAdapter();
  const server = live.get(18);
  const target = { ...targetOf(server), application_name: "bridge pg copy" };
  const client = new pg.Client({ stream: pgStream(target, counted), ssl: false });
  client.on("error", () => {});
  await client.connect();
  const out = client.query(
    copyStreams.to("copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout"),
  );
  out.on("error", () => {});
  await once(out, "readable");
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream
    .destroy();
  await untilClosed(counted);
  await untilGone(server, "bridge pg copy");
});

test("pg: a connect that times out is given up", { skip: false }, async () => {
  const silent = await startScripted([{ wait: true }]);
  const counted = await countedAdapter();
  try {
    const error = await errorOf(withPool(targetOf(silent), (pool) => pool.connect(), {
      connectionTimeoutMillis: 50,
    }, counted));
    assert.match(error.message, /timeout/);
    await untilClosed(counted);
    assert.equal(counted.opened(), 1);
  } finally {
    await silent.close();
  }
});

test("pg: end() during the connect gives it up", { skip: false }, async () => {
  const silent = await startScripted([{ wait: true }]);
  const counted = await countedAdapter();
  try {
    const client = new pg.Client({ stream: pgStream(targetOf(silent), counted), ssl: false });
    client.on("error", () => {});
    const connecting = client.connect();
    connecting.catch(() => {});
    while (counted.opened() === 0) await delay(5);
    await client.end();
    await untilClosed(counted);
  } finally {
    await silent.close();
  }
});

test("postgres.js: end() leaves no socket", { skip }, async () => {
  const counted = await countedAdapter();
  const server = live.get(18);
  const target = { ...targetOf(server), application_name: "bridge postgres end" };
  const sql = openSql(target, {}, counted);
  await Promise.all([1, 2, 3].map(() => sql`select pg_sleep(0.05)`));
  assert.ok(counted.left() > 0);
  await sql.end();
  await untilClosed(counted);
  await untilGone(server, "bridge postgres end");
});

test("postgres.js: end({ timeout: 0 }) in a query, and in COPY out, leaves no socket", {
  skip,
}, async () => {
  const server = live.get(18);
  for (const use of ["query", "copy"] as const) {
    const counted = await countedAdapter();
    const target = { ...targetOf(server), application_name: "bridge postgres destroy" };
    // postgres.js asks for types first, and nobody hears what becomes of that question if it is cut short.
    const sql = openSql(target, { max: 1, fetch_types: false }, counted);
    if (use === "query") {
      const failed = errorOf(sql`select pg_sleep(1)`);
      while (counted.opened() === 0) await delay(5);
      await sql.end({ timeout: 0 });
      assert.equal((await failed).code, "CONNECTION_DESTROYED");
    } else {
      const out = await sql`
        copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout`.readable();
      out.on("error", () => {});
      await once(out, "readable");
      await sql.end({ timeout: 0 });
    }
    await untilClosed(counted);
    await untilGone(server, "bridge postgres destroy");
  }
});

test("postgres.js: an idle time-out and an old connection leave no socket", { skip }, async () => {
  const counted = await countedAdapter();
  const sql = openSql(targetOf(live.get(18)), { idle_timeout: 0.02, max: 2 }, counted);
  await sql`select 1`;
  await untilClosed(counted);
  await sql`select 1`;
  assert.equal(counted.opened(), 2);
  await sql.end();
  await untilClosed(counted);
});

test("postgres.js: a connect that times out is given up", { skip: false }, async () => {
  const silent = await startScripted([{ wait: true }]);
  const counted = await countedAdapter();
  const sql = openSql(targetOf(silent), { connect_timeout: 0.05, max: 1 }, counted);
  try {
    assert.equal((await errorOf(sql`select 1`)).code, "CONNECT_TIMEOUT");
    await untilClosed(counted);
  } finally {
    await sql.end({ timeout: 0 });
    await silent.close();
  }
});

test("a server that is shut down leaves no socket, and its last word arrives", {
  skip: mortal.skip,
}, async () => {
  const counted = await countedAdapter();
  const target = targetOf(mortal.get());
  const client = new pg.Client({ stream: pgStream(target, counted), ssl: false });
  const errors: { code?: string }[] = [];
  client.on("error", (error) => void errors.push(error as { code?: string }));
  await client.connect();
  // Not once(), which an event 'error' rejects.
  const ended = new Promise((done) => client.on("end", () => done(undefined)));
  const sql = openSql(target, { max: 1 }, counted);
  const [row] = await sql`select pg_backend_pid() as pid`;
  const sleeping = errorOf(sql`select pg_sleep(60)`);
  const waiting = errorOf(client.query("select pg_sleep(60)"));
  await untilAsleep(mortal.get(), Number(row?.["pid"]));
  await untilAsleep(mortal.get(), (client as unknown as { processID: number }).processID);
  await mortal.get().stop();
  // The server's last word reaches both; postgres.js keeps it to itself.
  assert.equal((await sleeping).code, "CONNECTION_CLOSED");
  assert.equal((await waiting).code, "57P01");
  await ended;
  await untilClosed(counted);
  assert.equal(counted.opened(), 2);
  await sql.end({ timeout: 0 });
});
