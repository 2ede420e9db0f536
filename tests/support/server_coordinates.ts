/** How `tests/run.ts` tells the test processes which servers it has started. */
import type { PostgresVersion } from "./postgres_programs.ts";

/** The environment variable: JSON, version -> { port, socketDirectory }. */
export const SERVERS_VARIABLE = "PG_HANDSHAKE_SERVERS";

/** Where one server is to be found. */
export interface ServerCoordinates {
  readonly version: PostgresVersion;
  readonly port: number;
  readonly socketDirectory: string;
}

/** The variable's value for these servers. */
export function formatCoordinates(servers: readonly ServerCoordinates[]): string {
  return JSON.stringify(Object.fromEntries(
    servers.map(({ version, port, socketDirectory }) => [version, { port, socketDirectory }]),
  ));
}

/** The servers in the variable's value, newest first. */
export function parseCoordinates(value: string): readonly ServerCoordinates[] {
  const byVersion = JSON.parse(value) as Record<string, Omit<ServerCoordinates, "version">>;
  return Object.entries(byVersion)
    .map(([version, rest]) => ({ ...rest, version: Number(version) as PostgresVersion }))
    .sort((a, b) => b.version - a.version);
}
