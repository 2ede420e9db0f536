/**
 * Kerberos on Bun: GSSAPI of the system's library by `bun:ffi`, in a Worker where it may wait for a KDC.
 *
 * @example
 * ```ts
 * import { connect } from "pg-handshake";
 * import { bunGss } from "pg-handshake/gss/bun";
 *
 * await using session = await connect("postgres://alice@db.example/app?gssencmode=require", { gss: bunGss() });
 * ```
 *
 * @module
 */

import { bunForeign } from "./bun_foreign.ts";
import type { GssProvider } from "./provider.ts";
import { type SystemGssOptions, SystemGssProvider } from "./system_provider.ts";

export type { SystemGssOptions } from "./system_provider.ts";
export type {
  GssContext,
  GssContextRequest,
  GssCredentials,
  GssCredentialsRequest,
  GssProvider,
  GssStep,
} from "./provider.ts";

/**
 * A provider for the option `gss` of `connect()`. The library is loaded when it is first needed; a KDC that does not
 * answer does not hold up the event loop.
 *
 * @param options Where the library is, if it is not where it usually is.
 */
export function bunGss(options: SystemGssOptions = {}): GssProvider {
  return new SystemGssProvider("GSSAPI by bun:ffi", bunForeign, options);
}
