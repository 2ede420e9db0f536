/**
 * Several hosts, one of which takes writes: connects to whichever that is, and says what became of the others.
 *
 *   deno run -A examples/failover.ts \
 *     "postgres://app@db1.example,db2.example/app?sslmode=verify-full&sslrootcert=system&target_session_attrs=read-write&connect_timeout=3"
 */
import process from "node:process";
// In your own program: from "pg-handshake".
import { connect, ConnectError } from "../mod.ts";

try {
  await using session = await connect(process.argv[2]);
  console.log(String(session.report)); // one line a host: why it was left, or how long it took
  const [result] = await session.query("show transaction_read_only");
  console.log(`port ${session.address.remotePort}, read-only: ${result?.rows[0]?.[0]}`);
} catch (error) {
  // Every host has been tried; `attempts` says of each how far it came.
  if (!(error instanceof ConnectError)) throw error;
  for (const { host, port, phase, error: reason } of error.attempts) {
    console.error(`${host}:${port} failed at "${phase}": ${reason?.message}`);
  }
  process.exitCode = 1;
}
