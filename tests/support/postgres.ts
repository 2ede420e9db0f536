/** Real PostgreSQL servers for tests, started unprivileged on loopback and stopped with the test process. */
import { randomInt } from "node:crypto";
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { certificatePath } from "./certificates.ts";
import { simpleQuery } from "./raw_client.ts";
import { startWatched, type WatchedServer } from "./postgres_process.ts";
import { hbaText, makeDataDirectory } from "./postgres_data.ts";
import {
  giveAway,
  postgresPrograms,
  type PostgresVersion,
  temporaryFolder,
} from "./postgres_programs.ts";

export { PASSWORD, SCRAM_PASSWORD, UNICODE_PASSWORD } from "./postgres_data.ts";
export { POSTGRES_VERSIONS, type PostgresVersion } from "./postgres_programs.ts";

/** Fixtures of `tests/fixtures/certificates`, named without their extension. */
export interface ServerTls {
  /** The server's certificate; "server" unless said. */
  readonly certificate?: string;
  /** Its key; named as the certificate unless said. */
  readonly key?: string;
  /** Who signs client certificates; "ca" unless said. */
  readonly ca?: string;
  /** A revocation list for client certificates; none unless said. */
  readonly crl?: string;
}

/** What a test wants of its server. */
export interface PostgresOptions {
  /** 18 unless said. */
  readonly version?: PostgresVersion;
  /** TLS with the fixture "server" unless said; false switches it off. */
  readonly tls?: ServerTls | false;
  /** Settings of postgresql.conf by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Lines of pg_hba.conf that come before the standard ones. */
  readonly hba?: readonly string[];
  /** SQL to run once the server is up, each as the superuser in the database "postgres". */
  readonly sql?: readonly string[];
  /** Added to the environment of the server. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What to listen on; "127.0.0.1,::1" unless said. */
  readonly host?: string;
}

/** A running server. The superuser "postgres" is let in without a password over loopback. */
export interface PostgresServer {
  readonly version: PostgresVersion;
  readonly port: number;
  /** The folder of its Unix socket, as libpq's `host` takes it. */
  readonly socketDirectory: string;
  /** All it has logged so far. */
  log(): string;
  /** Settles once the log holds what is looked for: what the server writes arrives a little later. */
  logged(pattern: RegExp): Promise<void>;
  /** Runs SQL as the superuser; rejects with the server's message if that fails. */
  sql(text: string, database?: string): Promise<void>;
  /** Ends every session and removes the data. May be called again. */
  stop(): Promise<void>;
}

/** Below the range the kernel takes ports of clients from, which would collide now and then. */
const PORTS = { from: 15_000, to: 32_000 } as const;
const ATTEMPTS = 20;
const TAKEN = "Address already in use";

/**
 * Starts a server with the standard roles and databases of `postgres_data.ts`.
 *
 * @throws {MachineUnavailable} If this platform has no such version; skip the test then.
 * @throws {Error} With the server's log, if it does not start.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const version = options.version ?? 18;
  const found = await postgresPrograms(version);
  const environment = { ...found.environment, ...options.environment };
  const programs = { ...found, environment };
  for (let attempt = 1;; attempt++) {
    const folder = temporaryFolder(`s${version}`);
    const data = await makeDataDirectory(version, folder);
    configure(options, folder, data);
    const port = await freePort();
    const started = await startWatched(programs, folder, ["-D", data, "-p", String(port)]);
    // Its exit tells where nothing could be bound, its log where only one of two addresses was free.
    const taken = started.log().includes(TAKEN);
    if (started.ready && !taken) {
      const server = asServer(version, port, folder, started);
      await runAtStart(server, options.sql ?? []);
      return server;
    }
    await started.stop();
    if (!taken || attempt === ATTEMPTS) {
      throw new Error(`Cannot start PostgreSQL ${version}: it said\n${started.log()}`);
    }
  }
}

function asServer(
  version: PostgresVersion,
  port: number,
  folder: string,
  started: WatchedServer,
): PostgresServer {
  return {
    version,
    port,
    socketDirectory: folder,
    log: started.log,
    logged: started.logged,
    sql: (text, database = "postgres") =>
      simpleQuery(join(folder, `.s.PGSQL.${port}`), text, database),
    stop: started.stop,
  };
}

async function runAtStart(server: PostgresServer, statements: readonly string[]): Promise<void> {
  try {
    for (const text of statements) await server.sql(text);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Asks the kernel whether a random port is free; whoever takes it before the server does causes a retry. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to);
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.on("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

function configure(options: PostgresOptions, folder: string, data: string): void {
  const tls = options.tls ?? {};
  const lines = tls === false ? [] : installTls(tls, folder);
  const settings = {
    ...DEFAULTS,
    ...options.settings,
    unix_socket_directories: folder,
    listen_addresses: options.host ?? "127.0.0.1,::1",
  };
  for (const [name, value] of Object.entries(settings)) lines.push(`${name} = ${quote(value)}`);
  write(join(data, "postgresql.conf"), `${lines.join("\n")}\n`);
  write(join(data, "pg_hba.conf"), hbaText(options.hba ?? [], tls !== false));
}

const DEFAULTS: Readonly<Record<string, string>> = {
  fsync: "off",
  shared_buffers: "16MB",
  max_connections: "60",
  log_connections: "on",
  // The test's own words must be found in the log as they are.
  lc_messages: "C",
};

function quote(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

function write(path: string, text: string): void {
  writeFileSync(path, text);
  giveAway(path);
}

/** Copies, as a server refuses a key others may read, and whoever runs it must be able to. */
function installTls(tls: ServerTls, folder: string): string[] {
  const certificate = tls.certificate ?? "server";
  const files: readonly (readonly [setting: string, file: string])[] = [
    ["ssl_cert_file", `${certificate}.crt`],
    ["ssl_key_file", `${tls.key ?? certificate}.key`],
    ["ssl_ca_file", `${tls.ca ?? "ca"}.crt`],
    ...(tls.crl === undefined ? [] : [["ssl_crl_file", `${tls.crl}.crl`] as const]),
  ];
  const lines = ["ssl = on"];
  for (const [setting, file] of files) {
    const path = join(folder, file);
    copyFileSync(certificatePath(file), path);
    chmodSync(path, 0o600);
    giveAway(path);
    lines.push(`${setting} = ${quote(path)}`);
  }
  return lines;
}
