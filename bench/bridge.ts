/**
 * Measures pg and postgres.js over a bridge against the same driver alone, on every runtime, against a throw-away
 * PostgreSQL 18 on loopback: a result of 100 MB, and small queries one after the other. Driver and bridge take turns
 * within one run; ratios are medians of the rounds' own ratios, so they hold although the milliseconds drift. A ratio
 * is the speed over the bridge by the speed alone: 1.00 is as fast, 0.97 is 3 % slower.
 *
 *   deno run -A bench/bridge.ts [rounds] [runtimes, as in node,bun]
 */
import { join } from "node:path";
import process from "node:process";
import { certificateText } from "../tests/support/certificates.ts";
import { execute } from "../tests/support/execute.ts";
import { SCRAM_PASSWORD, startPostgres } from "../tests/support/postgres.ts";
import { repositoryRoot } from "../tests/support/repository.ts";
import { getRuntime, type Runtime, type RuntimeName } from "../tests/support/runtimes.ts";
import type { BenchTask, Sample } from "./bridge_client.ts";

const RUNTIMES: readonly RuntimeName[] = ["node-26", "deno", "bun"];
const ROUNDS = 15;

const rounds = Number(process.argv[2] ?? ROUNDS);
const wanted = process.argv[3]?.split(",");
const server = await startPostgres({ version: 18, settings: { log_connections: "off" } });
try {
  const task: BenchTask = {
    port: server.port,
    user: "scram_user",
    password: SCRAM_PASSWORD,
    roots: certificateText("ca.crt"),
    rounds,
  };
  console.log(
    `medians of ${rounds} rounds; "ratio" is the speed over the bridge by that of the driver alone`,
  );
  console.log(
    row(["", "", "100 MB, MB/s", "", "", "1 query, µs", "", ""]),
  );
  console.log(row(["runtime", "driver", "alone", "bridge", "ratio", "alone", "bridge", "ratio"]));
  for (const name of RUNTIMES) {
    if (wanted !== undefined && !wanted.some((one) => name.startsWith(one))) continue;
    const runtime = await getRuntime(name);
    print(`${name.split("-")[0]} ${runtime.version}`, await measureOn(runtime, task));
  }
} finally {
  await server.stop();
}

async function measureOn(runtime: Runtime, task: BenchTask): Promise<readonly Sample[]> {
  const flags = runtime.name === "deno" ? ["run", "--quiet", "--no-check", "-A"] : [];
  const client = join(repositoryRoot(), "bench", "bridge_client.ts");
  const { ok, output } = await execute(runtime.executable, [
    ...flags,
    client,
    JSON.stringify(task),
  ]);
  const line = output.split("\n").find((one) => one.startsWith("["));
  if (!ok || line === undefined) throw new Error(`Cannot measure on ${runtime.name}: ${output}`);
  return JSON.parse(line) as readonly Sample[];
}

function print(title: string, samples: readonly Sample[]): void {
  for (const way of new Set(samples.map(({ way }) => way))) {
    const all = samples.filter((one) => one.way === way);
    const of = (contender: Sample["contender"]): readonly Sample[] =>
      all.filter((one) => one.contender === contender);
    const alone = of("alone");
    const bridge = of("bridge");
    const ratios = (value: "megabytesPerS" | "queryUs"): string => {
      const each = bridge.map((one, at) => one[value] / (alone[at]?.[value] ?? NaN));
      return median(value === "queryUs" ? each.map((one) => 1 / one) : each).toFixed(3);
    };
    console.log(row([
      title,
      way,
      median(alone.map((one) => one.megabytesPerS)).toFixed(0),
      median(bridge.map((one) => one.megabytesPerS)).toFixed(0),
      ratios("megabytesPerS"),
      median(alone.map((one) => one.queryUs)).toFixed(1),
      median(bridge.map((one) => one.queryUs)).toFixed(1),
      ratios("queryUs"),
    ]));
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}

function row(cells: readonly string[]): string {
  const widths = [16, 20, 14, 8, 8, 13, 8, 8];
  return cells.map((cell, at) => {
    const width = widths[at] ?? 0;
    return at < 2 ? cell.padEnd(width) : cell.padStart(width);
  }).join("");
}
