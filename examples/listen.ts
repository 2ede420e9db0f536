/**
 * Works off a queue that is announced by NOTIFY, and comes back by itself when the server goes away.
 *
 *   deno run -A examples/listen.ts "postgres://app@db.example/app?sslmode=require" jobs
 *   psql -c "notify jobs, 'a job'"; psql -c "notify jobs, 'stop'"
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
// In your own program: from "pg-handshake".
import { connect, ConnectError, PgHandshakeError } from "../mod.ts";

const [target, channel = "jobs"] = process.argv.slice(2);

/** Listens until it is told to stop. */
async function listen(): Promise<void> {
  await using session = await connect(target, { signal: AbortSignal.timeout(5_000) });
  await using jobs = await session.listen(channel);
  console.log(`listening on ${channel}`);
  // What was missed while nobody listened: read the queue's table here.
  for await (const { payload, processId } of jobs) {
    console.log(`${processId} says: ${payload}`);
    if (payload === "stop") return;
  }
}

for (let delayMs = 100;; delayMs = Math.min(delayMs * 2, 10_000)) {
  try {
    await listen();
    break;
  } catch (error) {
    // A server that shuts down says so: SQLSTATE 57P01.
    if (!(error instanceof PgHandshakeError) && !(error instanceof ConnectError)) throw error;
    console.log(`${error.message} (${error.sqlState}); again in ${delayMs} ms`);
    await sleep(delayMs);
  }
}
