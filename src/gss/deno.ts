/**
 * Kerberos on Deno: GSSAPI of the system's library by `Deno.dlopen`. Needs `--allow-ffi`.
 *
 * @example
 * ```ts
 * import { connect } from "pg-handshake";
 * import { denoGss } from "pg-handshake/gss/deno";
 *
 * await using session = await connect("postgres://alice@db.example/app?gssencmode=require", { gss: denoGss() });
 * ```
 *
 * @module
 */

import { denoForeign } from "./deno_foreign.ts";
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
export function denoGss(options: SystemGssOptions = {}): GssProvider {
  return new SystemGssProvider("GSSAPI by Deno.dlopen", denoForeign, options);
}
