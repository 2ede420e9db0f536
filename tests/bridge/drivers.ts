/** The drivers of the bridge tests, over a bridge to a test server. */
import "../connect/own_environment.ts";
import pg from "pg";
import postgres from "postgres";
import { type BridgeOptions, pgStream } from "../../src/bridge/pg.ts";
import { postgresSocket } from "../../src/bridge/postgres.ts";
import type { SessionFacts } from "../../src/connect/detached.ts";
import { certificatePath } from "../support/certificates.ts";
import { SCRAM_PASSWORD } from "../support/postgres.ts";

/** libpq's keywords, as far as a test gives them. */
export type Parameters = Readonly<Record<string, string>>;

/** The ways to a server: in the clear without a password, and bound to a verified channel. */
export const WAYS: readonly (readonly [name: string, parameters: Parameters])[] = [
  ["plain", { user: "trust_user", sslmode: "disable" }],
  ["TLS", {
    user: "scram_user",
    password: SCRAM_PASSWORD,
    sslmode: "verify-full",
    sslrootcert: certificatePath("ca.crt"),
    channel_binding: "require",
  }],
];

/** The target for a server on 127.0.0.1, database "app". */
export function targetOf(
  server: { readonly port: number },
  parameters: Parameters = { user: "trust_user", sslmode: "disable" },
): Parameters {
  return { host: "127.0.0.1", port: String(server.port), dbname: "app", ...parameters };
}

/** Uses a pool and ends it. */
export async function withPool<Result>(
  target: Parameters,
  use: (pool: pg.Pool) => Promise<Result>,
  options: pg.PoolConfig = {},
  bridge: BridgeOptions = {},
): Promise<Result> {
  const pool = new pg.Pool({ stream: pgStream(target, bridge), ssl: false, ...options });
  // What befalls an idle client is the business of the test that causes it.
  pool.on("error", () => {});
  try {
    return await use(pool);
  } finally {
    await pool.end();
  }
}

/** Uses a client and ends it. */
export async function withClient<Result>(
  target: Parameters,
  use: (client: pg.Client) => Promise<Result>,
  options: pg.ClientConfig = {},
  bridge: BridgeOptions = {},
): Promise<Result> {
  const client = new pg.Client({ stream: pgStream(target, bridge), ssl: false, ...options });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** Options of postgres() as its types know them. */
export type SqlOptions = postgres.Options<Record<string, postgres.PostgresType>>;

/** postgres.js over a bridge; its types do not know the option `socket`. */
export function openSql(
  target: Parameters,
  options: SqlOptions = {},
  bridge: BridgeOptions = {},
): postgres.Sql {
  const socket = postgresSocket(target, bridge);
  const all = { ssl: false, max: 4, ...options, socket } as SqlOptions;
  return postgres(all) as unknown as postgres.Sql;
}

/** Uses postgres.js and ends it. */
export async function withSql<Result>(
  target: Parameters,
  use: (sql: postgres.Sql) => Promise<Result>,
  options: SqlOptions = {},
  bridge: BridgeOptions = {},
): Promise<Result> {
  const sql = openSql(target, options, bridge);
  try {
    return await use(sql);
  } finally {
    await sql.end();
  }
}

/** Keeps the facts of every session a bridge hands over. */
export function recordSessions(): {
  readonly facts: SessionFacts[];
  readonly bridge: BridgeOptions;
} {
  const facts: SessionFacts[] = [];
  return { facts, bridge: { onSession: (one) => void facts.push(one) } };
}

/** The error a promise rejects with; throws if it does not. */
export async function errorOf(promise: PromiseLike<unknown>): Promise<Error & { code?: unknown }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("It did not fail");
}
