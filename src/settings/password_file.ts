import type { HostEntry } from "./hosts.ts";
import { Secret } from "./secret.ts";

/** What a line of a password file is compared with. */
export interface PasswordFileKey {
  /** "localhost" for the default directory of Unix sockets. */
  readonly host: string;
  /** The decimal number. */
  readonly port: string;
  /** The database to open. */
  readonly database: string;
  /** The role to log in as. */
  readonly user: string;
}

/** What the rule about permissions looks at. */
export interface PasswordFileFacts {
  /** Whether it is a regular file. */
  readonly regular: boolean;
  /** The nine permission bits; undefined where the system has none. */
  readonly mode: number | undefined;
}

/**
 * The path of the password file that is read if none is named.
 *
 * @param home The account's home; on Windows the directory of application data.
 */
export function defaultPasswordFile(home: string, platform: "windows" | "posix"): string {
  return platform === "windows" ? `${home}\\postgresql\\pgpass.conf` : `${home}/.pgpass`;
}

/**
 * What to look up for one host of the list: its name, else its hostaddr.
 *
 * @param entry The host.
 * @param session Who logs in, and where.
 * @param defaultSocketDirectory This directory is called "localhost" in the file; undefined if there is none.
 */
export function passwordFileKey(
  entry: HostEntry,
  session: { readonly user: string; readonly dbname: string },
  defaultSocketDirectory: string | undefined,
): PasswordFileKey {
  return {
    host: entry.host === defaultSocketDirectory ? "localhost" : entry.host,
    port: String(entry.port),
    database: session.dbname,
    user: session.user,
  };
}

/**
 * Why a password file must be ignored: libpq warns and goes on without it (fe-connect.c, passwordFromFile).
 *
 * @returns The warning; undefined if the file may be used.
 */
export function passwordFileProblem(path: string, facts: PasswordFileFacts): string | undefined {
  const { regular, mode } = facts;
  if (!regular) return `Cannot use the password file "${path}": it is not a plain file`;
  if (mode === undefined || (mode & 0o077) === 0) return undefined;
  const digits = mode.toString(8).padStart(4, "0");
  return `Cannot use the password file "${path}": it has group or world access, ` +
    `its permissions are ${digits}, they must be u=rw (0600) or less`;
}

const COLON = 0x3a;
const BACKSLASH = 0x5c;
const STAR = 0x2a;
const HASH = 0x23;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Looks up a password: lines of `host:port:database:user:password`, the first that matches wins; "*" alone matches
 * everything, a backslash takes the next octet as it is, "#" at the very beginning makes a comment (manual, section
 * The Password File; fe-connect.c, passwordFromFile). Octets are compared as they are, in no encoding.
 *
 * @param file The file's octets, or its text, which is taken as UTF-8.
 * @param key What to look for.
 * @returns The password's octets, perhaps none; undefined if no line matches.
 */
export function findPassword(
  file: Uint8Array | string,
  key: PasswordFileKey,
): Secret<Uint8Array> | undefined {
  const encoder = new TextEncoder();
  const octets = typeof file === "string" ? encoder.encode(file) : file;
  const wanted = [key.host, key.port, key.database, key.user].map((text) => encoder.encode(text));
  for (let start = 0; start < octets.length;) {
    const feed = octets.indexOf(LINE_FEED, start);
    const end = feed < 0 ? octets.length : feed;
    const password = octets[start] === HASH
      ? undefined
      : passwordOf(withoutReturns(octets.subarray(start, end)), wanted);
    if (password !== undefined) return new Secret(password);
    start = end + 1;
  }
  return undefined;
}

function withoutReturns(line: Uint8Array): Uint8Array {
  let end = line.length;
  while (line[end - 1] === CARRIAGE_RETURN) end--;
  return line.subarray(0, end);
}

function passwordOf(line: Uint8Array, wanted: readonly Uint8Array[]): Uint8Array | undefined {
  let at: number | undefined = 0;
  for (const text of wanted) {
    at = afterField(line, at, text);
    if (at === undefined) return undefined;
  }
  return unescaped(line.subarray(at));
}

/** Where the next field begins; undefined if this one does not match. The expected text leads, so "::1" needs no escape. */
function afterField(line: Uint8Array, start: number, text: Uint8Array): number | undefined {
  if (line[start] === STAR && line[start + 1] === COLON) return start + 2;
  let at = start;
  for (const octet of text) {
    if (line[at] === BACKSLASH) at++;
    if (line[at] !== octet) return undefined;
    at++;
  }
  return line[at] === COLON ? at + 1 : undefined;
}

/** Up to the next colon that is not escaped; a backslash at the very end stays. */
function unescaped(field: Uint8Array): Uint8Array {
  const password: number[] = [];
  for (let at = 0; at < field.length && field[at] !== COLON; at++) {
    if (field[at] === BACKSLASH && at + 1 < field.length) at++;
    password.push(field[at] ?? 0);
  }
  return Uint8Array.from(password);
}
