/**
 * A pool of node-postgres whose connections this package opens.
 *
 *   node examples/pg_pool.ts "postgres://app:secret@db.example/app?sslmode=verify-full&sslrootcert=system"
 */
import process from "node:process";
import pg from "pg";
// In your own program: from "pg-handshake/bridge/pg".
import { pgStream } from "../src/bridge/pg.ts";

const stream = pgStream(process.argv[2], {
  onSession: ({ authentication, channel }) =>
    console.log(
      `session  ${channel.kind}, ${authentication.method}, bound: ${authentication.channelBound}`,
    ),
});
// TLS is the target's business; the driver's own must be off.
const pool = new pg.Pool({ stream, ssl: false, max: 4 });
try {
  const { rows } = await pool.query("select current_user as who, $1::int + 1 as two", [1]);
  console.log(`row      ${JSON.stringify(rows[0])}`);
} catch (error) {
  // The error of the connect itself: with code, sqlState and attempts.
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await pool.end();
}
