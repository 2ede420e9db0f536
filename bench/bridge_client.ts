/** Measures drivers over bridges on the runtime it runs on; prints one line of JSON. Started by `parts/bridge.ts`. */
import process from "node:process";
import pg from "pg";
import postgres from "postgres";
import { pgStream } from "../src/bridge/pg.ts";
import { postgresSocket } from "../src/bridge/postgres.ts";

/** JSON in the first argument. */
export interface BridgeTask {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** PEM of the authority that signed the server's certificate. */
  readonly roots: string;
  readonly rounds: number;
}

/** What one contender did in one round. */
export interface BridgeSample {
  readonly way: string;
  readonly contender: "alone" | "bridge";
  readonly megabytesPerS: number;
  /** Of one query of many, one after the other. */
  readonly queryUs: number;
}

/** An open connection. */
interface Client {
  query(text: string): Promise<unknown>;
  end(): Promise<unknown>;
}

const LARGE = "select repeat('x', 1000) as x from generate_series(1, 100000)";
const LARGE_MEGABYTES = 100;
const SMALL = "select 1 as one";
const SMALL_COUNT = 400;
/** Rounds that only make the compilers warm. */
const WARM_UP = 3;

const task = JSON.parse(process.argv[2] ?? "") as BridgeTask;
const samples: BridgeSample[] = [];
for (const driver of [openPg, openPostgres]) {
  for (const tls of [false, true]) {
    const way = `${driver === openPg ? "pg" : "postgres.js"}${tls ? ", TLS" : ""}`;
    const contenders = [
      ["alone", await driver(tls, false)],
      ["bridge", await driver(tls, true)],
    ] as const;
    for (let round = -WARM_UP; round < task.rounds; round++) {
      // Who comes first changes every round.
      const order = round % 2 === 0 ? contenders : [...contenders].reverse();
      for (const [contender, client] of order) {
        const sample = { way, contender, ...await measure(client) };
        if (round >= 0) samples.push(sample);
      }
    }
    for (const [, client] of contenders) await client.end();
  }
}
process.stdout.write(`${JSON.stringify(samples)}\n`);

async function measure(client: Client): Promise<Pick<BridgeSample, "megabytesPerS" | "queryUs">> {
  let began = performance.now();
  await client.query(LARGE);
  const megabytesPerS = LARGE_MEGABYTES * 1000 / (performance.now() - began);
  await client.query(SMALL);
  began = performance.now();
  for (let at = 0; at < SMALL_COUNT; at++) await client.query(SMALL);
  return { megabytesPerS, queryUs: (performance.now() - began) * 1000 / SMALL_COUNT };
}

function target(tls: boolean): Record<string, string | number> {
  const { port, user, password, roots } = task;
  const channel: Record<string, string> = tls
    ? { sslmode: "verify-full", sslrootcert: roots }
    : { sslmode: "disable" };
  return { host: "127.0.0.1", port, user, password, dbname: "app", ...channel };
}

async function openPg(tls: boolean, bridge: boolean): Promise<Client> {
  const { port, user, password, roots } = task;
  const client = new pg.Client(
    bridge ? { stream: pgStream(target(tls)), ssl: false } : {
      host: "127.0.0.1",
      port,
      user,
      password,
      database: "app",
      ssl: tls ? { ca: roots } : false,
    },
  );
  await client.connect();
  return client;
}

function openPostgres(tls: boolean, bridge: boolean): Promise<Client> {
  const { port, user, password, roots } = task;
  const common = { max: 1, fetch_types: false, max_lifetime: null } as const;
  const sql = bridge
    // The option is missing in the package's types.
    ? postgres({ ...common, ssl: false, socket: postgresSocket(target(tls)) } as object)
    : postgres({
      ...common,
      host: "127.0.0.1",
      port,
      user,
      password,
      database: "app",
      // A name is no IP address: it is verified against the certificate's all the same.
      ssl: tls ? { ca: roots, servername: "localhost" } : false,
    });
  return Promise.resolve({ query: (text) => sql.unsafe(text), end: () => sql.end() });
}
