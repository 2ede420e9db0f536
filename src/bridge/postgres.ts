/**
 * Gives postgres.js sessions opened by this package.
 *
 * @module
 */

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
