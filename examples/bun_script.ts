/**
 * A script for Bun: one transaction, undone by the server if anything goes wrong in it.
 *
 *   bun examples/bun_script.ts "postgres://app:secret@db.example/app?sslmode=verify-full&sslrootcert=system"
 */
// In your own program: from "pg-handshake".
import { connect } from "../mod.ts";

const session = await connect(process.argv[2]);
try {
  await session.query("begin");
  await session.query("create temporary table visits (at timestamptz default now())");
  await session.query("insert into visits default values; insert into visits default values");
  const [count] = await session.query("select count(*) from visits");
  console.log(`${count?.rows[0]?.[0]} visits, transaction status ${session.transactionStatus}`);
  await session.query("commit");
} finally {
  // Without commit the server rolls back.
  await session.close();
}
