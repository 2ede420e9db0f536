/** Measures connects on the runtime it runs on; prints one line of JSON. Started by `connect.ts`. */
import process from "node:process";
import { connect } from "../mod.ts";
import { openBare } from "./bare_socket.ts";

/** Who connects. */
export type Contender = "ours" | "bare" | "pg";

/** One way to connect. */
export interface Way {
  readonly name: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly encryption: "plain" | "ssl-request" | "direct";
  readonly contenders: readonly Contender[];
}

/** JSON in the first argument. */
export interface BenchTask {
  readonly port: number;
  /** PEM of the authority that signed the server's certificate. */
  readonly roots: string;
  readonly ways: readonly Way[];
  readonly rounds: number;
  /** Connects of one contender at a stretch. */
  readonly batch: number;
}

/** What one contender took in one round: medians, in milliseconds. */
export interface Sample {
  readonly way: string;
  readonly contender: Contender;
  readonly round: number;
  /** From the call until the session is there. */
  readonly readyMs: number;
  /** Of this process, for opening and closing. */
  readonly cpuMs: number;
}

type Close = () => void | Promise<void>;

/** The part of pg that is used; it is no dependency, so its types are not there. */
interface PgModule {
  readonly default: { readonly Client: new (config: object) => PgClient };
}
interface PgClient {
  connect(): Promise<unknown>;
  end(): Promise<unknown>;
}

const task = JSON.parse(process.argv[2] ?? "") as BenchTask;
const usesPg = task.ways.some(({ contenders }) => contenders.includes("pg"));
// Not a literal: without pg installed, a literal would not pass the type check.
const pgName: string = "pg";
const pg = usesPg ? await import(pgName) as PgModule : undefined;

/** Rounds that only make the compilers warm. */
const WARM_UP = 3;

const samples: Sample[] = [];
for (let round = -WARM_UP; round < task.rounds; round++) {
  for (const way of task.ways) {
    // Who comes first changes every round: it has the colder caches.
    const shift = Math.abs(round) % way.contenders.length;
    const order = [...way.contenders.slice(shift), ...way.contenders.slice(0, shift)];
    for (const contender of order) {
      const sample = await measure(way, contender, round);
      if (round >= 0) samples.push(sample);
    }
  }
}
process.stdout.write(`${JSON.stringify(samples)}\n`);

async function measure(way: Way, contender: Contender, round: number): Promise<Sample> {
  const times: number[] = [];
  const before = process.cpuUsage();
  for (let at = 0; at < task.batch; at++) {
    const began = performance.now();
    const close = await open(way, contender);
    times.push(performance.now() - began);
    await close();
  }
  const { user, system } = process.cpuUsage(before);
  const readyMs = times.sort((a, b) => a - b)[times.length >> 1] ?? NaN;
  return { way: way.name, contender, round, readyMs, cpuMs: (user + system) / 1000 / task.batch };
}

async function open(way: Way, contender: Contender): Promise<Close> {
  const { port, roots } = task;
  const { user, password, encryption } = way;
  switch (contender) {
    case "bare":
      return await openBare(port, user, "app");
    case "ours": {
      const session = await connect({
        host: "127.0.0.1",
        port,
        user,
        password,
        dbname: "app",
        ...(encryption === "plain"
          ? { sslmode: "disable" }
          : { sslmode: "verify-full", sslrootcert: roots }),
        ...(encryption === "direct" ? { sslnegotiation: "direct" } : {}),
      });
      return () => session.close();
    }
    case "pg": {
      if (pg === undefined) throw new Error("Cannot measure pg: it is not installed");
      const client = new pg.default.Client({
        host: "127.0.0.1",
        port,
        user,
        password,
        database: "app",
        enableChannelBinding: true,
        ...(encryption === "plain" ? {} : { ssl: { ca: roots } }),
        ...(encryption === "direct" ? { sslnegotiation: "direct" } : {}),
      });
      await client.connect();
      return async () => {
        await client.end();
      };
    }
  }
}
