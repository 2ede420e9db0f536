import { ConfigError } from "../errors.ts";
import type { Keyword } from "./keywords.ts";
import type { ConnectionParameters } from "./parameters.ts";
import { ParameterStore } from "./parameters.ts";
import { looksLikeKeyword, unknownKeyword } from "./unknown_keyword.ts";

const SCHEMES = ["postgresql://", "postgres://"] as const;

/** Whether a text is to be read as a URI: it begins with one of the two schemes, in lower case. */
export function isConnectionUri(text: string): boolean {
  return SCHEMES.some((scheme) => text.startsWith(scheme));
}

/**
 * Reads a connection URI as libpq does, which is not what RFC 3986 says: credentials end at the first "@" before any
 * "/", hosts are a list, and only "%" escapes (manual, section Connection URIs; fe-connect.c,
 * conninfo_uri_parse_options).
 *
 * @param text Begins with `postgres://` or `postgresql://`.
 * @throws {ConfigError} If it does not follow the grammar, or names no parameter of libpq. Positions count UTF-16
 *   units from 1.
 */
export function parseConnectionUri(text: string): ConnectionParameters {
  const scheme = SCHEMES.find((known) => text.startsWith(known));
  if (scheme === undefined) {
    throw failure(`it must begin with "${SCHEMES[0]}" or "${SCHEMES[1]}"`);
  }
  const store = new ParameterStore();
  const afterCredentials = readCredentials(text, scheme.length, store);
  const afterHosts = readHosts(text, afterCredentials, store);
  const afterDatabase = readDatabase(text, afterHosts, store);
  readQuery(text, afterDatabase, store);
  return store.finish();
}

/** `user:password@`, or nothing. */
function readCredentials(text: string, start: number, store: ParameterStore): number {
  const end = indexOfAny(text, "@/", start);
  if (text[end] !== "@") return start;
  const colon = text.indexOf(":", start);
  const hasPassword = colon >= 0 && colon < end;
  keep(store, "user", text.slice(start, hasPassword ? colon : end), start);
  if (hasPassword) keep(store, "password", text.slice(colon + 1, end), colon + 1);
  return end + 1;
}

/** `host:port,host:port`: two lists that keep their empty items. */
function readHosts(text: string, start: number, store: ParameterStore): number {
  const hosts: string[] = [];
  const ports: string[] = [];
  let at = start;
  for (;;) {
    const host = text[at] === "[" ? readBracketed(text, at) : readHost(text, at);
    hosts.push(host.text);
    at = host.end;
    let port = "";
    if (text[at] === ":") {
      const end = indexOfAny(text, "/?,", at + 1);
      port = text.slice(at + 1, end);
      at = end;
    }
    ports.push(port);
    if (text[at] !== ",") break;
    at++;
  }
  keep(store, "host", hosts.join(","), start);
  keep(store, "port", ports.join(","), start);
  return at;
}

interface Piece {
  readonly text: string;
  /** Where the rest begins. */
  readonly end: number;
}

function readHost(text: string, start: number): Piece {
  const end = indexOfAny(text, ":/?,", start);
  return { text: text.slice(start, end), end };
}

function readBracketed(text: string, start: number): Piece {
  const close = text.indexOf("]", start);
  if (close < 0) throw failure(`the "[" at position ${start + 1} has no "]"`);
  if (close === start + 1) throw failure(`the brackets at position ${start + 1} are empty`);
  const next = text[close + 1];
  if (next !== undefined && !":/?,".includes(next)) {
    throw failure(`only ":", "/", "?" or "," may follow the "]" at position ${close + 1}`);
  }
  return { text: text.slice(start + 1, close), end: close + 1 };
}

/** `/dbname`: everything up to "?", further slashes included. */
function readDatabase(text: string, start: number, store: ParameterStore): number {
  if (text[start] !== "/") return start;
  const end = indexOfAny(text, "?", start);
  keep(store, "dbname", text.slice(start + 1, end), start + 1);
  return end;
}

/** `?keyword=value&keyword=value`. */
function readQuery(text: string, start: number, store: ParameterStore): void {
  let at = start + 1;
  while (at < text.length) {
    const end = indexOfAny(text, "&", at);
    const equals = text.indexOf("=", at);
    if (equals < 0 || equals >= end) {
      throw failure(`missing "=" in the parameter at position ${at + 1}`);
    }
    if (text.slice(equals + 1, end).includes("=")) {
      throw failure(`a second "=" in the parameter at position ${at + 1}`, {
        hint: 'In a value, write "=" as "%3D"',
      });
    }
    const keyword = decode(text.slice(at, equals), `the parameter at position ${at + 1}`);
    const value = decode(text.slice(equals + 1, end), `the value at position ${equals + 2}`);
    const isSsl = keyword === "ssl" && value === "true";
    const kept = isSsl ? store.set("sslmode", "require") : store.set(keyword, value);
    if (kept === undefined) {
      // An "@" back here means a password whose "/" was not escaped: this may be a part of it.
      const spilled = text.includes("@", at);
      throw unknownKeyword(keyword, {
        place: spilled || !looksLikeKeyword(keyword) ? `at position ${at + 1}` : undefined,
      });
    }
    at = end + 1;
  }
}

/** Keeps a part of the hierarchy; an empty one counts as not given. */
function keep(store: ParameterStore, keyword: Keyword, raw: string, position: number): void {
  if (raw !== "") store.set(keyword, decode(raw, `the ${keyword} at position ${position + 1}`));
}

/** Drops spaces around a part and takes its percent escapes as UTF-8. */
function decode(raw: string, what: string): string {
  const trimmed = withoutBlanks(raw);
  if (trimmed.includes(" ")) {
    throw failure(`${what} contains a space`, { hint: 'Write it as "%20"' });
  }
  if (!trimmed.includes("%")) return trimmed;
  if (/%(?![0-9A-Fa-f]{2})/.test(trimmed)) {
    throw failure(`${what} has a "%" without two hexadecimal digits`);
  }
  return trimmed.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => decodeEscapes(run, what));
}

function decodeEscapes(run: string, what: string): string {
  const octets = Uint8Array.from(run.slice(1).split("%"), (pair) => Number.parseInt(pair, 16));
  if (octets.includes(0)) throw failure(`${what} contains "%00", which no value may hold`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets);
  } catch (cause) {
    throw failure(`${what} has percent escapes that are not UTF-8`, { cause });
  }
}

/** Where the first of some characters stands, or the end of the text. */
function indexOfAny(text: string, characters: string, from: number): number {
  let at = from;
  while (at < text.length && !characters.includes(text[at] ?? "")) at++;
  return at;
}

function failure(problem: string, details: { hint?: string; cause?: unknown } = {}): ConfigError {
  return new ConfigError(`Cannot parse the connection URI: ${problem}`, details);
}

/** Without the blanks around it; by hand, as the regular expression for it would be quadratic in inner blanks. */
function withoutBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text[start] === " ") start++;
  while (end > start && text[end - 1] === " ") end--;
  return text.slice(start, end);
}
