import { ConfigError } from "../errors.ts";
import { resolveGss } from "./gss_settings.ts";
import type { GssSettings } from "./gss_settings.ts";
import { resolveHosts, splitHosts } from "./hosts.ts";
import type { HostEntry } from "./hosts.ts";
import { isKeyword } from "./keywords.ts";
import type { Keyword } from "./keywords.ts";
import { resolveOAuth } from "./oauth_settings.ts";
import type { OAuthSettings } from "./oauth_settings.ts";
import { withOrigins } from "./origin.ts";
import type { Origins } from "./origin.ts";
import type { ConnectionParameters } from "./parameters.ts";
import { ownParameters } from "./parameters.ts";
import { resolveProtocolVersions } from "./protocol_versions.ts";
import { parseRequireAuth } from "./require_auth.ts";
import type { RequireAuth } from "./require_auth.ts";
import { resolveScramKeys } from "./scram_keys.ts";
import { Secret } from "./secret.ts";
import { resolveSocket } from "./socket_settings.ts";
import type { SocketSettings } from "./socket_settings.ts";
import { startupParameters } from "./startup_parameters.ts";
import type { FurtherStartup } from "./startup_parameters.ts";
import { resolveTls } from "./tls_settings.ts";
import type { TlsSettings } from "./tls_settings.ts";
import { unknownKeyword } from "./unknown_keyword.ts";
import { checkText, wordOf } from "./values.ts";

/** Whether SCRAM is bound to the TLS channel. */
export type ChannelBindingMode = "disable" | "prefer" | "require";

/** What kind of server is wanted. */
export type TargetSessionAttrs =
  | "any"
  | "read-write"
  | "read-only"
  | "primary"
  | "standby"
  | "prefer-standby";

/** What stands beside the parameters; `gatherParameters` brings most of it. */
export interface SettingsContext extends FurtherStartup {
  /** The account of the operating system; the role where none is given. */
  readonly user?: string | undefined;
  /** The directory of Unix sockets, or "localhost"; "localhost" unless given. */
  readonly host?: string | undefined;
  /** Where values were found, for error messages. */
  readonly origins?: Origins | undefined;
}

/** Connection parameters, judged and typed. No print of it shows a secret. */
export interface Settings extends TlsSettings, SocketSettings, GssSettings, OAuthSettings {
  /**
   * What was asked for: keywords with a value that is not empty, from wherever it came but a default. What cannot be
   * honoured is an error only if it is in here.
   */
  readonly explicit: ReadonlySet<Keyword>;
  /** At least one, in the order to try them. */
  readonly hosts: readonly HostEntry[];
  /** Whether hosts and addresses are tried in random order. */
  readonly loadBalanceHosts: "disable" | "random";
  /** What kind of server is wanted. */
  readonly targetSessionAttrs: TargetSessionAttrs;
  /** The role to log in as. */
  readonly user: string;
  /** The database; `user` unless set. */
  readonly dbname: string;
  /** undefined if not given, or empty. */
  readonly password: Secret<string> | undefined;
  /** The path of the password file; undefined if not given, or empty, which means the one in the home directory. */
  readonly passfile: string | undefined;
  /** The section of the service file the parameters were taken from. */
  readonly service: string | undefined;
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
 *
 * @param parameters From a connection string, an object or `gatherParameters`.
 * @param context What stands beside them.
 * @throws {ConfigError} Naming the keyword, and where its value came from unless that is `parameters` itself.
 */
export function resolveSettings(
  parameters: ConnectionParameters,
  context: SettingsContext = {},
): Settings {
  try {
    return judge(ownParameters(parameters), context);
  } catch (error) {
    throw withOrigins(error, context.origins ?? {});
  }
}

function judge(parameters: ConnectionParameters, context: SettingsContext): Settings {
  const explicit = explicitKeywords(parameters);
  const lists = splitHosts(parameters);
  const user = parameters.user || context.user;
  if (user === undefined || user === "") {
    throw new ConfigError("Cannot log in without a user name: set user or PGUSER", {
      keyword: "user",
    });
  }
  const dbname = parameters.dbname || user;
  const requireAuth = parseRequireAuth(parameters.require_auth);
  const channelBinding = resolveChannelBinding(parameters, requireAuth);
  const tls = resolveTls(parameters);
  const gss = resolveGss(parameters);
  const targetSessionAttrs = resolveTargetSessionAttrs(parameters);
  const scramKeys = resolveScramKeys(parameters);
  const loadBalanceHosts = wordOf(
    "load_balance_hosts",
    parameters.load_balance_hosts ?? "disable",
    ["disable", "random"],
  );
  const versions = resolveProtocolVersions(parameters);
  // From here on libpq judges at the time of use.
  const hosts = resolveHosts(lists, context.host || "localhost");
  checkVerifiedNames(tls, hosts, parameters);
  return {
    explicit,
    hosts,
    loadBalanceHosts,
    targetSessionAttrs,
    user,
    dbname,
    password: parameters.password ? new Secret(parameters.password) : undefined,
    passfile: parameters.passfile || undefined,
    service: parameters.service || undefined,
    startup: startupParameters(parameters, { user, dbname }, context),
    ...resolveSocket(parameters),
    ...tls,
    ...gss,
    ...resolveOAuth(parameters),
    channelBinding,
    requireAuth,
    ...scramKeys,
    ...versions,
  };
}

/** Those with a value that is not empty; judges names and texts of all. */
function explicitKeywords(parameters: ConnectionParameters): ReadonlySet<Keyword> {
  const explicit = new Set<Keyword>();
  for (const keyword of Object.keys(parameters)) {
    if (!isKeyword(keyword)) throw unknownKeyword(keyword);
    const value = parameters[keyword];
    if (value === undefined || value === "") continue;
    checkText(keyword, value);
    explicit.add(keyword);
  }
  return explicit;
}

function resolveTargetSessionAttrs(parameters: ConnectionParameters): TargetSessionAttrs {
  return wordOf("target_session_attrs", parameters.target_session_attrs ?? "any", [
    "any",
    "read-write",
    "read-only",
    "primary",
    "standby",
    "prefer-standby",
  ]);
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
  if (tls.sslmode !== "verify-full") return;
  const names = (parameters.host ?? "").split(",");
  const nameless = hosts.findIndex((entry, index) => entry.hostaddr !== undefined && !names[index]);
  if (nameless >= 0) {
    throw new ConfigError(
      `Cannot verify the server at hostaddr "${hosts[nameless]?.hostaddr ?? ""}": ` +
        `sslmode "verify-full" needs its name in host`,
      { keyword: "host" },
    );
  }
}
