import type { TlsVersion, Verification } from "../auth/channel.ts";
import { ConfigError } from "../errors.ts";
import type { HostEntry } from "../settings/hosts.ts";
import { isIpLiteral } from "../settings/ip_literal.ts";
import type { Settings } from "../settings/resolve.ts";
import type { TlsIdentity, TlsRequest } from "../transport/transport.ts";
import { type Host, mayRead } from "./host.ts";

/** PostgreSQL's name in ALPN (IANA registry; offered on every TLS connection, as libpq does). */
const ALPN: readonly string[] = ["postgresql"];

/** What of a TLS request is the same for every host. */
export type TlsPolicy = Omit<TlsRequest, "serverName" | "host">;

/**
 * Reads certificates and keys and settles what TLS must prove.
 *
 * As in libpq, a root certificate file that exists makes `require` and weaker modes verify the chain too
 * (manual 32.19.1), and a missing one is an error only for `verify-ca` and `verify-full`.
 *
 * @throws {ConfigError} If a file is needed and missing, unreadable, or a key file is open to others.
 */
export async function tlsPolicy(settings: Settings, host: Host): Promise<TlsPolicy> {
  const wanted = VERIFICATION[settings.sslmode];
  const roots = await rootsOf(settings, wanted, host);
  return {
    verify: roots === undefined ? "none" : wanted === "none" ? "ca" : wanted,
    roots: roots ?? "system",
    // Without verification there is no chain to look up in a list (libpq loads lists together with the roots).
    revocationLists: roots === undefined ? undefined : await revocationListsOf(settings, host),
    identity: await identityOf(settings, host),
    minVersion: settings.sslMinVersion as TlsVersion | undefined,
    maxVersion: settings.sslMaxVersion as TlsVersion | undefined,
    alpn: ALPN,
  };
}

/** The requests that were made of a policy. */
const requests = new WeakMap<TlsPolicy, WeakMap<HostEntry, TlsRequest>>();

/**
 * The request for one host of the list: the same object as long as policy and host are the same, so that a transport can
 * keep what it makes of it.
 */
export function tlsRequestFor(policy: TlsPolicy, entry: HostEntry, settings: Settings): TlsRequest {
  const ofPolicy = requests.get(policy) ?? new WeakMap<HostEntry, TlsRequest>();
  requests.set(policy, ofPolicy);
  const request = ofPolicy.get(entry) ?? requestFor(policy, entry, settings);
  ofPolicy.set(entry, request);
  return request;
}

function requestFor(policy: TlsPolicy, entry: HostEntry, settings: Settings): TlsRequest {
  const named = entry.host !== "" && !isIpLiteral(entry.host) && !looksNumeric(entry.host);
  return {
    ...policy,
    serverName: settings.sslsni && named ? entry.host : undefined,
    host: entry.host === "" ? undefined : entry.host,
  };
}

/** libpq sends no SNI for "digits and dots" nor for anything with a colon (fe-secure-openssl.c, initialize_SSL). */
function looksNumeric(host: string): boolean {
  return /^[0-9.]+$/.test(host) || host.includes(":");
}

const VERIFICATION: Readonly<Record<Settings["sslmode"], Verification>> = {
  "disable": "none",
  "allow": "none",
  "prefer": "none",
  "require": "none",
  "verify-ca": "ca",
  "verify-full": "full",
};

function isPem(text: string): boolean {
  // "Bag Attributes" and the like may stand in front.
  return text.includes("-----BEGIN ");
}

/** The roots to trust; undefined if nothing is to be verified. */
async function rootsOf(
  settings: Settings,
  wanted: Verification,
  host: Host,
): Promise<TlsRequest["roots"] | undefined> {
  const { sslrootcert } = settings;
  if (sslrootcert === "system") return "system";
  if (sslrootcert !== undefined && isPem(sslrootcert)) return { pem: sslrootcert };
  const path = sslrootcert ?? await defaultFile("root.crt", host);
  const pem = path === undefined ? undefined : await host.readText(path, "sslrootcert");
  if (pem !== undefined) {
    if (isPem(pem)) return { pem };
    throw new ConfigError(`Cannot use "${path}" as "sslrootcert": it holds no PEM certificate`, {
      keyword: "sslrootcert",
    });
  }
  if (wanted === "none") return undefined;
  throw new ConfigError(
    path === undefined
      ? `Cannot verify the server's certificate: sslmode "${settings.sslmode}" needs "sslrootcert"`
      : `root certificate file "${path}" does not exist`,
    {
      keyword: "sslrootcert",
      hint:
        'Give a file, PEM text or "system" as sslrootcert, or choose an sslmode that does not verify',
    },
  );
}

