/**
 * Gives postgres.js sessions opened by this package.
 *
 * @example
 * ```ts
 * import postgres from "postgres";
 * import { postgresSocket } from "pg-handshake/bridge/postgres";
 *
 * // The types of postgres.js 3.4 lack the option socket, hence a variable.
 * const driver = {
 *   socket: postgresSocket("postgres://app@db.example/app?sslmode=verify-full&sslrootcert=system"),
 *   ssl: false,
 * } as const;
 * const sql = postgres(driver);
 * ```
 *
 * @module
 */

/** @ts-ignore Where the types of Node are not installed, this is `any`. */
import type { Duplex } from "node:stream";
import type { Target } from "../connect/options.ts";
import type { BridgeOptions } from "./options.ts";
import { POSTGRES } from "./postgres_driver.ts";
import { Source } from "./source.ts";
import { BridgeStream } from "./stream.ts";

export type { Target, TargetObject } from "../connect/options.ts";
export type { BridgeOptions } from "./options.ts";

/** What postgres.js tells the function: its options as it understood them. */
export interface PostgresOptions {
  /** The hosts it would dial. */
  host?: readonly string[];
}

/**
 * Makes the option `socket` of `postgres()`.
 *
 * The driver's own TLS must be off (`ssl: false`): encryption is as the target says. The target rules; what it leaves open
 * (user, database, application_name, options, replication, run-time settings) is taken from the driver. What both say
 * must be the same, unless the driver only sends a default nobody told it. Its host, port and password are not used.
 *
 * @param target Where to and how, as for `connect()`; without it the environment and libpq's defaults.
 * @param options What a target cannot say.
 * @returns Opens one connection each time it is called.
 * @throws {ConfigError} If the target cannot be read.
 */
export function postgresSocket(
  target?: Target,
  options: BridgeOptions = {},
): (driver?: PostgresOptions) => Duplex {
  const source = new Source(POSTGRES, target, options);
  return (driver) => {
    // With several it waits for the next one to answer when one fails, and keeps the error to itself.
    if (driver?.host !== undefined && driver.host.length > 1) driver.host = driver.host.slice(0, 1);
    return new BridgeStream(source, true);
  };
}
