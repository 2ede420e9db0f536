import { ConfigError, PgHandshakeError } from "../errors.ts";
import type { ForeignLibrary, ForeignRuntime, Signatures } from "./foreign.ts";
import { findGssapiCredentials, type Gssapi, GssapiContext } from "./gssapi.ts";
import { GSSAPI_LIBRARIES, GSSAPI_SIGNATURES, oidPointerOffset } from "./gssapi_abi.ts";
import type {
  GssContext,
  GssContextRequest,
  GssCredentials,
  GssCredentialsRequest,
  GssProvider,
} from "./provider.ts";
import { SspiContext } from "./sspi.ts";
import { SSPI_LIBRARY, SSPI_SIGNATURES } from "./sspi_abi.ts";

/** How to find the library of a provider. */
export interface SystemGssOptions {
  /** Path or name of the GSSAPI library; the usual ones of MIT Kerberos on this system unless given. */
  readonly library?: string;
}

const SSPI_DOES_NOT_ENCRYPT =
  "SSPI is used to authenticate only; gsslib=gssapi uses MIT Kerberos for Windows, which encrypts too";

/** The Kerberos of the system: GSSAPI, on Windows SSPI unless `gsslib` says gssapi, as in libpq. */
export class SystemGssProvider implements GssProvider {
  readonly #open: () => ForeignRuntime;
  readonly #options: SystemGssOptions;
  #runtime: ForeignRuntime | undefined;
  #gssapi: Gssapi | undefined;
  #sspi: ForeignLibrary | undefined;

  /** What it is: the way of the runtime to call libraries. */
  readonly name: string;

  /**
   * Nothing is loaded before it is needed.
   *
   * @param name What it is.
   * @param open Gives the runtime's foreign functions.
   * @param options How to find the library.
   */
  constructor(name: string, open: () => ForeignRuntime, options: SystemGssOptions) {
    this.name = name;
    this.#open = open;
    this.#options = options;
  }

  async findCredentials(request: GssCredentialsRequest): Promise<GssCredentials> {
    if (this.#usesSspi(request)) return { found: false, why: SSPI_DOES_NOT_ENCRYPT };
    return await findGssapiCredentials(this.#loadGssapi());
  }

  async createContext(request: GssContextRequest): Promise<GssContext> {
    return await Promise.resolve(
      this.#usesSspi(request)
        ? new SspiContext(this.#loadSspi(), request)
        : new GssapiContext(this.#loadGssapi(), request),
    );
  }

  get #foreign(): ForeignRuntime {
    return this.#runtime ??= this.#open();
  }

  #usesSspi(request: GssCredentialsRequest): boolean {
    return this.#foreign.platform === "windows" && request.library !== "gssapi";
  }

  #loadSspi(): ForeignLibrary {
    return this.#sspi ??= loadFirst(this.#foreign, [SSPI_LIBRARY], SSPI_SIGNATURES);
  }

  #loadGssapi(): Gssapi {
    if (this.#gssapi !== undefined) return this.#gssapi;
    const runtime = this.#foreign;
    const { library: given } = this.#options;
    const paths = given === undefined ? GSSAPI_LIBRARIES[runtime.platform] : [given];
    const library = loadFirst(runtime, paths, GSSAPI_SIGNATURES);
    return this.#gssapi = { library, oidPointerOffset: oidPointerOffset(runtime) };
  }
}

function loadFirst(
  runtime: ForeignRuntime,
  paths: readonly string[],
  signatures: Signatures,
): ForeignLibrary {
  let failure: unknown;
  for (const path of paths) {
    try {
      return runtime.load(path, signatures);
    } catch (error) {
      // A missing permission is not another path's business.
      if (error instanceof PgHandshakeError) throw error;
      failure ??= error;
    }
  }
  const why = failure instanceof Error ? failure.message : String(failure);
  throw new ConfigError(
    `Cannot load the Kerberos library "${paths.join('" or "')}" by ${runtime.name}: ${why}`,
    {
      code: "unsupported-setting",
      cause: failure,
      hint:
        'Install MIT Kerberos (on Debian "libgssapi-krb5-2", on Fedora "krb5-libs", on macOS "brew install krb5"), ' +
        'or give the path by the option "library"',
    },
  );
}
