/**
 * postgres.js over connections this package opens.
 *
 *   deno run -A examples/postgres_js.ts "postgres://app:secret@db.example/app?sslmode=verify-full&sslrootcert=system"
 *   bun examples/postgres_js.ts ...
 *   node examples/postgres_js.ts ...                                                (Node 24 and later)
 */
import process from "node:process";
import postgres from "postgres";
// In your own program: from "pg-handshake/bridge/postgres".
import { postgresSocket } from "../src/bridge/postgres.ts";

// The option socket is missing in the types of postgres.js 3.4.
const options = { socket: postgresSocket(process.argv[2]), ssl: false } as const;
const sql = postgres(options);
try {
  const [row] = await sql`select current_user as who, ${1}::int + 1 as two`;
  console.log(`row      ${JSON.stringify(row)}`);
  await sql.begin(async (tx) => {
    const [{ status }] = await tx`select pg_current_xact_id_if_assigned() is null as status` as [
      { status: boolean },
    ];
    console.log(`begin    nothing written yet: ${status}`);
  });
} finally {
  await sql.end();
}
