import type { TlsVersion } from "../auth/channel.ts";
import { ConfigError, UsageError } from "../errors.ts";
import { isIpLiteral } from "./endpoint.ts";
import type { Abilities, KeepAlive, SocketOptions, TlsRequest } from "./transport.ts";

/** Oldest first. */
const VERSIONS: readonly TlsVersion[] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/** The labels OpenSSL reads certificates from (PEM_read_bio_X509_AUX). */
const CERTIFICATE_PEM = /^-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/m;

/** What a runtime calls a TLS version, if it is one we know. */
export function tlsVersion(name: string | null | undefined): TlsVersion | undefined {
  return VERSIONS.find((version) => version === name);
}

/** Whether the first version is older than the second. */
export function isOlder(first: TlsVersion, second: TlsVersion): boolean {
  return VERSIONS.indexOf(first) < VERSIONS.indexOf(second);
}

/**
 * The curves to offer, in OpenSSL's words: a client sends its key share for the first alone, and a server that does
 * not know that one costs a round trip (HelloRetryRequest, RFC 8446 section 4.1.4).
 *
 * @param first Goes first.
 * @param others What the runtime offers by default beside X25519 and P-256: none of it is given up for the order.
 */
export function curves(first: TlsRequest["firstCurve"], others: readonly string[]): string {
  const both = first === "X25519" ? ["X25519", "P-256"] : ["P-256", "X25519"];
  return [...both, ...others].join(":");
}

/** Something an adapter cannot do exactly, and the setting to blame. */
export interface UnmetNeed {
  /** libpq's keyword. */
  readonly keyword: string;
  /** What is missing, as a clause. */
  readonly problem: string;
}

/**
 * What of a TLS request an adapter cannot honour exactly; undefined if all of it can.
 *
 * @param abilities What it can do.
 * @param request What is asked.
 */
export function unmetTlsNeed(abilities: Abilities, request: TlsRequest): UnmetNeed | undefined {
  const { serverName, host, verify, minVersion, maxVersion } = request;
  if (!abilities.verify.includes(verify)) {
    const can = abilities.verify.map((kind) => `"${kind}"`).join(", ");
    return unmet("sslmode", `certificates can be verified as ${can}, not as "${verify}"`);
  }
  if (request.roots !== "system" && !abilities.exclusiveRoots) {
    return unmet("sslrootcert", "roots of one's own cannot replace the system's");
  }
  if (request.revocationLists !== undefined && abilities.revocationLists !== true) {
    return unmet("sslcrl", "certificates cannot be checked against revocation lists");
  }
  if (request.identity !== undefined && !abilities.clientCertificate) {
    return unmet("sslcert", "a client certificate cannot be presented");
  }
  if (
    serverName === undefined && !abilities.withoutSni && !(host !== undefined && isIpLiteral(host))
  ) {
    return unmet("sslsni", "the server name cannot be left out");
  }
  // No runtime speaks less than TLSv1.2 unless told to, and none more than TLSv1.3: such bounds hold by themselves.
  if (
    minVersion !== undefined && isOlder("TLSv1.2", minVersion) &&
    !abilities.versionBounds.includes(minVersion)
  ) {
    return unmet("ssl_min_protocol_version", `"${minVersion}" cannot be set`);
  }
  if (
    maxVersion !== undefined && maxVersion !== "TLSv1.3" &&
    !abilities.versionBounds.includes(maxVersion)
  ) {
    return unmet("ssl_max_protocol_version", `"${maxVersion}" cannot be set`);
  }
  return undefined;
}

const KEEPALIVE_KEYWORDS: readonly (readonly [keyof KeepAlive, string])[] = [
  ["idleS", "keepalives_idle"],
  ["intervalS", "keepalives_interval"],
  ["count", "keepalives_count"],
];

/** What of socket options an adapter cannot honour exactly; undefined if all of it can. */
export function unmetSocketNeed(
  abilities: Abilities,
  options: SocketOptions,
): UnmetNeed | undefined {
  const { keepAlive, userTimeoutMs } = options;
  for (const [name, keyword] of KEEPALIVE_KEYWORDS) {
    if (keepAlive?.[name] !== undefined && !abilities.keepAlive?.includes(name)) {
      return unmet(keyword, "this number of TCP keepalives cannot be set");
    }
  }
  if (userTimeoutMs !== undefined && abilities.userTimeout !== true) {
    return unmet("tcp_user_timeout", "TCP_USER_TIMEOUT cannot be set");
  }
  return undefined;
}

/**
 * Refuses a TLS request an adapter cannot honour exactly, so that nothing is weakened silently. `connect` compares
 * policy with abilities before dialing; this is the last line behind it.
 *
 * @param name The adapter's name.
 * @param abilities What it can do.
 * @param request What is asked.
 * @throws {ConfigError} `unsupported-setting`, naming the keyword to blame; `invalid-setting` for roots without one.
 * @throws {UsageError} If the request contradicts itself.
 */
export function checkTlsRequest(name: string, abilities: Abilities, request: TlsRequest): void {
  const { serverName, minVersion, maxVersion } = request;
  if (serverName !== undefined && (serverName === "" || isIpLiteral(serverName))) {
    // RFC 6066, section 3: "Literal IPv4 and IPv6 addresses are not permitted".
    throw new UsageError(`Cannot send server name "${serverName}": SNI carries host names only`);
  }
  const need = unmetTlsNeed(abilities, request);
  if (need !== undefined) throw unsupportedBy(name, need);
  if (request.roots !== "system" && !CERTIFICATE_PEM.test(request.roots.pem)) {
    // Node would take an empty text for "the system's roots".
    throw new ConfigError("Cannot use the roots of sslrootcert: they hold no PEM certificate", {
      keyword: "sslrootcert",
      phase: "tls",
    });
  }
  if (minVersion !== undefined && maxVersion !== undefined && isOlder(maxVersion, minVersion)) {
    throw new UsageError(`Cannot start TLS: minVersion "${minVersion}" is above "${maxVersion}"`);
  }
}

/** The same for socket options, before dialing. */
export function checkSocketOptions(
  name: string,
  abilities: Abilities,
  options: SocketOptions | undefined,
): void {
  const need = options && unmetSocketNeed(abilities, options);
  if (need !== undefined) throw unsupportedBy(name, need);
}

/** The error for a need no adapter meets. */
export function unsupportedBy(name: string, need: UnmetNeed): ConfigError {
  return new ConfigError(
    `Cannot honour ${need.keyword} on the "${name}" transport: ${need.problem}`,
    { code: "unsupported-setting", keyword: need.keyword },
  );
}

function unmet(keyword: string, problem: string): UnmetNeed {
  return { keyword, problem };
}
