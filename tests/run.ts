/**
 * Runs every test file on every runtime: `deno task test`. Needs Deno and a registry, nothing else.
 *
 *   --only deno,bun     these runtimes only
 *   --filter text       only files whose path holds the text
 *   --list              prints the files and the runtimes, runs nothing
 *
 * With `REQUIRE_ALL=1` a skipped test is a failure, and so is a runtime or server that is not there. A test that belongs to another runtime is no test here: its reason
 * (or, for tests of Node only, its title, as only Node reports reasons) says "runs on Bun only" or the like.
 *
 * The last line is `N passed, N failed, N skipped`, summed over the runtimes.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { machine, MachineUnavailable } from "./support/machines.ts";
import { POSTGRES_VERSIONS, type PostgresServer, startPostgres } from "./support/postgres.ts";
import { buildTests, installPackages } from "./support/prepare.ts";
import { repositoryRoot } from "./support/repository.ts";
import {
  getRuntime,
  runTests,
  type Runtime,
  RUNTIME_NAMES,
  type RuntimeName,
  type RuntimeReport,
} from "./support/runtimes.ts";
import { formatCoordinates, SERVERS_VARIABLE } from "./support/server_coordinates.ts";
import { summarize } from "./support/summary.ts";

const AT_ONCE = 2;
const TEST_FILE = /_test\.ts$/;
/** Left out of the environment of the tests: what a person's own PostgreSQL needs must not change results. */
const FOREIGN_VARIABLE = /^PG(?!_HANDSHAKE_)/;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    filter: { type: "string", default: "" },
    list: { type: "boolean", default: false },
  },
});

/** The command line is at fault; said without a stack. */
class Mistake extends Error {}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Mistake)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}

async function main(): Promise<number> {
  const files = findFiles().filter((file) => file.includes(values.filter));
  const names = chooseRuntimes(values.only);
  if (files.length === 0) {
    throw new Mistake(`Cannot run tests: no file's path holds "${values.filter}"`);
  }
  if (values.list) {
    print([...names.map((name) => `on ${name}`), ...files].join("\n"));
    return 0;
  }
  const requireAll = process.env["REQUIRE_ALL"] === "1";
  await installPackages();
  for (const name of Object.keys(process.env)) {
    if (FOREIGN_VARIABLE.test(name)) delete process.env[name];
  }
  const [runtimes, servers] = await Promise.all([availableRuntimes(names), startServers()]);
  try {
    const { reports, complaints } = await runOnAll(runtimes, files, servers);
    const { passed, failed, skipped } = summarize(reports, { requireAll, complaints, print });
    const absent = names.length - runtimes.length + POSTGRES_VERSIONS.length - servers.length;
    const failures = failed + (requireAll ? absent : 0);
    print(`\n${passed} passed, ${failures} failed, ${skipped} skipped`);
    return failures > 0 ? 1 : 0;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function findFiles(): readonly string[] {
  const found = readdirSync(join(repositoryRoot(), "tests"), { recursive: true, encoding: "utf8" });
  return found.filter((path) => TEST_FILE.test(path))
    .map((path) => `tests/${path.replaceAll("\\", "/")}`).sort();
}

function chooseRuntimes(only: string | undefined): readonly RuntimeName[] {
  if (only === undefined) return RUNTIME_NAMES;
  const wanted = only.split(",");
  // "node" stands for both.
  const chosen = RUNTIME_NAMES.filter((name) =>
    wanted.some((one) => name.split("-")[0] === one || name === one)
  );
  const unknown = wanted.find((one) => !RUNTIME_NAMES.some((name) => name.startsWith(one)));
  if (unknown !== undefined) {
    throw new Mistake(`Cannot run on "${unknown}": the runtimes are ${RUNTIME_NAMES.join(", ")}`);
  }
  return chosen;
}

async function availableRuntimes(names: readonly RuntimeName[]): Promise<readonly Runtime[]> {
  return await available(names, getRuntime);
}

async function startServers(): Promise<readonly PostgresServer[]> {
  return await available(POSTGRES_VERSIONS, (version) => startPostgres({ version }));
}

/** Everything this platform has; the rest is said aloud. */
async function available<Name, Thing>(
  names: readonly Name[],
  get: (name: Name) => Promise<Thing>,
): Promise<readonly Thing[]> {
  const found: Thing[] = [];
  const settled = await Promise.allSettled(names.map(get));
  for (const one of settled) {
    if (one.status === "fulfilled") found.push(one.value);
    else if (one.reason instanceof MachineUnavailable) print(`not here: ${one.reason.message}`);
    else throw one.reason;
  }
  return found;
}

async function runOnAll(
  runtimes: readonly Runtime[],
  files: readonly string[],
  servers: readonly PostgresServer[],
): Promise<{ readonly reports: readonly RuntimeReport[]; readonly complaints: string }> {
  const root = repositoryRoot();
  const environment = {
    DENO_BIN: (await getRuntime("deno")).executable,
    [SERVERS_VARIABLE]: formatCoordinates(servers),
  };
  const waiting = [...runtimes];
  const reports: RuntimeReport[] = [];
  let complaints = "";
  const worker = async (): Promise<void> => {
    for (let runtime = waiting.shift(); runtime !== undefined; runtime = waiting.shift()) {
      if (runtime.name === "node-20") {
        const build = await buildTests((await machine("node-20")).executable);
        complaints = build.complaints;
        const built = files.map((file) => file.replace(TEST_FILE, "_test.js"));
        reports.push(await runTests(runtime, build.folder, built, environment));
      } else {
        reports.push(await runTests(runtime, root, files, environment));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return { reports, complaints };
}
