/**
 * Measures on every runtime how long the event loop is blocked by connects and by a large result, against a throw-away
 * PostgreSQL 18 on loopback: how late a timer is that ticks every millisecond, at worst in each round. "nothing" shows
 * what the runtime and the machine do by themselves.
 *
 *   deno run -A bench/blocking.ts [rounds]
 */
import { join } from "node:path";
import process from "node:process";
import { execute } from "../tests/support/execute.ts";
import { startPostgres } from "../tests/support/postgres.ts";
import { repositoryRoot } from "../tests/support/repository.ts";
import { getRuntime, type Runtime, type RuntimeName } from "../tests/support/runtimes.ts";
import type { BlockingSample, BlockingTask } from "./blocking_client.ts";

const RUNTIMES: readonly RuntimeName[] = ["deno", "bun", "node-26"];
const ROUNDS = 10;
const PASSWORD = "pencil";
const USERS: Readonly<Record<string, string>> = { 4096: "bench_4096", 100_000: "bench_100000" };

const rounds = Number(process.argv[2] ?? ROUNDS);
const server = await startPostgres({
  version: 18,
  settings: { log_connections: "off", max_connections: "150" },
  hba: Object.values(USERS).map((user) => `host all ${user} 127.0.0.1/32 scram-sha-256`),
  // One text each, as every one of them has a session of its own.
  sql: Object.entries(USERS).map(([iterations, user]) =>
    `SET scram_iterations = ${iterations}; CREATE ROLE ${user} LOGIN PASSWORD '${PASSWORD}'; ` +
    `DO $$ BEGIN ASSERT (SELECT rolpassword LIKE 'SCRAM-SHA-256\$${iterations}:%' FROM pg_authid ` +
    `WHERE rolname = '${user}'); END $$`
  ),
});
try {
  const task: BlockingTask = { port: server.port, password: PASSWORD, users: USERS, rounds };
  console.log(`how late a timer of 1 ms was at worst in each of ${rounds} rounds, in milliseconds`);
  console.log(row(["work", "runtime", "median", "worst"]));
  for (const name of RUNTIMES) {
    const runtime = await getRuntime(name);
    for (const { work, longestMs } of await measureOn(runtime, task)) {
      const sorted = [...longestMs].sort((a, b) => a - b);
      const shown = [sorted[sorted.length >> 1], sorted.at(-1)].map((ms) => ms?.toFixed(1) ?? "-");
      console.log(row([work, `${name.split("-")[0]} ${runtime.version}`, ...shown]));
    }
  }
} finally {
  await server.stop();
}

async function measureOn(runtime: Runtime, task: BlockingTask): Promise<readonly BlockingSample[]> {
  const flags = runtime.name === "deno" ? ["run", "--quiet", "--no-check", "-A"] : [];
  const client = join(repositoryRoot(), "bench", "blocking_client.ts");
  const { ok, output } = await execute(runtime.executable, [
    ...flags,
    client,
    JSON.stringify(task),
  ]);
  const line = output.split("\n").find((one) => one.startsWith("["));
  if (!ok || line === undefined) throw new Error(`Cannot measure on ${runtime.name}: ${output}`);
  return JSON.parse(line) as readonly BlockingSample[];
}

function row(cells: readonly string[]): string {
  const widths = [28, 14, 8, 8];
  return cells.map((cell, at) => {
    const width = widths[at] ?? 0;
    return at < 2 ? cell.padEnd(width) : cell.padStart(width);
  }).join("");
}
