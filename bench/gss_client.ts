/** Measures GSSAPI encryption on the runtime it runs on; prints one line of JSON. Started by `gss.ts`. */
import process from "node:process";
import { connect, type GssProvider } from "../mod.ts";
import type { GssWay } from "../tests/gss/client.ts";

/** JSON in the first argument. */
export interface GssBenchTask {
  readonly way: GssWay;
  readonly port: number;
  readonly rounds: number;
  /** The length of the texts. */
  readonly megabytes: number;
}

/** What one channel took, a value for each round. */
export interface GssSample {
  readonly channel: "plain" | "TLS" | "GSSAPI";
  readonly connectMs: number[];
  /** In MB/s. */
  readonly fromServer: number[];
  readonly toServer: number[];
}

const CONNECTS = 10;

async function providerOf(way: GssWay): Promise<GssProvider> {
  switch (way) {
    case "deno":
      return (await import("../src/gss/deno.ts")).denoGss();
    case "bun":
      return (await import("../src/gss/bun.ts")).bunGss();
    default:
      return (await import("../src/gss/node.ts")).nodeGss({ ffi: way });
  }
}

const task = JSON.parse(process.argv[2] ?? "") as GssBenchTask;
const gss = await providerOf(task.way);
const base = {
  host: "localhost",
  hostaddr: "127.0.0.1",
  port: String(task.port),
  user: "alice",
  dbname: "postgres",
};
const targets = {
  plain: { ...base, sslmode: "disable", gssencmode: "disable" },
  TLS: { ...base, sslmode: "require", gssencmode: "disable" },
  GSSAPI: { ...base, sslmode: "disable", gssencmode: "require" },
} as const;
const samples: readonly GssSample[] = (["plain", "TLS", "GSSAPI"] as const).map((channel) => ({
  channel,
  connectMs: [],
  fromServer: [],
  toServer: [],
}));
const octets = task.megabytes * 1_000_000;
const text = "x".repeat(octets);
for (let round = 0; round <= task.rounds; round++) {
  for (const sample of samples) {
    const target = targets[sample.channel];
    const began = performance.now();
    for (let count = 0; count < CONNECTS; count++) await (await connect(target, { gss })).close();
    const connected = performance.now();
    const session = await connect(target, { gss });
    const ready = performance.now();
    await session.query(`select repeat('x', ${octets})`);
    const read = performance.now();
    await session.query(`select length('${text}')`);
    const written = performance.now();
    await session.close();
    // The first round warms up.
    if (round === 0) continue;
    sample.connectMs.push((connected - began) / CONNECTS);
    sample.fromServer.push(octets / 1_000 / (read - ready));
    sample.toServer.push(octets / 1_000 / (written - read));
  }
}
process.stdout.write(`${JSON.stringify(samples)}\n`, () => process.exit(0));
