/**
 * Gives node-postgres (`pg`), and what stands on it, sessions opened by this package.
 *
 * @example
 * ```ts
 * import pg from "pg";
 * import { pgStream } from "pg-handshake/bridge/pg";
 *
 * const pool = new pg.Pool({
 *   stream: pgStream("postgres://app@db.example/app?sslmode=verify-full&sslrootcert=system"),
 *   ssl: false,
 * });
 * ```
 *
 * @module
 */

import type { Duplex } from "node:stream";
import type { Target } from "../connect/options.ts";
import type { BridgeOptions } from "./options.ts";
import { PG } from "./pg_driver.ts";
import { Source } from "./source.ts";
import { BridgeStream } from "./stream.ts";

export type { Target, TargetObject } from "../connect/options.ts";
export type { BridgeOptions } from "./options.ts";

/**
 * Makes the option `stream` of `pg.Client` and `pg.Pool`.
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
export function pgStream(target?: Target, options: BridgeOptions = {}): () => Duplex {
  const source = new Source(PG, target, options);
  return () => new BridgeStream(source, false);
}
