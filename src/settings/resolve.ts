import { ConfigError } from "../errors.ts";
import { resolveHosts, splitHosts } from "./hosts.ts";
import type { HostEntry } from "./hosts.ts";
import { isKeyword, KEYWORDS, unknownKeyword } from "./keywords.ts";
import type { ConnectionParameters } from "./parameters.ts";
import { resolveProtocolVersions } from "./protocol_versions.ts";
import { parseRequireAuth } from "./require_auth.ts";
import type { RequireAuth } from "./require_auth.ts";
import { resolveScramKeys } from "./scram_keys.ts";
import { Secret } from "./secret.ts";
import { startupParameters } from "./startup_parameters.ts";
import { resolveTls } from "./tls_settings.ts";
import type { TlsSettings } from "./tls_settings.ts";
import { checkText, integerOf, wordOf } from "./values.ts";

/** Whether SCRAM is bound to the TLS channel. */
export type ChannelBindingMode = "disable" | "prefer" | "require";

/** What the machine this runs on contributes where the parameters say nothing. */
export interface SettingsDefaults {
  /** The account of the operating system. */
  readonly user?: string;
  /** The directory of Unix sockets, or "localhost"; "localhost" unless given. */
  readonly host?: string;
}

/** What timers of every runtime can hold, 24 days; above it they fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Connection parameters, judged and typed. No print of it shows a secret. */
export interface Settings extends TlsSettings {
  /** At least one, in the order to try them. */
  readonly hosts: readonly HostEntry[];
  /** The role to log in as. */
  readonly user: string;
  /** The database; `user` unless set. */
  readonly dbname: string;
  /** undefined if not given, or empty. */
  readonly password: Secret<string> | undefined;
  /** For each address; undefined waits for ever. */
  readonly connectTimeoutMs: number | undefined;
  /** Names and values of StartupMessage, in libpq's order. */
  readonly startup: readonly (readonly [string, string])[];
  /** Whether SCRAM is bound to the TLS channel. */
  readonly channelBinding: ChannelBindingMode;
  /** Which methods may be answered. */
  readonly requireAuth: RequireAuth;
  /** ClientKey of RFC 5802, 32 octets; given together with the other one or not at all. */
  readonly scramClientKey: Secret<Uint8Array> | undefined;
  /** ServerKey of RFC 5802, 32 octets. */
  readonly scramServerKey: Secret<Uint8Array> | undefined;
  /** What StartupMessage asks for: 0x00030000 or 0x00030002. */
  readonly protocolVersion: number;
  /** The lowest version a server may offer in its place. */
  readonly minProtocolVersion: number;
}

/**
 * Judges parameters in libpq's order, so that the first error is the one libpq would give, and fills in defaults.
 * What this version cannot honour is refused, never ignored.
 *
 * @param parameters From a connection string or an object.
 * @param defaults What the machine contributes.
 * @throws {ConfigError} Naming the keyword; `unsupported-setting` for what libpq has and this version has not.
 */
export function resolveSettings(
  parameters: ConnectionParameters,
  defaults: SettingsDefaults = {},
): Settings {
  checkKeywords(parameters);
  const lists = splitHosts(parameters);
  const user = parameters.user || defaults.user;
  if (user === undefined || user === "") {
    throw new ConfigError("Cannot log in without a user name: set user or PGUSER", {
      keyword: "user",
    });
  }
  const dbname = parameters.dbname || user;
  const requireAuth = parseRequireAuth(parameters.require_auth);
  const channelBinding = resolveChannelBinding(parameters, requireAuth);
  const tls = resolveTls(parameters);
  wordOf("gssencmode", parameters.gssencmode ?? "prefer", ["disable", "prefer", "require"]);
  wordOf("target_session_attrs", parameters.target_session_attrs ?? "any", [
    "any",
    "read-write",
    "read-only",
    "primary",
    "standby",
    "prefer-standby",
  ]);
  const scramKeys = resolveScramKeys(parameters);
  wordOf("load_balance_hosts", parameters.load_balance_hosts ?? "disable", ["disable", "random"]);
  const versions = resolveProtocolVersions(parameters);
  // From here on libpq judges at the time of use.
  const hosts = resolveHosts(lists, defaults.host || "localhost");
  checkVerifiedNames(tls, hosts, parameters);
  return {
    hosts,
    user,
    dbname,
    password: parameters.password ? new Secret(parameters.password) : undefined,
    connectTimeoutMs: resolveTimeout(parameters.connect_timeout),
    startup: startupParameters(parameters, user, dbname),
    ...tls,
    channelBinding,
    requireAuth,
    ...scramKeys,
    ...versions,
  };
}

function checkKeywords(parameters: ConnectionParameters): void {
  for (const key of Object.keys(parameters)) {
    if (!isKeyword(key)) throw unknownKeyword(key);
  }
  for (const { keyword, acts } of KEYWORDS) {
    const value = parameters[keyword];
    if (value === undefined || value === "") continue;
    checkText(keyword, value);
    if (!acts) {
      throw new ConfigError(`Cannot use ${keyword}: this version does not support it`, {
        keyword,
        code: "unsupported-setting",
      });
    }
  }
}

function resolveChannelBinding(
  parameters: ConnectionParameters,
  requireAuth: RequireAuth,
): ChannelBindingMode {
  const mode = wordOf("channel_binding", parameters.channel_binding ?? "prefer", [
    "disable",
    "prefer",
    "require",
  ]);
  if (mode === "require" && !requireAuth.allowed.has("scram-sha-256")) {
    throw new ConfigError(
      `Cannot use channel_binding "require" with require_auth "${requireAuth.text ?? ""}": ` +
        `only scram-sha-256 can be bound to the channel`,
      { keyword: "channel_binding" },
    );
  }
  return mode;
}

/** verify-full compares the certificate with `host`, never with hostaddr (libpq: pq_verify_peer_name_matches_certificate). */
function checkVerifiedNames(
  tls: TlsSettings,
  hosts: readonly HostEntry[],
  parameters: ConnectionParameters,
): void {
  const names = (parameters.host ?? "").split(",");
  const nameless = hosts.findIndex((entry, index) => entry.hostaddr !== undefined && !names[index]);
  if (tls.sslmode === "verify-full" && nameless >= 0) {
    throw new ConfigError(
      `Cannot verify the server at hostaddr "${hosts[nameless]?.hostaddr ?? ""}": ` +
        `sslmode "verify-full" needs its name in host`,
      { keyword: "host" },
    );
  }
}

function resolveTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = integerOf(text);
  if (seconds === undefined) {
    throw new ConfigError(
      `Cannot use connect_timeout "${text}": it must be a whole number of seconds`,
      { keyword: "connect_timeout" },
    );
  }
  return seconds > 0 ? Math.min(seconds * 1000, MAX_TIMER_MS) : undefined;
}
