import type { Socket } from "node:net";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import type { TlsFacts } from "../auth/channel.ts";
import type { Flow } from "./inbox.ts";
import { contextOf } from "./node_context.ts";
import { tlsVersion } from "./requests.ts";
import { nodeProcess, ON_DENO, ON_NODE } from "./runtime.ts";
import type { TlsRequest } from "./transport.ts";

let loaded: Promise<typeof import("node:tls")> | undefined;

/** The module, loaded once: it takes 10 to 20 ms, asking for it again a twentieth of a connection's processor time. */
export function loadTls(): Promise<typeof import("node:tls")> {
  return loaded ??= load();
}

/** Begins to load it, once the thread is free: only then does a socket that was dialed begin to open. */
export function prepareTls(): void {
  // Whoever starts TLS gets the failure.
  if (loaded === undefined) setImmediate(() => loadTls().catch(() => undefined));
}

/**
 * Node is asked directly where it can be: an `import()` reads every property of the module, and that of the bundled roots
 * makes a text of each of them, which takes another 5 ms. On Deno it is the import that is faster.
 */
async function load(): Promise<typeof import("node:tls")> {
  return (ON_NODE ? nodeProcess?.getBuiltinModule?.("node:tls") : undefined) ??
    await import("node:tls");
}

/**
 * A request in the words of `tls.connect`, which stays without `host`: with it, Deno would send SNI.
 *
 * @param tls The module `node:tls`.
 * @throws {ConfigError} If roots, lists, the client certificate or its key cannot be used.
 */
export async function nodeTlsOptions(
  request: TlsRequest,
  tls: typeof import("node:tls"),
): Promise<ConnectionOptions> {
  const { serverName, alpn } = request;
  const options: ConnectionOptions = {
    rejectUnauthorized: request.verify !== "none",
    checkServerIdentity: anyName,
  };
  if (serverName !== undefined) options.servername = serverName;
  // Node and Deno send no SNI if nothing is given, Bun if this is empty; Deno takes it for a name.
  else if (!ON_DENO) options.servername = "";
  if (alpn.length > 0) options.ALPNProtocols = [...alpn];
  return { ...options, ...await contextOf(request, tls) };
}

/** Names are compared by the gate, by libpq's rules. */
function anyName(): undefined {
  return undefined;
}

/** The facts of a connection whose handshake stands. */
export function factsOf(socket: TLSSocket, request: TlsRequest): TlsFacts {
  // Typed as always there; a handshake without a certificate yields an empty object.
  const raw: Uint8Array | undefined = socket.getPeerCertificate()?.raw;
  return {
    protocol: tlsVersion(socket.getProtocol()),
    cipher: socket.getCipher()?.name,
    alpn: socket.alpnProtocol || undefined,
    verified: request.verify === "none" ? "none" : "ca",
    serverCertificate: raw === undefined ? undefined : new Uint8Array(raw),
  };
}

/** What reads a socket's octets from the system. */
export interface Wire {
  readStop(): void;
  readStart(): void;
}

/**
 * The handle under a plain socket, to be taken before TLS takes it: Deno's TLS socket goes on reading while it is
 * paused, without a bound, and only this stops it. Not documented; the contract's case about a slow reader over TLS
 * fails when it no longer works.
 */
export function wireOf(socket: Socket): Wire | undefined {
  const handle = (socket as unknown as { _handle?: Partial<Wire> | null })._handle;
  return handle?.readStop === undefined || handle.readStart === undefined
    ? undefined
    : handle as Wire;
}

/** A TLS socket that is paused together with what reads for it. */
export function stoppable(secure: TLSSocket, wire: Wire): Flow {
  return {
    pause(): void {
      secure.pause();
      wire.readStop();
    },
    resume(): void {
      wire.readStart();
      secure.resume();
    },
  };
}
