/**
 * Drizzle on a pool of node-postgres whose connections this package opens.
 *
 *   node examples/drizzle.ts "postgres://app:secret@db.example/app?sslmode=verify-full&sslrootcert=system"
 */
import process from "node:process";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { integer, pgTable, text } from "drizzle-orm/pg-core";
import pg from "pg";
// In your own program: from "pg-handshake/bridge/pg".
import { pgStream } from "../src/bridge/pg.ts";

const items = pgTable("items", { id: integer("id").primaryKey(), name: text("name") });

const pool = new pg.Pool({ stream: pgStream(process.argv[2]), ssl: false });
const db = drizzle({ client: pool });
try {
  await db.transaction(async (tx) => {
    await tx.execute(
      sql`create temp table items (id int primary key, name text) on commit drop`,
    );
    await tx.insert(items).values([{ id: 1, name: "one" }, { id: 2, name: "two" }]);
    console.log(`rows     ${JSON.stringify(await tx.select().from(items).orderBy(items.id))}`);
  });
} finally {
  await pool.end();
}
