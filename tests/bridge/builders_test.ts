import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { PrismaPg } from "@prisma/adapter-pg";
import { sql as drizzleText } from "drizzle-orm";
import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePostgres } from "drizzle-orm/postgres-js";
import { integer, pgTable, text } from "drizzle-orm/pg-core";
import knex from "knex";
import { Kysely, PostgresDialect, sql as kyselyText } from "kysely";
import { pgStream } from "../../src/bridge/pg.ts";
import { liveServers } from "../support/live.ts";
import { recordSessions, targetOf, WAYS, withPool, withSql } from "./drivers.ts";

const live = await liveServers();
const skip = live.skip(18);
const target = () => targetOf(live.get(18), WAYS[1]?.[1]);

const items = pgTable("items", { id: integer("id").primaryKey(), name: text("name") });
const ITEMS = [{ id: 1, name: "one" }, { id: 2, name: "two" }];
const CREATE = "create temp table items (id int primary key, name text)";

test("Kysely on a pool: queries and a transaction", { skip }, async () => {
  await withPool(target(), async (pool) => {
    const db = new Kysely<{ items: { id: number; name: string } }>({
      dialect: new PostgresDialect({ pool }),
    });
    await db.transaction().execute(async (tx) => {
      await kyselyText.raw(CREATE).execute(tx);
      await tx.insertInto("items").values(ITEMS).execute();
      assert.deepEqual(
        await tx.selectFrom("items").selectAll().where("id", ">", 1).execute(),
        ITEMS.slice(1),
      );
      await kyselyText`drop table items`.execute(tx);
    });
  }, { max: 1 });
});

test("Drizzle on a pool of pg: queries and a transaction", { skip }, async () => {
  await withPool(target(), async (pool) => {
    const db = drizzlePg({ client: pool });
    await db.transaction(async (tx) => {
      await tx.execute(drizzleText.raw(CREATE));
      await tx.insert(items).values(ITEMS);
      assert.deepEqual(await tx.select().from(items).orderBy(items.id), ITEMS);
      await tx.execute(drizzleText`drop table items`);
    });
  }, { max: 1 });
});

test("Drizzle on postgres.js: queries and a transaction", { skip }, async () => {
  await withSql(target(), async (sql) => {
    const db = drizzlePostgres({ client: sql });
    await db.transaction(async (tx) => {
      await tx.execute(drizzleText.raw(CREATE));
      await tx.insert(items).values(ITEMS);
      assert.deepEqual(await tx.select().from(items).orderBy(items.id), ITEMS);
      await tx.execute(drizzleText`drop table items`);
    });
  }, { max: 1 });
});

test("Knex with its own pool: queries and a transaction", { skip }, async () => {
  const { facts, bridge } = recordSessions();
  const connection = { stream: pgStream(target(), bridge), ssl: false };
  const db = knex({ client: "pg", connection, pool: { min: 0, max: 2 } });
  try {
    await db.transaction(async (tx) => {
      await tx.raw(CREATE);
      await tx("items").insert(ITEMS);
      assert.deepEqual(await tx("items").select("*").orderBy("id"), ITEMS);
      await tx.raw("drop table items");
    });
    const [{ pid }] = await db.select(db.raw("pg_backend_pid() as pid")) as [{ pid: number }];
    assert.ok(facts.some(({ processId }) => processId === pid));
  } finally {
    await db.destroy();
  }
});

test("Prisma's adapter for pg: queries and a transaction", { skip }, async () => {
  const factory = new PrismaPg({ stream: pgStream(target()), ssl: false, max: 1 });
  const adapter = await factory.connect();
  const noArguments = { args: [], argTypes: [] };
  try {
    const tx = await adapter.startTransaction();
    await tx.executeRaw({ sql: CREATE, ...noArguments });
    const inserted = await tx.executeRaw({
      sql: "insert into items values ($1, $2)",
      args: [7, "seven"],
      argTypes: [
        { scalarType: "int", arity: "scalar" },
        { scalarType: "string", arity: "scalar" },
      ],
    });
    assert.equal(inserted, 1);
    const { columnNames, rows } = await tx.queryRaw({
      sql: "select id, name from items",
      ...noArguments,
    });
    assert.deepEqual({ columnNames, rows }, { columnNames: ["id", "name"], rows: [[7, "seven"]] });
    await tx.executeRaw({ sql: "rollback", ...noArguments });
    await tx.rollback();
  } finally {
    await adapter.dispose();
  }
});
