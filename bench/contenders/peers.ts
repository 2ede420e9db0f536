/** The drivers ours is measured beside, each with its defaults and the same checks of the certificate. */
import { type Contender, DATABASE, HOST, type Place } from "./contender.ts";

/** The parts of their interfaces used here; not all of them bring types. */
interface PgModule {
  readonly default: { readonly Client: new (config: object) => PgClient };
}
interface PgClient {
  connect(): Promise<unknown>;
  end(): Promise<unknown>;
}
type PostgresJs = (config: object) => ((strings: TemplateStringsArray) => Promise<unknown>) & {
  reserve(): Promise<unknown>;
  end(options: object): Promise<unknown>;
};
interface PgwireModule {
  pgconnection(config: object): { query(text: string): Promise<unknown>; end(): Promise<unknown> };
}
interface BunModule {
  readonly SQL: new (config: object) => { connect(): Promise<unknown>; close(): Promise<unknown> };
}

/** node-postgres. */
export async function pg(): Promise<Contender> {
  const { default: { Client } } = await import("pg") as PgModule;
  return {
    async open(place) {
      const client = new Client({
        ...common(place),
        ...(place.encryption === "plain" ? {} : { ssl: { ca: place.roots } }),
        ...(place.encryption === "direct" ? { sslnegotiation: "direct" } : {}),
        enableChannelBinding: true,
      });
      await client.connect();
      return { close: async () => void await client.end() };
    },
  };
}

/** postgres.js; it has no way to connect but a query. */
export async function postgresJs(): Promise<Contender> {
  const { default: postgres } = await import("postgres") as unknown as { default: PostgresJs };
  return {
    async open(place) {
      const sql = postgres({
        ...common(place),
        max: 1,
        fetch_types: false,
        ssl: place.encryption === "plain" ? false : { ca: place.roots },
        ...(place.encryption === "direct" ? { sslnegotiation: "direct" } : {}),
      });
      await sql``;
      return { close: async () => void await sql.end({ timeout: 0 }) };
    },
  };
}

/** pgwire; it has no way to connect but a query, and no direct TLS. */
export async function pgwire(): Promise<Contender> {
  // What its manual has Deno import, which its package does not export.
  const module: unknown = "Deno" in globalThis
    ? await import("../../node_modules/pgwire/mod.js")
    : await import("pgwire");
  const { pgconnection } = module as PgwireModule;
  return {
    async open(place) {
      const connection = pgconnection({
        ...common(place),
        sslmode: place.encryption === "plain" ? "disable" : "require",
        sslrootcert: place.roots,
      });
      await connection.query("");
      return { close: async () => void await connection.end() };
    },
  };
}

/** The client in Bun; it has no direct TLS. */
export async function bunSql(): Promise<Contender> {
  // Not a literal: only Bun knows the name.
  const name: string = "bun";
  const { SQL } = await import(name) as unknown as BunModule;
  return {
    async open(place) {
      const sql = new SQL({
        adapter: "postgres",
        hostname: HOST,
        port: place.port,
        username: place.user,
        password: place.password ?? "",
        database: DATABASE,
        max: 1,
        ...(place.encryption === "plain" ? {} : { tls: { ca: place.roots } }),
      });
      await sql.connect();
      return { close: async () => void await sql.close() };
    },
  };
}

function common(place: Place): object {
  const { port, user, password } = place;
  return { host: HOST, port, user, database: DATABASE, password };
}
