import { ConfigError } from "../errors.ts";
import type { ConnectionParameters } from "./parameters.ts";
import { Secret } from "./secret.ts";
import { alternatives, wordOf } from "./values.ts";

/** Whether TLS is used, and how far the server is verified. Does not apply to Unix sockets. */
export type SslMode = "disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full";

/** A TLS version by OpenSSL's name, as libpq takes it. */
export type TlsVersionName = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

/** Whether a client certificate is sent: never, if the server asks and there is one, or always. */
export type SslCertMode = "disable" | "allow" | "require";

/** What the `ssl…` parameters say. */
export interface TlsSettings {
  /** Whether TLS is used, and how far the server is verified. */
  readonly sslmode: SslMode;
  /** `postgres` asks with SSLRequest first, `direct` begins with TLS. */
  readonly sslnegotiation: "postgres" | "direct";
  /** A path, the text of PEM, or "system"; undefined if not given. */
  readonly sslrootcert: string | undefined;
  /** A path or the text of PEM; given together with `sslkey` or not at all. */
  readonly sslcert: string | undefined;
  /** A path or the text of PEM; kept like a secret, as the latter is one. */
  readonly sslkey: Secret<string> | undefined;
  /** The passphrase of `sslkey`. */
  readonly sslpassword: Secret<string> | undefined;
  /** Whether a client certificate is sent. */
  readonly sslcertmode: SslCertMode;
  /** The path of a certificate revocation list. */
  readonly sslcrl: string | undefined;
  /** The path of a directory of certificate revocation lists. */
  readonly sslcrldir: string | undefined;
  /** Where the keys of TLS sessions are to be written, in the format of NSS. */
  readonly sslkeylogfile: string | undefined;
  /** Whether the host's name is sent by SNI. */
  readonly sslsni: boolean;
  /** undefined sets no bound. */
  readonly sslMinVersion: TlsVersionName | undefined;
  /** undefined sets no bound. */
  readonly sslMaxVersion: TlsVersionName | undefined;
}

const MODES: readonly SslMode[] = [
  "disable",
  "allow",
  "prefer",
  "require",
  "verify-ca",
  "verify-full",
];

/** From the oldest to the newest. */
const VERSIONS: readonly TlsVersionName[] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/**
 * Judges the `ssl…` parameters in libpq's order.
 *
 * @throws {ConfigError} For a value that is none, and for two that contradict each other.
 */
export function resolveTls(parameters: ConnectionParameters): TlsSettings {
  const sslrootcert = parameters.sslrootcert || undefined;
  const sslmode = wordOf(
    "sslmode",
    parameters.sslmode ?? (sslrootcert === "system" ? "verify-full" : "prefer"),
    MODES,
  );
  const sslnegotiation = wordOf("sslnegotiation", parameters.sslnegotiation ?? "postgres", [
    "postgres",
    "direct",
  ]);
  if (sslnegotiation === "direct" && MODES.indexOf(sslmode) < MODES.indexOf("require")) {
    throw new ConfigError(
      `Cannot use sslnegotiation "direct" with sslmode "${sslmode}": ` +
        `it must be ${alternatives(MODES.slice(3))}`,
      { keyword: "sslnegotiation" },
    );
  }
  if (sslrootcert === "system" && sslmode !== "verify-full") {
    throw new ConfigError(
      `Cannot use sslrootcert "system" with sslmode "${sslmode}": it must be "verify-full"`,
      { keyword: "sslrootcert", hint: "Anybody can get a certificate that the system trusts" },
    );
  }
  const sslMinVersion = versionOf("ssl_min_protocol_version", parameters, "TLSv1.2");
  const sslMaxVersion = versionOf("ssl_max_protocol_version", parameters, undefined);
  if (
    sslMinVersion !== undefined && sslMaxVersion !== undefined &&
    VERSIONS.indexOf(sslMinVersion) > VERSIONS.indexOf(sslMaxVersion)
  ) {
    throw new ConfigError(
      `Cannot use TLS from "${sslMinVersion}" to "${sslMaxVersion}": ` +
        `ssl_min_protocol_version must not be above ssl_max_protocol_version`,
      { keyword: "ssl_min_protocol_version" },
    );
  }
  const sslcertmode = wordOf("sslcertmode", parameters.sslcertmode ?? "allow", [
    "disable",
    "allow",
    "require",
  ]);
  checkIdentity(parameters);
  return {
    sslmode,
    sslnegotiation,
    sslrootcert,
    sslcert: parameters.sslcert || undefined,
    sslkey: parameters.sslkey ? new Secret(parameters.sslkey) : undefined,
    sslpassword: parameters.sslpassword ? new Secret(parameters.sslpassword) : undefined,
    sslcertmode,
    sslcrl: parameters.sslcrl || undefined,
    sslcrldir: parameters.sslcrldir || undefined,
    sslkeylogfile: parameters.sslkeylogfile || undefined,
    // libpq looks at the first character only.
    sslsni: (parameters.sslsni ?? "1").startsWith("1"),
    sslMinVersion,
    sslMaxVersion,
  };
}

function versionOf(
  keyword: "ssl_min_protocol_version" | "ssl_max_protocol_version",
  parameters: ConnectionParameters,
  fallback: TlsVersionName | undefined,
): TlsVersionName | undefined {
  const text = parameters[keyword];
  if (text === undefined) return fallback;
  if (text === "") return undefined;
  const version = VERSIONS.find((known) => known.toLowerCase() === text.toLowerCase());
  if (version === undefined) {
    throw new ConfigError(`Cannot use ${keyword} "${text}": it must be ${alternatives(VERSIONS)}`, {
      keyword,
    });
  }
  return version;
}

/** libpq names both files in the home directory by default; here nothing is read that was not named. */
function checkIdentity(parameters: ConnectionParameters): void {
  const { sslcert, sslkey } = parameters;
  if (Boolean(sslcert) === Boolean(sslkey)) return;
  const [given, missing] = sslcert ? ["sslcert", "sslkey"] : ["sslkey", "sslcert"];
  throw new ConfigError(`Cannot use ${given} alone: set ${missing} too`, { keyword: missing });
}
