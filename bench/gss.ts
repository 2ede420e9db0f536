/**
 * Measures, on every runtime and in every way it has to call the Kerberos library, what GSSAPI encryption costs against
 * Debian's PostgreSQL 15 and KDC on loopback: connects one after the other, and the throughput of a long text from the
 * server and of one to it, beside the same in plaintext and over TLS. Contenders take turns within one run.
 *
 *   deno run -A bench/gss.ts [rounds]
 */
import { join } from "node:path";
import process from "node:process";
import type { GssWay } from "../tests/gss/client.ts";
import { execute } from "../tests/support/execute.ts";
import { startKdc } from "../tests/support/kdc.ts";
import { startPostgres } from "../tests/support/postgres.ts";
import { repositoryRoot } from "../tests/support/repository.ts";
import { getRuntime, type RuntimeName } from "../tests/support/runtimes.ts";
import type { GssBenchTask, GssSample } from "./gss_client.ts";

const RUNTIMES: readonly (readonly [RuntimeName, GssWay])[] = [
  ["deno", "deno"],
  ["bun", "bun"],
  ["node-26", "koffi"],
  ["node-26", "node:ffi"],
];
const ROUNDS = 5;
const MEGABYTES = 16;

const rounds = Number(process.argv[2] ?? ROUNDS);
const kdc = await startKdc();
const server = await startPostgres({
  version: 15,
  hba: [
    "hostgssenc all alice 127.0.0.1/32 gss include_realm=0",
    "hostnogssenc all alice 127.0.0.1/32 trust",
  ],
  settings: { krb_server_keyfile: kdc.keytab, log_connections: "off" },
  environment: { KRB5_CONFIG: kdc.configuration },
  sql: ["create role alice login"],
});
try {
  const environment = { ...process.env, ...kdc.environment(await kdc.ticket("alice")) };
  console.log(`medians of ${rounds} rounds; one text of ${MEGABYTES} MB each way`);
  console.log(row(["runtime", "channel", "connect, ms", "from server, MB/s", "to server, MB/s"]));
  for (const [name, way] of RUNTIMES) {
    const { executable, version } = await getRuntime(name);
    const task: GssBenchTask = { way, port: server.port, rounds, megabytes: MEGABYTES };
    const flags = name === "deno"
      ? ["run", "--quiet", "--no-check", "-A"]
      : name.startsWith("node")
      ? ["--no-warnings"]
      : [];
    const client = join(repositoryRoot(), "bench", "gss_client.ts");
    const { ok, output } = await execute(executable, [...flags, client, JSON.stringify(task)], {
      environment,
    });
    const line = output.split("\n").find((one) => one.startsWith("["));
    if (!ok || line === undefined) throw new Error(`Cannot measure on ${name}: ${output}`);
    for (const sample of JSON.parse(line) as readonly GssSample[]) {
      const { channel, connectMs, fromServer, toServer } = sample;
      const title = `${name.split("-")[0]} ${version}, ${way}`;
      console.log(row([
        title,
        channel,
        median(connectMs).toFixed(1),
        median(fromServer).toFixed(0),
        median(toServer).toFixed(0),
      ]));
    }
  }
} finally {
  await server.stop();
  await kdc.stop();
}

function row(cells: readonly string[]): string {
  const widths = [26, 8, 12, 18, 16];
  return cells.map((cell, at) =>
    at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)
  ).join(" ");
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}
