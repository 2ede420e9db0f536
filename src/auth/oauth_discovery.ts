import { PolicyError } from "../errors.ts";
import { showText } from "./display.ts";
import type { TokenStatus } from "./oauthbearer.ts";

/** What the settings say about tokens. */
export interface OAuthPolicy {
  /** The issuer to trust, or the address of its discovery document; undefined if none was named. */
  readonly issuer: string | undefined;
  /** The scope to ask for, an empty one too; undefined takes the server's. */
  readonly scope: string | undefined;
  /** Whether the issuer may be reached by plain http; libpq's debug switch PGOAUTHDEBUG=UNSAFE. */
  readonly allowHttp: boolean;
}

/** Where a token is to come from. */
export interface OAuthDiscovery {
  /** Who issues it; compared octet by octet with what the discovery document says. */
  readonly issuer: string;
  /** The address of the discovery document (OpenID Connect Discovery, RFC 8414). */
  readonly discoveryUrl: string;
  /** The scope to ask for; undefined or empty if none is wanted. */
  readonly scope: string | undefined;
}

const WELL_KNOWN = "/.well-known/";
const SUFFIXES = ["openid-configuration", "oauth-authorization-server"] as const;

/**
 * What is known before a server was asked: all of it if the setting is the address of a discovery document.
 *
 * @throws {PolicyError} `issuer-mismatch` if the setting is none that can be used.
 */
export function knownDiscovery(policy: OAuthPolicy): OAuthDiscovery | undefined {
  const { issuer, scope } = policy;
  if (issuer === undefined || !issuer.includes(WELL_KNOWN)) return undefined;
  return { issuer: issuerOf(issuer, policy, "oauth_issuer"), discoveryUrl: issuer, scope };
}

/**
 * Judges where a server wants its tokens from: it must be where the settings want them from, or whoever runs the server
 * could send users to an issuer of their own (libpq 18, handle_oauth_sasl_error).
 *
 * @throws {PolicyError} `issuer-mismatch`, naming both; `token-unavailable` if the server does not say, or refuses for
 *   another reason.
 */
export function judgeDiscovery(policy: OAuthPolicy, told: TokenStatus): OAuthDiscovery {
  const { issuer, scope } = policy;
  if (told.status !== "invalid_token") {
    throw new PolicyError(
      "token-unavailable",
      `Cannot get a bearer token: the server answers "${showText(told.status)}" where it should ` +
        "say where tokens come from",
    );
  }
  const url = told.openidConfiguration;
  if (issuer === undefined) {
    throw new PolicyError(
      "token-unavailable",
      'Cannot get a bearer token: no "oauth_issuer" is set, and the server alone does not decide ' +
        `who is trusted${url === undefined ? "" : ` (it names "${showText(url, 255)}")`}`,
      { hint: 'Set "oauth_issuer", or give the token itself' },
    );
  }
  const known = knownDiscovery(policy);
  if (url === undefined) {
    if (known !== undefined) return { ...known, scope: scope ?? told.scope };
    throw new PolicyError(
      "token-unavailable",
      "Cannot get a bearer token: the server does not name a discovery document",
      { hint: 'Set "oauth_issuer" to the address of the document' },
    );
  }
  const itsIssuer = issuerOf(url, policy, "the server");
  if (known === undefined ? itsIssuer !== issuer : url !== known.discoveryUrl) {
    throw mismatch(
      `the server's discovery document is at "${showText(url, 255)}" (issuer ` +
        `"${showText(itsIssuer, 255)}"), "oauth_issuer" is "${showText(issuer, 255)}"`,
    );
  }
  return { issuer: itsIssuer, discoveryUrl: url, scope: scope ?? told.scope };
}

/**
 * The issuer a discovery document stands for: its address without the well-known part, which is the end of the path
 * (OpenID Connect) or its beginning (RFC 8414). No URL parser: the result is compared octet by octet.
 */
function issuerOf(url: string, policy: OAuthPolicy, whose: string): string {
  const refuse = (why: string): PolicyError =>
    mismatch(`the address of ${whose} "${showText(url, 255)}" ${why}`);
  const scheme = /^(https|http):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined || (scheme === "http" && !policy.allowHttp)) {
    throw refuse('must begin with "https://"');
  }
  if (/[?#]/.test(url)) throw refuse('must have neither "?" nor "#"');
  const at = url.indexOf(WELL_KNOWN);
  const behind = url.slice(at + WELL_KNOWN.length);
  const suffix = at < 0 ? undefined : SUFFIXES.find((one) => isSegment(behind, one));
  if (suffix === undefined) {
    throw refuse(`must have "${WELL_KNOWN}${SUFFIXES.join(`" or "${WELL_KNOWN}`)}" in its path`);
  }
  const rest = behind.slice(suffix.length);
  const authorityEnd = url.indexOf("/", scheme.length + "://".length);
  if (rest !== "" && at !== authorityEnd) {
    throw refuse(`must have "${WELL_KNOWN}${suffix}" at the beginning or the end of its path`);
  }
  return url.slice(0, at) + rest;
}

function isSegment(text: string, segment: string): boolean {
  return text === segment || text.startsWith(`${segment}/`);
}

function mismatch(why: string): PolicyError {
  return new PolicyError("issuer-mismatch", `Cannot trust the issuer of tokens: ${why}`, {
    hint: "No token was asked for: check who changed the issuer, here or in pg_hba.conf",
  });
}
