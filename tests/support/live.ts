/** The real servers of the live tests: those of `tests/run.ts`, or one of our own. */
import process from "node:process";
import { after } from "node:test";
import { MachineUnavailable } from "./machines.ts";
import { POSTGRES_VERSIONS, type PostgresVersion, startPostgres } from "./postgres.ts";
import { parseCoordinates, SERVERS_VARIABLE } from "./server_coordinates.ts";

/** Where a server with the standard roles and TLS (the fixture "server") is to be found. */
export interface LiveServer {
  readonly version: PostgresVersion;
  /** On 127.0.0.1 and, where the machine has IPv6, ::1. */
  readonly port: number;
  /** The folder of its Unix socket. */
  readonly socketDirectory: string;
}

/** What a live test file gets. */
export interface LiveServers {
  /** Newest first; empty if there is none for this platform. */
  readonly servers: readonly LiveServer[];
  /** For the option `skip` of a test that needs `version`: false, or why it cannot run. */
  skip(version: PostgresVersion): string | false;
  /** The server of that version; throws if `skip(version)` is not false. */
  get(version: PostgresVersion): LiveServer;
}

/**
 * The servers to test against. Call it once, at the top of a test file: a server that had to be started for it is
 * stopped after the file's tests. Tests must leave the servers as they found them; who needs other settings calls
 * `startPostgres()`.
 */
export async function liveServers(): Promise<LiveServers> {
  const given = process.env[SERVERS_VARIABLE];
  const servers = given === undefined ? await startOwn() : parseCoordinates(given);
  const find = (version: PostgresVersion): LiveServer | undefined =>
    servers.find((one) => one.version === version);
  return {
    servers,
    skip: (version) => find(version) === undefined ? `no PostgreSQL ${version} was started` : false,
    get(version) {
      const found = find(version);
      if (found === undefined) throw new Error(`Cannot test on PostgreSQL ${version}: not started`);
      return found;
    },
  };
}

async function startOwn(): Promise<readonly LiveServer[]> {
  try {
    const server = await startPostgres({ version: POSTGRES_VERSIONS[0] ?? 18 });
    after(() => server.stop());
    return [server];
  } catch (error) {
    if (error instanceof MachineUnavailable) return [];
    throw error;
  }
}
