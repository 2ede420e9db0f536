import { knownDiscovery, type OAuthDiscovery, type OAuthPolicy } from "../auth/oauth_discovery.ts";
import { bearerToken } from "../auth/oauthbearer.ts";
import { PgHandshakeError, PolicyError } from "../errors.ts";
import { Secret } from "../settings/secret.ts";
import type { OAuthSettings } from "../settings/oauth_settings.ts";
import type { Clock } from "./clock.ts";
import type { Host } from "./host.ts";
import type { BearerTokenContext, BearerTokenSource } from "./options.ts";

/**
 * The source of tokens of one `connect()`.
 *
 * @param source The caller's; undefined if OAUTHBEARER is not spoken.
 * @param settings What the target says about OAuth.
 * @param host The machine, for libpq's debug switch: with PGOAUTHDEBUG=UNSAFE issuers may be reached without TLS
 *   (libpq 18, oauth_unsafe_debugging_enabled).
 */
export function tokensOf(
  source: BearerTokenSource | undefined,
  settings: OAuthSettings,
  host: Pick<Host, "environmentReader">,
): BearerTokens {
  const allowHttp = source !== undefined &&
    host.environmentReader()("PGOAUTHDEBUG", false) === "UNSAFE";
  return new BearerTokens(source, settings, allowHttp);
}

/** Whom a token is for. */
export type TokenPlace = Pick<BearerTokenContext, "host" | "port" | "user" | "database">;

/** Where the tokens of one `connect()` come from. */
export class BearerTokens {
  readonly #source: BearerTokenSource | undefined;
  readonly #settings: OAuthSettings;
  readonly #policy: OAuthPolicy;
  /** Fetched after a discovery, for the connection that follows it, and for no other server. */
  #kept: { readonly token: Secret<string>; readonly place: TokenPlace } | undefined;

  /**
   * @param source The caller's; undefined if OAUTHBEARER is not spoken.
   * @param settings What the target says about OAuth.
   * @param allowHttp Whether issuers may be reached by http.
   */
  constructor(
    source: BearerTokenSource | undefined,
    settings: OAuthSettings,
    allowHttp: boolean,
  ) {
    this.#source = source;
    this.#settings = settings;
    this.#policy = { issuer: settings.oauthIssuer, scope: settings.oauthScope, allowHttp };
  }

  /** What the gate judges by; undefined if there is nobody to ask for a token. */
  get policy(): OAuthPolicy | undefined {
    return this.#source === undefined ? undefined : this.#policy;
  }

  /**
   * The token to send now.
   *
   * @returns undefined if the server has to be asked first where tokens come from.
   * @throws {PolicyError} `token-unavailable` if the callback fails or gives no token, `issuer-mismatch` if the setting
   *   cannot be used.
   * @throws {ConnectionError} If a bound of the clock is reached meanwhile.
   */
  async give(place: TokenPlace, clock: Clock): Promise<Uint8Array | undefined> {
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept?.place.host === place.host && kept.place.port === place.port) {
      return bearerToken(kept.token.reveal());
    }
    const source = this.#source;
    if (typeof source !== "function") return bearerToken(asText(source));
    const token = await this.#ask(source, { place, clock, known: knownDiscovery(this.#policy) });
    return token === undefined ? undefined : bearerToken(token);
  }

  /**
   * Fetches the token for the next connection, while none is open: somebody may have to type a code first, and a server
   * waits for a minute only.
   *
   * @throws {PolicyError} `token-unavailable` if the callback fails or gives no token, `token-missing` if it has none.
   * @throws {ConnectionError} If a bound of the clock is reached meanwhile.
   */
  async fetch(discovery: OAuthDiscovery, place: TokenPlace, clock: Clock): Promise<void> {
    const source = this.#source;
    // A text is never asked about: it was sent at once.
    if (typeof source !== "function") throw noToken();
    const token = await this.#ask(source, { place, clock, known: discovery, discovered: true });
    if (token === undefined) throw noToken();
    bearerToken(token).fill(0);
    this.#kept = { token: new Secret(token), place };
  }

  async #ask(
    source: Extract<BearerTokenSource, (...args: never[]) => unknown>,
    asked: {
      readonly place: TokenPlace;
      readonly clock: Clock;
      readonly known: OAuthDiscovery | undefined;
      readonly discovered?: boolean;
    },
  ): Promise<string | undefined> {
    const { place, clock, known, discovered = false } = asked;
    const { oauthClientId, oauthClientSecret, oauthIssuer, oauthScope } = this.#settings;
    const context: BearerTokenContext = {
      ...place,
      issuer: known?.issuer ?? oauthIssuer,
      discoveryUrl: known?.discoveryUrl,
      scope: known?.scope ?? oauthScope,
      requestedScope: oauthScope,
      clientId: oauthClientId,
      clientSecret: oauthClientSecret,
      discovered,
      allowHttp: this.#policy.allowHttp,
      signal: clock.signal,
    };
    const token = await clock.race(given(source, context), "authenticate");
    return token === undefined ? undefined : asText(token);
  }
}

function noToken(): PolicyError {
  return new PolicyError(
    "token-missing",
    "no bearer token supplied: the server asks for one (AuthenticationSASL, OAUTHBEARER)",
    {
      hint: 'The option "bearerToken" gave none although the server has said where they come from',
    },
  );
}

async function given(
  source: Extract<BearerTokenSource, (...args: never[]) => unknown>,
  context: BearerTokenContext,
): Promise<string | undefined> {
  try {
    return await source(context);
  } catch (error) {
    if (error instanceof PgHandshakeError) throw error;
    throw new PolicyError(
      "token-unavailable",
      "Cannot get a bearer token: the callback failed",
      { cause: error },
    );
  }
}

function asText(given: unknown): string {
  if (typeof given === "string") return given;
  throw new PolicyError(
    "token-unavailable",
    `Cannot use the bearer token: it is of type "${typeof given}", it must be a text`,
  );
}
