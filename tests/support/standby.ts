/** A primary and its streaming standbys, all of one template, hence without a base backup. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDataDirectory } from "./postgres_data.ts";
import { type PostgresServer, type PostgresVersion, startPostgres } from "./postgres.ts";
import { giveAway, postgresPrograms } from "./postgres_programs.ts";
import { type Program, startProgram } from "./program.ts";
import { simpleQuery } from "./raw_client.ts";

/** A running standby. Roles and databases are those of its primary. */
export interface Standby {
  /** On 127.0.0.1. */
  readonly port: number;
  /** Makes it a primary; settles once it accepts writes. */
  promote(): Promise<void>;
  /** All it has logged so far. */
  log(): string;
  /** Ends every session and removes the data. May be called again. */
  stop(): Promise<void>;
}

/** A primary, two standbys that answer queries, and one that is not accepting connections (57P03). */
export interface Cluster {
  readonly primary: PostgresServer;
  readonly standbys: readonly [Standby, Standby];
  readonly starting: Standby;
  /** Ends all of them. */
  stop(): Promise<void>;
}

/**
 * Starts a primary that lets standbys stream from it.
 *
 * @param tls Whether it has TLS, with the fixture "server".
 * @throws {MachineUnavailable} If this platform has no such version.
 */
export function startPrimary(version: PostgresVersion, tls = false): Promise<PostgresServer> {
  return startPostgres({
    version,
    ...(tls ? {} : { tls: false }),
    hba: ["host replication postgres 127.0.0.1/32 trust"],
  });
}

/**
 * Starts a standby of a primary made by {@link startPrimary} in this process: both begin as copies of one cleanly
 * stopped server, so that all it lacks is what the primary has written since.
 *
 * @param accepts False for one that stays in recovery and refuses everybody.
 */
export async function startStandby(primary: PostgresServer, accepts = true): Promise<Standby> {
  const { version } = primary;
  const { postgres, environment } = await postgresPrograms(version);
  const program = await startProgram({
    name: `standby${version}`,
    executable: postgres,
    environment,
    signal: "SIGINT",
    ready: accepts ? /ready to accept read.only connections/ : /listening on IPv4 address/,
    async prepare(folder, port) {
      const data = await makeDataDirectory(version, folder);
      const lines = [
        "listen_addresses = '127.0.0.1'",
        `unix_socket_directories = '${folder}'`,
        "fsync = off",
        "shared_buffers = '16MB'",
        // At least the template's, or it does not come out of recovery.
        "max_connections = 100",
        `hot_standby = ${accepts ? "on" : "off"}`,
        `primary_conninfo = 'host=127.0.0.1 port=${primary.port} user=postgres sslmode=disable'`,
        "lc_messages = 'C'",
      ];
      write(join(data, "postgresql.conf"), `${lines.join("\n")}\n`);
      write(join(data, "standby.signal"), "");
      write(
        join(data, "pg_hba.conf"),
        "local all postgres trust\nhost all postgres,trust_user 127.0.0.1/32 trust\n",
      );
      return ["-D", data, "-p", String(port)];
    },
  });
  return asStandby(program);
}

function asStandby({ port, folder, log, stop }: Program): Standby {
  return {
    port,
    log,
    stop,
    promote: () => simpleQuery(join(folder, `.s.PGSQL.${port}`), "SELECT pg_promote()", "postgres"),
  };
}

/** Starts a whole {@link Cluster}. */
export async function startCluster(version: PostgresVersion): Promise<Cluster> {
  const primary = await startPrimary(version);
  const [first, second, starting] = await Promise.all([
    startStandby(primary),
    startStandby(primary),
    startStandby(primary, false),
  ]);
  return {
    primary,
    standbys: [first, second],
    starting,
    async stop() {
      // Standbys first: a primary waits for those that stream from it.
      await Promise.all([first, second, starting].map((one) => one.stop()));
      await primary.stop();
    },
  };
}

function write(path: string, text: string): void {
  writeFileSync(path, text);
  giveAway(path);
}
