/**
 * `deno task demo`: starts a throw-away PostgreSQL 18, connects to it in every way on Deno, Bun and Node, and prints
 * what came of it. Needs Deno and an npm registry, nothing else; on a fresh clone it fetches the rest.
 *
 * Ends with 0 only if everything worked and the three runtimes agree.
 */
import { existsSync } from "node:fs";
import { connect, createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type DemoPorts, taskFor } from "./demo_cases.ts";
import { faint, heading, say, strong } from "./demo_print.ts";
import { type ClientReport, runClient, stopClients, titleOf } from "./demo_run.ts";
import {
  showComparison,
  showConnections,
  showFailures,
  showRefusals,
  showTrace,
} from "./demo_show.ts";
import { portOf } from "./loopback.ts";
import { machine, MachineUnavailable } from "./machines.ts";
import { type PostgresServer, startPostgres } from "./postgres.ts";
import { identity } from "./postgres_programs.ts";
import { installPackages } from "./prepare.ts";
import { repositoryRoot } from "./repository.ts";
import { getRuntime, type Runtime, type RuntimeName } from "./runtimes.ts";

const RUNTIMES: readonly RuntimeName[] = ["deno", "bun", "node-26"];
/** What a shell reports for a program ended by Ctrl-C. */
const INTERRUPTED = 130;
const began = performance.now();
const servers: PostgresServer[] = [];
const interrupt = new AbortController();

for (const signal of process.platform === "win32" ? ["SIGINT"] : ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    // Who asks twice does not want to wait; the servers end with this process.
    if (interrupt.signal.aborted) process.exit(INTERRUPTED);
    say(`\n${signal}: stopping`);
    interrupt.abort();
    stopClients();
  });
}
process.exitCode = await main();

async function main(): Promise<number> {
  say(strong("pg-handshake: four ways to authenticate, three channels, three runtimes"));
  say();
  try {
    const runtimes = await prepare();
    const ports = await start();
    const succeeded = await run(runtimes, ports);
    heading("5. Stopping");
    await stopServers();
    say(`Done in ${((performance.now() - began) / 1000).toFixed(1)} s.`);
    return succeeded ? 0 : 1;
  } catch (error) {
    // Whatever broke because it was stopped is no news.
    if (interrupt.signal.aborted) return INTERRUPTED;
    if (!(error instanceof MachineUnavailable)) throw error;
    say(`The demo cannot run here: ${error.message}`);
    return 1;
  } finally {
    await stopServers();
  }
}

/** Fetches what is not there yet; each download prints its own line. */
async function prepare(): Promise<readonly Runtime[]> {
  if (!existsSync(join(repositoryRoot(), "node_modules", "@noble", "hashes"))) {
    say("installing this repository's npm packages ...");
  }
  const [found] = await Promise.all([
    Promise.allSettled(RUNTIMES.map(getRuntime)),
    installPackages(),
    machine("postgres-18"),
  ]);
  return found.flatMap((one) => {
    if (one.status === "fulfilled") return [one.value];
    if (!(one.reason instanceof MachineUnavailable)) throw one.reason;
    say(`left out: ${one.reason.message}`);
    return [];
  });
}

async function start(): Promise<DemoPorts> {
  const { version } = await machine("postgres-18");
  const title = `PostgreSQL ${version.split(".", 2).join(".")}`;
  const user = identity.uid === undefined
    ? `user ${userInfo().username}`
    : `user ${identity.uid} (PostgreSQL refuses root)`;
  const open = async (tls: boolean): Promise<number> => {
    interrupt.signal.throwIfAborted();
    const server = await startPostgres({ version: 18, ...(tls ? {} : { tls: false as const }) });
    servers.push(server);
    say(`started ${title} on 127.0.0.1:${server.port}, TLS ${tls ? "on" : "off"}, as ${user}`);
    return server.port;
  };
  return { tls: await open(true), noTls: await open(false), closed: await closedPort() };
}

/** A port somebody has just given back. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = portOf(server);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

async function run(runtimes: readonly Runtime[], ports: DemoPorts): Promise<boolean> {
  const reports: ClientReport[] = [];
  for (const runtime of runtimes) {
    const first = reports.length === 0;
    say(faint(`running on ${titleOf(runtime)} ...`));
    const task = taskFor(ports, first);
    const report = await runClient(runtime, task);
    interrupt.signal.throwIfAborted();
    reports.push(report);
    if (!first) continue;
    showConnections(report, ports, task.rounds);
    showRefusals(report, ports);
    showTrace(report, ports);
    say();
  }
  const same = showComparison(reports, ports);
  showFailures(reports);
  return same && reports.every(({ failures }) => failures.length === 0);
}

/** May be called again. What it says it has looked at. */
async function stopServers(): Promise<void> {
  for (let server = servers.pop(); server !== undefined; server = servers.pop()) {
    const { port, socketDirectory } = server;
    await server.stop();
    const where = `PostgreSQL on 127.0.0.1:${port}`;
    say(`${where}: ${await isListening(port) ? "STILL RUNS" : "stopped"}`);
    if (existsSync(socketDirectory)) say(`${where}: "${socketDirectory}" was NOT removed`);
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ host: "127.0.0.1", port });
    probe.on("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.on("error", () => resolve(false));
  });
}
