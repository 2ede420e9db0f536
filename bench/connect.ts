/**
 * Measures connect() and close() on every runtime against a throw-away PostgreSQL 18 on loopback: time until the
 * session is there, and processor time of opening and closing it. Beside it a bare socket (trust only), and `pg` if
 * somebody has installed it (`npm install --no-save pg`). All contenders take turns within one run; ratios are medians
 * of the rounds' own ratios, so they hold although the milliseconds drift.
 *
 *   deno run -A bench/connect.ts [rounds]
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { certificateText } from "../tests/support/certificates.ts";
import { execute } from "../tests/support/execute.ts";
import { SCRAM_PASSWORD, startPostgres } from "../tests/support/postgres.ts";
import { repositoryRoot } from "../tests/support/repository.ts";
import { getRuntime, type Runtime, type RuntimeName } from "../tests/support/runtimes.ts";
import type { BenchTask, Contender, Sample, Way } from "./connect_client.ts";

const RUNTIMES: readonly RuntimeName[] = ["deno", "bun", "node-26"];
const ROUNDS = 10;
const BATCH = 10;

const rounds = Number(process.argv[2] ?? ROUNDS);
const hasPg = existsSync(join(repositoryRoot(), "node_modules", "pg"));
const peers: readonly Contender[] = hasPg ? ["pg"] : [];
const scram = { user: "scram_user", password: SCRAM_PASSWORD };
const ways: readonly Way[] = [
  {
    name: "trust",
    user: "trust_user",
    password: undefined,
    encryption: "plain",
    contenders: ["ours", "bare", ...peers],
  },
  { name: "scram", ...scram, encryption: "plain", contenders: ["ours", ...peers] },
  {
    name: "SSLRequest + scram",
    ...scram,
    encryption: "ssl-request",
    contenders: ["ours", ...peers],
  },
  { name: "direct + scram", ...scram, encryption: "direct", contenders: ["ours", ...peers] },
];

const server = await startPostgres({ version: 18, settings: { log_connections: "off" } });
try {
  const { port } = server;
  const task: BenchTask = { port, roots: certificateText("ca.crt"), ways, rounds, batch: BATCH };
  const results: [title: string, samples: readonly Sample[]][] = [];
  for (const name of RUNTIMES) {
    const runtime = await getRuntime(name);
    results.push([`${name.split("-")[0]} ${runtime.version}`, await measureOn(runtime, task)]);
  }
  print(results);
} finally {
  await server.stop();
}

async function measureOn(runtime: Runtime, task: BenchTask): Promise<readonly Sample[]> {
  const flags = runtime.name === "deno" ? ["run", "--quiet", "--no-check", "-A"] : [];
  const client = join(repositoryRoot(), "bench", "connect_client.ts");
  const { ok, output } = await execute(runtime.executable, [
    ...flags,
    client,
    JSON.stringify(task),
  ]);
  const line = output.split("\n").find((one) => one.startsWith("["));
  if (!ok || line === undefined) throw new Error(`Cannot measure on ${runtime.name}: ${output}`);
  return JSON.parse(line) as readonly Sample[];
}

function print(results: readonly (readonly [title: string, samples: readonly Sample[]])[]): void {
  console.log(`medians of ${rounds} rounds of ${BATCH} connects; "/ x" is the ratio to x`);
  if (!hasPg) console.log("pg is not installed, so it is left out (npm install --no-save pg)");
  console.log(row(["", "", "ready, ms", "", "", "CPU, ms", "", ""]));
  console.log(row(["way", "runtime", "ours", "/ bare", "/ pg", "ours", "/ bare", "/ pg"]));
  for (const { name } of ways) {
    for (const [title, all] of results) {
      const samples = all.filter(({ way }) => way === name);
      const cells = (["readyMs", "cpuMs"] as const).flatMap((value) => [
        median(of(samples, "ours").map((one) => one[value])).toFixed(2),
        ratio(samples, "bare", value),
        ratio(samples, "pg", value),
      ]);
      console.log(row([name, title, ...cells]));
    }
  }
}

function of(samples: readonly Sample[], contender: Contender): readonly Sample[] {
  return samples.filter((one) => one.contender === contender);
}

function ratio(
  samples: readonly Sample[],
  contender: Contender,
  value: "readyMs" | "cpuMs",
): string {
  const others = new Map(of(samples, contender).map((one) => [one.round, one[value]]));
  if (others.size === 0) return "-";
  const ours = of(samples, "ours");
  return median(ours.map((one) => one[value] / (others.get(one.round) ?? NaN))).toFixed(2);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}

function row(cells: readonly string[]): string {
  const widths = [20, 14, 9, 8, 8, 9, 8, 8];
  return cells.map((cell, at) => {
    const width = widths[at] ?? 0;
    return at < 2 ? cell.padEnd(width) : cell.padStart(width);
  }).join("");
}
