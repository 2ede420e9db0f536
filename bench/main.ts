/**
 * Measures what a connect costs, ours and others', side by side in one run: `deno task bench`. Starts its own servers.
 *
 *   --only latency,burst      these parts: flights, latency, burst, profile, memory, size, import, start, decode, bridge
 *   --runtimes deno,bun,node  these runtimes; deno,bun,node-26 unless said; "node" stands for 20 and 26
 *   --rounds 16 --batch 10    how often, and how many connects at a stretch
 *   --quick                   few rounds
 *   --output file.json        where every figure goes; bench/results.json unless said
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { MachineUnavailable } from "../tests/support/machines.ts";
import {
  type PostgresServer,
  type PostgresVersion,
  startPostgres,
} from "../tests/support/postgres.ts";
import { installPackages } from "../tests/support/prepare.ts";
import { repositoryRoot } from "../tests/support/repository.ts";
import { getRuntime, type Runtime } from "../tests/support/runtimes.ts";
import { type Bench, type PartResult, runtimeTitle } from "./bench.ts";
import { buildPrograms } from "./build.ts";
import { type ContenderName, CONTENDERS } from "./contenders/table.ts";
import { findLibpqs } from "./libpq.ts";
import { Mistake, type PartName, readOptions } from "./options.ts";
import { measureBridge } from "./parts/bridge.ts";
import { measureBurst } from "./parts/burst.ts";
import { measureDecode } from "./parts/decode.ts";
import { measureFlights } from "./parts/flights.ts";
import { measureImport } from "./parts/import.ts";
import { measureLatency } from "./parts/latency.ts";
import { measureMemory } from "./parts/memory.ts";
import { measureProfile } from "./parts/profile.ts";
import { measureSize } from "./parts/size.ts";
import { measureStart } from "./parts/start.ts";
import { markdownOf, surroundingsOf } from "./report.ts";

const MEASURE: Readonly<Record<PartName, (bench: Bench) => Promise<PartResult>>> = {
  flights: measureFlights,
  latency: measureLatency,
  burst: measureBurst,
  profile: measureProfile,
  memory: measureMemory,
  size: measureSize,
  import: measureImport,
  start: measureStart,
  decode: measureDecode,
  bridge: measureBridge,
};
const PEERS: readonly string[] = ["pg", "pg-protocol", "postgres", "pgwire"];
/** Sessions of a memory measurement, of every contender at once. */
const MAX_CONNECTIONS = "300";

try {
  await main();
} catch (error) {
  if (!(error instanceof Mistake)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const options = readOptions(args);
  await installPackages();
  const servers = await startServers(options.parts.includes("flights") ? [18, 17, 14] : [18]);
  try {
    const bench: Bench = {
      options,
      runtimes: await Promise.all(options.runtimes.map(getRuntime)),
      servers,
      libpqs: await findLibpqs(),
      folder: await buildPrograms(["worker", "start_client", "decode_worker", "bridge_client"]),
      contendersOn,
      progress,
    };
    const results: PartResult[] = [];
    for (const part of options.parts) results.push(await MEASURE[part](bench));
    progress("");
    const surroundings = surroundingsOf(bench, args, PEERS.map(versionOf));
    writeFileSync(options.output, `${JSON.stringify({ surroundings, results }, undefined, 1)}\n`);
    process.stdout.write(
      `${markdownOf(surroundings, results, bench.runtimes.map(runtimeTitle))}\n`,
    );
  } finally {
    for (const server of servers.values()) await server.stop();
  }
}

async function startServers(
  versions: readonly PostgresVersion[],
): Promise<ReadonlyMap<number, PostgresServer>> {
  const servers = new Map<number, PostgresServer>();
  for (const version of versions) {
    try {
      const settings = { log_connections: "off", max_connections: MAX_CONNECTIONS };
      servers.set(version, await startPostgres({ version, settings }));
    } catch (error) {
      // PostgreSQL 14 is not there for every platform.
      if (version === 18 || !(error instanceof MachineUnavailable)) throw error;
      process.stderr.write(`left out: ${error.message}\n`);
    }
  }
  return servers;
}

function contendersOn({ name: runtime }: Runtime): readonly ContenderName[] {
  return CONTENDERS.filter((contender) => {
    if (contender === "Bun.sql") return runtime === "bun";
    // It says that it is for Deno and Node.
    if (contender === "pgwire") return runtime !== "bun";
    return true;
  });
}

function versionOf(name: string): string {
  const file = join(repositoryRoot(), "node_modules", name, "package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return `${name} ${version}`;
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
