import { ConfigError, PolicyError, UsageError } from "../errors.ts";
import type { ErrorDetails, PolicyCode } from "../errors.ts";
import type { Verification } from "./channel.ts";
import { showText } from "./display.ts";
import type { LegacyAuth } from "./legacy.ts";
import type { AuthMethod } from "./methods.ts";
import type { OAuthPolicy } from "./oauth_discovery.ts";

/** What TLS must prove before the session begins. */
export interface TlsPolicy {
  /** How far the certificate must be verified. */
  readonly verify: Verification;
  /** The name to find in the certificate under `full`: a DNS name or an IP literal. */
  readonly host: string | undefined;
  /** Whether the server must have selected ALPN "postgresql", as in direct TLS. */
  readonly requireAlpn: boolean;
}

/** All that decides whether, and how, a server's request to authenticate may be answered. */
export interface AuthPolicy {
  /** The methods `require_auth` leaves; without it all. */
  readonly allowed: ReadonlySet<AuthMethod>;
  /** Whether a server that asks for no authentication is refused. */
  readonly required: boolean;
  /** `require_auth` as the user wrote it, for messages; undefined if it is not set. */
  readonly requireAuthText: string | undefined;
  /** libpq's `channel_binding`. */
  readonly channelBinding: "disable" | "prefer" | "require";
  /** Whether a password may go in clear over an unencrypted connection to another machine. */
  readonly allowCleartextPassword: boolean;
  /**
   * The most SCRAM iterations; above it the server could keep the processor busy for hours
   * (CVE-2026-42198).
   */
  readonly maxScramIterations: number;
  /** The least SCRAM iterations; 1 takes what every server may ask for. */
  readonly minScramIterations: number;
  /** Which issuer of bearer tokens is trusted; undefined if there is nobody to ask for a token. */
  readonly oauth?: OAuthPolicy | undefined;
  /** Historic methods that may be answered; none unless given. */
  readonly allowLegacyAuth?: ReadonlySet<LegacyAuth>;
  /** Whether the kernel tells the other end of the socket who we are, as Linux does over Unix sockets (unix(7)). */
  readonly kernelCredentials?: boolean;
  /** What TLS must prove; undefined if TLS is not used by policy. */
  readonly tls: TlsPolicy | undefined;
  /** Whether there is a GSSAPI provider to answer with; without it nobody can. */
  readonly gssProvider?: boolean;
  /** The server as the user knows it, for messages. */
  readonly serverName: string;
}

/**
 * Refuses policies nothing can satisfy, before anything is dialed.
 *
 * @throws {ConfigError} If the policy contradicts itself.
 * @throws {UsageError} If an iteration limit is no whole number of at least 1.
 */
export function checkPolicy(policy: AuthPolicy): void {
  const { minScramIterations: min, maxScramIterations: max, tls } = policy;
  for (const limit of [min, max]) {
    if (!Number.isSafeInteger(limit) || limit < 1) {
      throw new UsageError(
        `Cannot limit SCRAM iterations to ${limit}: it must be a whole number of at least 1`,
      );
    }
  }
  if (min > max) {
    throw new ConfigError(
      `Cannot use at least ${min} SCRAM iterations: the limit above is ${max}, nothing lies between`,
    );
  }
  if (policy.required && policy.allowed.size === 0) {
    throw new ConfigError(
      `Cannot use require_auth "${
        requireAuthText(policy)
      }": it demands authentication but allows no method`,
      { keyword: "require_auth" },
    );
  }
  if (policy.channelBinding === "require" && !policy.allowed.has("scram-sha-256")) {
    throw new ConfigError(
      'Cannot use channel_binding "require": ' +
        `require_auth "${
          requireAuthText(policy)
        }" does not allow "scram-sha-256", which alone can bind`,
      { keyword: "channel_binding" },
    );
  }
  if (tls?.verify === "full" && (tls.host === undefined || tls.host === "")) {
    throw new ConfigError(
      "Cannot verify the name in the server certificate: " +
        "host name must be specified for a verified SSL connection",
      { keyword: "host" },
    );
  }
}

/** `require_auth` as the user wrote it, or what it amounts to. */
export function requireAuthText(policy: AuthPolicy): string {
  const { requireAuthText: text, allowed, required } = policy;
  if (text !== undefined) return text;
  return [...allowed, ...(required ? [] : ["none"])].join(",");
}

/**
 * The error of a server that asks for what the policy does not allow.
 *
 * @param policy The policy that refuses.
 * @param code What of it refuses.
 * @param why The reason, in libpq's words where it has some.
 * @param details Phase, cause and hint.
 */
export function refused(
  policy: AuthPolicy,
  code: PolicyCode,
  why: string,
  details: ErrorDetails = {},
): PolicyError {
  const server = showText(policy.serverName, 255);
  return new PolicyError(code, `Cannot authenticate with server "${server}": ${why}`, details);
}

/**
 * The error of a server that asks for what `require_auth` forbids.
 *
 * @param policy The policy that forbids it.
 * @param requested What the server did, in libpq's words.
 */
export function forbidden(policy: AuthPolicy, requested: string): PolicyError {
  return refused(
    policy,
    "auth-forbidden",
    `authentication method requirement "${requireAuthText(policy)}" failed: ${requested}`,
  );
}
