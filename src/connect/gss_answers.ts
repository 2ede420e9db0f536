import { ConfigError, PgHandshakeError } from "../errors.ts";
import type { GssContext, GssContextRequest, GssProvider } from "../gss/provider.ts";
import type { Answer, AnswerRequest } from "../handshake/step.ts";
import type { AttemptTarget } from "../plan/targets.ts";
import type { HostEntry } from "../settings/hosts.ts";
import type { Settings } from "../settings/resolve.ts";
import type { Clock } from "./clock.ts";
import { providerFailure } from "./gss_transport.ts";
import type { GssSetup } from "./start_gss.ts";

type TokenRequest = Extract<AnswerRequest, { want: "gss-token" }>;
type TokenAnswer = Extract<Answer, { kind: "gss-token" }>;

/** Answers AuthenticationGSS and AuthenticationSSPI in one attempt, with one context that lives no longer. */
export class GssAnswerer {
  readonly #provider: GssProvider | undefined;
  readonly #settings: Settings;
  readonly #host: HostEntry;
  readonly #clock: Clock;
  #context: GssContext | undefined;

  /**
   * @param provider Makes the context; the gate lets no request through where there is none.
   * @param settings Name of the service, delegation.
   * @param host Whose service it is.
   * @param clock What bounds a provider that waits for a KDC.
   */
  constructor(
    provider: GssProvider | undefined,
    settings: Settings,
    host: HostEntry,
    clock: Clock,
  ) {
    this.#provider = provider;
    this.#settings = settings;
    this.#host = host;
    this.#clock = clock;
  }

  /**
   * The next token.
   *
   * @throws {ConnectionError} `gss-failed` with the library's own words, or a bound of the clock.
   * @throws {ConfigError} If the library cannot be loaded, or there is no name of a host.
   */
  async answer({ mechanism, token }: TokenRequest): Promise<TokenAnswer> {
    const context = this.#context ??= await this.#create(mechanism);
    const step = await this.#provided(context.step(token));
    return { kind: "gss-token", token: step.token, complete: step.complete, mutual: step.mutual };
  }

  /** Releases the context; nothing needs it after authentication. */
  dispose(): void {
    this.#context?.dispose();
  }

  async #create(mechanism: GssContextRequest["mechanism"]): Promise<GssContext> {
    const provider = this.#provider;
    if (provider === undefined) throw new TypeError("There is no provider, the gate knew");
    const { host, hostaddr, kind } = this.#host;
    if (kind === "unix" || host === hostaddr) {
      throw new ConfigError(
        "Cannot authenticate by GSSAPI: host name must be specified, as the server's name in Kerberos is made of it",
        { keyword: "host", phase: "authenticate" },
      );
    }
    const request = gssRequest(this.#settings, this.#host, { mechanism, encrypt: false });
    const work = provider.createContext(request);
    try {
      return await this.#provided(work);
    } catch (error) {
      // One that comes too late is nobody's.
      work.then((context) => context.dispose(), () => {});
      throw error;
    }
  }

  async #provided<T>(work: Promise<T>): Promise<T> {
    try {
      return await this.#clock.race(work, "authenticate");
    } catch (error) {
      if (error instanceof PgHandshakeError) throw error;
      throw providerFailure(error, "authenticate");
    }
  }
}

/** How an attempt sets GSSAPI encryption up; undefined if it does not. */
export function gssSetup(
  target: AttemptTarget,
  settings: Settings,
  provider: GssProvider | undefined,
): GssSetup | undefined {
  if (provider === undefined || target.encryption !== "gss-request") return undefined;
  const request = gssRequest(settings, target.host, { mechanism: "kerberos", encrypt: true });
  return { provider, request };
}

/** What a context is for, by the settings: service and host as libpq (pg_GSS_load_servicename). */
function gssRequest(
  settings: Settings,
  host: HostEntry,
  use: Pick<GssContextRequest, "mechanism" | "encrypt">,
): GssContextRequest {
  return {
    service: settings.krbsrvname,
    host: host.host,
    delegate: settings.gssdelegation,
    library: settings.gsslib,
    ...use,
  };
}