/** libpq's default files; one that may not be read counts as absent, so that Deno does not prompt for it. */
async function defaultFile(
  name: "root.crt" | "root.crl",
  host: Host,
): Promise<string | undefined> {
  const home = await host.accountHome(false);
  if (home === undefined) return undefined;
  const path = `${home}/${host.platform === "windows" ? "postgresql" : ".postgresql"}/${name}`;
  return mayRead(path) ? path : undefined;
}

/**
 * Revocation lists of `sslcrl`, of every file in `sslcrldir`, or of the default file; what is missing is ignored, as in
 * libpq.
 */
async function revocationListsOf(settings: Settings, host: Host): Promise<string | undefined> {
  const { sslcrl, sslcrldir } = settings;
  const lists: string[] = [];
  const file = sslcrl ??
    (sslcrldir === undefined ? await defaultFile("root.crl", host) : undefined);
  if (file !== undefined) await addList(lists, file, "sslcrl", host);
  const others = sslcrldir === undefined ? [] : await host.filesIn(sslcrldir, "sslcrldir");
  for (const path of others) await addList(lists, path, "sslcrldir", host);
  return lists.length === 0 ? undefined : lists.join("\n");
}

async function addList(
  lists: string[],
  path: string,
  keyword: "sslcrl" | "sslcrldir",
  host: Host,
): Promise<void> {
  const text = await pemOf(path, keyword, host);
  if (text === undefined) return;
  if (!text.includes("-----BEGIN X509 CRL-----")) {
    throw new ConfigError(`Cannot use "${keyword}": it holds no revocation list in PEM`, {
      keyword,
    });
  }
  lists.push(text);
}

async function identityOf(settings: Settings, host: Host): Promise<TlsIdentity | undefined> {
  const { sslcert, sslkey, sslpassword, sslcertmode } = settings;
  if (sslcertmode === "disable") return undefined;
  if (sslcert === undefined || sslkey === undefined) return undefined;
  const keySetting = sslkey.reveal();
  const certificate = await pemOf(sslcert, "sslcert", host);
  // A certificate file that does not exist means no client certificate (libpq, initialize_SSL).
  if (certificate === undefined) return undefined;
  const key = await pemOf(keySetting, "sslkey", host);
  if (key === undefined) {
    throw new ConfigError(
      `certificate present, but not private key file "${keySetting}"`,
      { keyword: "sslkey" },
    );
  }
  if (!isPem(keySetting)) await judgeKeyFile(keySetting, host);
  return { certificate, key, passphrase: sslpassword?.reveal() as string | undefined };
}

async function pemOf(
  setting: string,
  keyword: "sslcert" | "sslkey" | "sslcrl" | "sslcrldir",
  host: Host,
): Promise<string | undefined> {
  if (isPem(setting)) return setting;
  // No path has lines; it may be a key whose first line was damaged, so it is not shown.
  if (setting.includes("\n")) {
    throw new ConfigError(
      `Cannot use the text given as "${keyword}": it is neither PEM nor a path`,
      {
        keyword,
      },
    );
  }
  return await host.readText(setting, keyword);
}

/** A key others can read is refused: 0600, or 0640 if root owns it (libpq, initialize_SSL). */
async function judgeKeyFile(path: string, host: Host): Promise<void> {
  const found = await host.permissions(path, "sslkey");
  if (found === undefined) return;
  const forbidden = found.rootOwned ? 0o037 : 0o077;
  if ((found.mode & forbidden) === 0) return;
  throw new ConfigError(
    `private key file "${path}" has group or world access: its permissions are ${
      found.mode.toString(8).padStart(4, "0")
    }`,
    {
      keyword: "sslkey",
      hint: "They must be u=rw (0600) or less, or u=rw,g=r (0640) or less if root owns it",
    },
  );
}
