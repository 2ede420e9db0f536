import { isIpLiteral } from "./ip_literal.ts";
import type { Keyword } from "./keywords.ts";
import { isKeyword, KEYWORD_NAMES } from "./keywords.ts";
import type { ConnectionParameters } from "./parameters.ts";
import { isSecret } from "./parameters.ts";
import { unknownKeyword } from "./unknown_keyword.ts";
import { checkText } from "./values.ts";

/** How a connection string is written. */
export interface FormatOptions {
  /** `uri` unless given. */
  readonly style?: "uri" | "keyword";
  /** Whether password, sslpassword, a key in PEM, SCRAM keys and oauth_client_secret are written too; off unless given. */
  readonly withSecrets?: boolean;
}

/**
 * Writes parameters as a connection string: reading it with `parseConnectionString` gives the same parameters, but for
 * the secrets. These are left out, as such strings end up in logs and process lists, unless `withSecrets` is true.
 *
 * @param parameters By libpq's keywords; empty values are kept, `undefined` is as if the key were absent.
 * @throws {ConfigError} For a key that is no keyword, and a value with a zero octet or half a surrogate pair.
 *
 * @example
 * ```ts
 * formatConnectionString({ host: "db.example", user: "app", sslmode: "verify-full" });
 * // "postgresql://app@db.example?sslmode=verify-full"
 * ```
 */
export function formatConnectionString(
  parameters: ConnectionParameters,
  options: FormatOptions = {},
): string {
  const entries = entriesOf(parameters, options.withSecrets ?? false);
  return options.style === "keyword" ? keywordStyle(entries) : uriStyle(entries);
}

type Entries = ReadonlyMap<Keyword, string>;

function entriesOf(parameters: ConnectionParameters, withSecrets: boolean): Entries {
  for (const key of Object.keys(parameters)) {
    if (!isKeyword(key)) throw unknownKeyword(key);
  }
  const entries = new Map<Keyword, string>();
  for (const keyword of KEYWORD_NAMES) {
    const value = parameters[keyword];
    if (value === undefined) continue;
    checkText(keyword, value);
    if (withSecrets || !isSecret(keyword, value)) entries.set(keyword, value);
  }
  return entries;
}

function keywordStyle(entries: Entries): string {
  return Array.from(entries, ([keyword, value]) => `${keyword}=${quoted(value)}`).join(" ");
}

function quoted(value: string): string {
  const isBare = value !== "" && !/[ \t\n\v\f\r'\\]/.test(value);
  return isBare ? value : `'${value.replace(/['\\]/g, "\\$&")}'`;
}

function uriStyle(entries: Entries): string {
  const rest = new Map(entries);
  const take = (keyword: Keyword): string | undefined => {
    const value = rest.get(keyword) || undefined;
    if (value !== undefined) rest.delete(keyword);
    return value;
  };
  const user = take("user");
  const password = take("password");
  const hosts = hostsOf(entries);
  if (hosts !== undefined) { for (const keyword of ["host", "port"] as const) take(keyword); }
  const dbname = take("dbname");
  const credentials = user === undefined && password === undefined
    ? ""
    : `${encode(user ?? "")}${password === undefined ? "" : `:${encode(password)}`}@`;
  const path = dbname === undefined ? "" : `/${encode(dbname)}`;
  const query = Array.from(rest, ([keyword, value]) => `${keyword}=${encodeInQuery(value)}`);
  return `postgresql://${credentials}${hosts ?? ""}${path}${
    query.length === 0 ? "" : `?${query.join("&")}`
  }`;
}

/**
 * `host:port,host:port`; undefined if only the query can say it: there a list of several hosts always makes a list of
 * as many ports, and socket directories would have to be escaped beyond recognition.
 */
function hostsOf(entries: Entries): string | undefined {
  const host = entries.get("host");
  const port = entries.get("port");
  if (host === "" || port === "") return undefined;
  const hosts = (host ?? "").split(",");
  const ports = (port ?? "").split(",");
  if (hosts.length !== ports.length) return undefined;
  if (hosts.some((item) => item.startsWith("/") || item.startsWith("@"))) return undefined;
  return hosts.map((item, index) => {
    const number = ports[index] ?? "";
    return hostText(item) + (number === "" ? "" : `:${encode(number)}`);
  }).join(",");
}

function hostText(host: string): string {
  return host.includes(":") && isIpLiteral(host) ? `[${host.replace("%", "%25")}]` : encode(host);
}

function encode(text: string): string {
  return encodeURIComponent(text);
}

/** Keeps what nobody mistakes there readable. */
function encodeInQuery(text: string): string {
  return encode(text).replace(/%2F|%2C|%3A/g, (escape) => decodeURIComponent(escape));
}
