/** TLS servers of the transport tests, by `node:tls` over a plain server, so that they run on every runtime. */
import type { Socket } from "node:net";
import { TLSSocket, type TLSSocketOptions } from "node:tls";
import type { Address } from "../../src/transport/transport.ts";
import { certificateText } from "../support/certificates.ts";
import type { Lab } from "./lab.ts";

/** What the server saw of one handshake. */
export interface Seen {
  /** The name sent by SNI; undefined if none was. */
  readonly serverName: string | undefined;
  readonly alpn: string | undefined;
}

/** A running TLS server and its connections. */
export interface TlsServer {
  readonly address: Address;
  /** The handshakes that succeeded here, in order. */
  readonly seen: readonly Seen[];
}

/** How the server behaves. */
export interface TlsServerOptions extends TLSSocketOptions {
  /** The fixture to present: `<name>.crt` and its key. */
  readonly certificate?: string;
  /** The host or path to listen on. */
  readonly where?: { host?: string; path?: string };
  /** Answers "S" to the first octet and begins TLS only then, as PostgreSQL does. */
  readonly asked?: boolean;
  /** What is done with a connection that is secure; by default it echoes, and answers our end with its own. */
  readonly serve?: (secure: TLSSocket, plain: Socket, wire: Wire) => void;
}

/** What reads from the system; Deno's TLS sockets read on without a bound unless it is stopped. */
export interface Wire {
  readStop(): void;
  readStart(): void;
}

/** Starts a TLS server; the lab stops it. */
export async function startTlsServer(
  lab: Lab,
  options: TlsServerOptions = {},
): Promise<TlsServer> {
  const { certificate = "server", where = {}, asked = false, serve = echo, ...tls } = options;
  const identity = {
    cert: certificateText(`${certificate}.crt`),
    key: certificateText(`${certificate}.key`),
  };
  const seen: Seen[] = [];
  const secure = (plain: Socket): void => {
    const wire = "Deno" in globalThis
      ? (plain as unknown as { _handle: Wire })._handle
      : { readStop() {}, readStart() {} };
    const socket = new TLSSocket(plain, { isServer: true, ...identity, ...tls });
    lab.defer(() => socket.destroy());
    // Half of the cases break the handshake on purpose; the client's side is what they look at.
    socket.on("error", () => plain.destroy());
    socket.on("secure", () => {
      const { servername } = socket as unknown as { servername?: string | false | null };
      seen.push({
        serverName: servername || undefined,
        alpn: socket.alpnProtocol || undefined,
      });
    });
    serve(socket, plain, wire);
  };
  const address = await lab.listen((peer) => {
    if (!asked) {
      secure(peer.socket);
      return;
    }
    peer.socket.once("data", () => {
      peer.socket.write("S");
      secure(peer.socket);
    });
  }, where);
  return { address, seen };
}

function echo(secure: TLSSocket): void {
  secure.on("data", (chunk: Uint8Array) => secure.write(chunk));
  secure.on("end", () => secure.end());
}
