import { ConfigError } from "../errors.ts";
import { isIpLiteral } from "./ip_literal.ts";
import { integerOf } from "./values.ts";

/** One place a server may be at. */
export interface HostEntry {
  /** A host name, an IP address without brackets, or the directory of a Unix socket; hostaddr if only that is set. */
  readonly host: string;
  /** The IP address to dial in place of looking up `host`. */
  readonly hostaddr: string | undefined;
  /** 1 to 65535. */
  readonly port: number;
  /** `unix` if `host` begins with "/" or "@" and there is no `hostaddr`. */
  readonly kind: "tcp" | "unix";
}

/** The parameters a host list is made from. */
export interface HostParameters {
  readonly host?: string | undefined;
  readonly hostaddr?: string | undefined;
  readonly port?: string | undefined;
}

/** A host list before its ports are judged. */
export interface HostLists {
  readonly hosts: readonly string[];
  readonly addresses: readonly string[];
  readonly ports: readonly string[];
}

const DEFAULT_PORT = 5432;

/** sun_path of Linux has 108 octets, one of them the terminator (unix(7); libpq: UNIXSOCK_PATH_BUFLEN). */
const MAX_SOCKET_PATH_OCTETS = 107;

/**
 * Splits host, hostaddr and port and compares their counts: hostaddr decides, else host; ports are one for all or one
 * for each. An empty item means the default.
 *
 * @throws {ConfigError} If counts differ.
 */
export function splitHosts(parameters: HostParameters): HostLists {
  const hosts = listOf(parameters.host);
  const addresses = listOf(parameters.hostaddr);
  const ports = listOf(parameters.port);
  const count = addresses.length || hosts.length || 1;
  if (hosts.length > 0 && hosts.length !== count) {
    throw new ConfigError(
      `Cannot use hostaddr: it lists ${count}, but host lists ${hosts.length}`,
      { keyword: "hostaddr" },
    );
  }
  if (ports.length > 1 && ports.length !== count) {
    throw new ConfigError(
      `Cannot use port: it lists ${ports.length}, but there ${
        count === 1 ? "is 1 host" : `are ${count} hosts`
      }`,
      { keyword: "port" },
    );
  }
  const lists = { hosts: [] as string[], addresses: [] as string[], ports: [] as string[] };
  for (let at = 0; at < count; at++) {
    lists.hosts.push(hosts[at] ?? "");
    lists.addresses.push(addresses[at] ?? "");
    lists.ports.push(ports[ports.length === 1 ? 0 : at] ?? "");
  }
  return lists;
}

/**
 * Judges each item of the lists.
 *
 * @param lists From {@link splitHosts}.
 * @param defaultHost Where an item names neither host nor address: a socket directory or a name.
 * @throws {ConfigError} For a port that is none, an address that is not numeric, a name that can be none, and a socket
 *   path that is too long.
 */
export function resolveHosts(lists: HostLists, defaultHost: string): readonly HostEntry[] {
  return lists.hosts.map((name, index): HostEntry => {
    const hostaddr = lists.addresses[index] || undefined;
    const host = name || (hostaddr ?? defaultHost);
    const port = portOf(lists.ports[index] ?? "");
    if (hostaddr !== undefined) {
      if (!isIpLiteral(hostaddr)) {
        throw new ConfigError(
          `Cannot use the hostaddr at place ${index + 1}: it must be a numeric IP address`,
          { keyword: "hostaddr", hint: "Names belong into host" },
        );
      }
      return { host, hostaddr, port, kind: "tcp" };
    }
    if (host.startsWith("/") || host.startsWith("@")) {
      const entry: HostEntry = { host, hostaddr, port, kind: "unix" };
      socketPath(entry);
      return entry;
    }
    // "user:p@ss@host" names the host "ss@host": looking that up would show a part of the password.
    if (host.includes("@")) {
      throw new ConfigError(`Cannot use the host at place ${index + 1}: it must not contain "@"`, {
        keyword: "host",
        hint: 'In a URI, write an "@" of the password as "%40"',
      });
    }
    return { host, hostaddr, port, kind: "tcp" };
  });
}

/**
 * The path of a host's Unix socket, `<directory>/.s.PGSQL.<port>`; a leading "@" means Linux's abstract name space.
 *
 * @throws {ConfigError} If it has more than 107 octets, or the host is not a socket directory.
 */
export function socketPath(entry: HostEntry): string {
  if (entry.kind !== "unix") {
    throw new ConfigError(`Cannot name a Unix socket of "${entry.host}": it is no directory`, {
      keyword: "host",
    });
  }
  const path = `${entry.host}/.s.PGSQL.${entry.port}`;
  const octets = new TextEncoder().encode(path).length;
  if (octets > MAX_SOCKET_PATH_OCTETS) {
    throw new ConfigError(
      `Cannot use the socket path "${path}": it has ${octets} octets, ` +
        `but at most ${MAX_SOCKET_PATH_OCTETS} are possible`,
      { keyword: "host" },
    );
  }
  return path;
}

function listOf(text: string | undefined): readonly string[] {
  return text === undefined || text === "" ? [] : text.split(",");
}

function portOf(text: string): number {
  if (text === "") return DEFAULT_PORT;
  const port = integerOf(text);
  if (port !== undefined && port >= 1 && port <= 65535) return port;
  // "user:pa/ss@host" names the port "pa": only what looks like a number is shown.
  const shown = /^[ \t]*[-+]?[0-9]+[ \t]*$/.test(text)
    ? `port "${text}"`
    : "a port that is no number";
  throw new ConfigError(`Cannot use ${shown}: it must be 1 to 65535`, {
    keyword: "port",
    ...(shown.startsWith("a") && {
      hint: 'In a URI, write a "/" of the password as "%2F"',
    }),
  });
}
