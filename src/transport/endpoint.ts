import { ConfigError } from "../errors.ts";
import type { Address, Endpoint } from "./transport.ts";

/** sockaddr_un.sun_path holds 108 octets on Linux, the last one zero; libpq says 107 as well (pqcomm.h). */
const MAX_UNIX_PATH_OCTETS = 107;

/** Whether a text is an IPv4 or IPv6 literal, without brackets. */
export function isIpLiteral(text: string): boolean {
  return text.includes(":") || /^\d{1,3}(\.\d{1,3}){3}$/.test(text);
}

/** Whether octets sent to this IP address stay on this machine: 127.0.0.0/8 (also mapped into IPv6) and ::1. */
export function isLoopback(ip: string): boolean {
  return ip === "::1" || /^(::ffff:)?127(\.\d{1,3}){3}$/i.test(ip);
}

/** How messages name an address: `"127.0.0.1", port 5432` or `socket "/tmp/.s.PGSQL.5432"`. */
export function describeAddress(address: Address): string {
  return address.kind === "tcp"
    ? `"${address.host}", port ${address.port}`
    : `socket "${address.path}"`;
}

/**
 * Refuses an address no runtime could dial.
 *
 * @throws {ConfigError} If the port is not 1 to 65535, a text is empty or holds a zero octet, or a socket path is
 *   longer than the kernel takes (some runtimes would cut it silently).
 */
export function checkAddress(address: Address): void {
  if (address.kind === "tcp") {
    const { host, port } = address;
    if (host === "" || host.includes("\0")) {
      throw new ConfigError(`Cannot use host ${JSON.stringify(host)}: it must be a name or an IP`, {
        keyword: "host",
      });
    }
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw new ConfigError(`Cannot use port "${port}": it must be 1 to 65535`, {
        keyword: "port",
      });
    }
    return;
  }
  const { path } = address;
  const octets = new TextEncoder().encode(path).length;
  if (octets === 0 || path.includes("\0")) {
    throw new ConfigError(`Cannot use socket path ${JSON.stringify(path)}: it must be a path`, {
      keyword: "host",
    });
  }
  if (octets > MAX_UNIX_PATH_OCTETS) {
    throw new ConfigError(
      `Cannot use socket path "${path}": it has ${octets} octets, at most ${MAX_UNIX_PATH_OCTETS} fit`,
      { keyword: "host" },
    );
  }
}

/** The path as the kernel wants it: a leading "@" stands for the zero octet of an abstract name. */
export function kernelPath(path: string): string {
  return path.startsWith("@") ? `\0${path.slice(1)}` : path;
}

/**
 * The facts about a connected socket.
 *
 * @param address What was dialed.
 * @param remoteAddress The peer's IP address, if the runtime tells; ignored for Unix sockets.
 */
export function endpointOf(address: Address, remoteAddress: string | undefined): Endpoint {
  if (address.kind === "unix") {
    return {
      kind: "unix",
      remoteAddress: undefined,
      remotePort: undefined,
      path: address.path,
      local: true,
    };
  }
  return {
    kind: "tcp",
    // Nearly always the same text, which is there already.
    remoteAddress: remoteAddress === address.host ? address.host : remoteAddress,
    remotePort: address.port,
    path: undefined,
    local: remoteAddress !== undefined && isLoopback(remoteAddress),
  };
}
