/**
 * Kerberos on Node: GSSAPI of the system's library by `koffi` (an optional peer dependency) or, where that is not
 * installed and Node has it, by `node:ffi` in a worker thread.
 *
 * @example
 * ```ts
 * import { connect } from "pg-handshake";
 * import { nodeGss } from "pg-handshake/gss/node";
 *
 * await using session = await connect("postgres://alice@db.example/app?gssencmode=require", { gss: nodeGss() });
 * ```
 *
 * @module
 */

import { createRequire } from "node:module";
import { ConfigError } from "../errors.ts";
import type { ForeignRuntime } from "./foreign.ts";
import { type Koffi, koffiForeign } from "./koffi_foreign.ts";
import { nodeForeign } from "./node_foreign.ts";
import type { GssProvider } from "./provider.ts";
import { type SystemGssOptions, SystemGssProvider } from "./system_provider.ts";

export type { Koffi, KoffiFunction } from "./koffi_foreign.ts";
export type { SystemGssOptions } from "./system_provider.ts";
export type {
  GssContext,
  GssContextRequest,
  GssCredentials,
  GssCredentialsRequest,
  GssProvider,
  GssStep,
} from "./provider.ts";

/** How a provider on Node finds its parts. */
export interface NodeGssOptions extends SystemGssOptions {
  /**
   * How the library is called: `koffi` as a module of the caller's, for bundles; or by name. Without it `koffi` if it
   * is installed, else `node:ffi`.
   */
  readonly ffi?: Koffi | "koffi" | "node:ffi";
}

/**
 * A provider for the option `gss` of `connect()`. The library is loaded when it is first needed; a KDC that does not
 * answer does not hold up the event loop.
 *
 * @param options Where the library is, and how it is called.
 */
export function nodeGss(options: NodeGssOptions = {}): GssProvider {
  return new SystemGssProvider("GSSAPI on Node", () => foreignOf(options.ffi), options);
}

function foreignOf(ffi: NodeGssOptions["ffi"]): ForeignRuntime {
  if (typeof ffi === "object") return koffiForeign(ffi);
  const koffi = ffi === "node:ffi" ? undefined : installedKoffi();
  if (koffi !== undefined) return koffiForeign(koffi);
  const foreign = ffi === "koffi" ? undefined : nodeForeign();
  if (foreign !== undefined) return foreign;
  const missing = ffi === undefined
    ? '"koffi" is not installed, and this Node has no "node:ffi"'
    : ffi === "koffi"
    ? '"koffi" is not installed'
    : 'this Node has no "node:ffi"';
  throw new ConfigError(`Cannot call the Kerberos library: ${missing}`, {
    code: "unsupported-setting",
    hint: "Install it: npm install koffi",
  });
}

/** From where this package is installed, then from where the program runs; undefined if it is in neither place. */
function installedKoffi(): Koffi | undefined {
  for (const from of [import.meta.url, `${globalThis.process.cwd()}/`]) {
    try {
      return createRequire(from)("koffi") as Koffi;
    } catch (error) {
      if ((error as { code?: unknown } | null)?.code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  return undefined;
}
