/** Somebody between a client and a real server who reads all he can and changes what he likes. */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate, setTimeout as delay } from "node:timers/promises";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { certificateText } from "./certificates.ts";
import { listenOnLoopback, portOf } from "./loopback.ts";
import { OctetStream } from "./octet_stream.ts";
import { type Rewriting, rewritten } from "./rewriting.ts";
import { hex } from "./vectors.ts";

/** What a middleman does; whatever is left out he passes on as it is. */
export interface Tampering {
  /**
   * What becomes of a client that wants TLS. `pass`: it gets the server's; the middleman reads nothing. `refuse`: it
   * hears N, and speaks to the server in plaintext. `fake`: it hears S, then plaintext that asks for a password.
   * `terminate`: it gets the middleman's own TLS, and the middleman has TLS of his own to the server.
   */
  readonly tls?: "pass" | "refuse" | "fake" | "terminate";
  /** The fixture to terminate TLS with, named without its extension. */
  readonly certificate?: string;
  /** What his TLS offers by ALPN, "postgresql" unless said; "" does not know ALPN. */
  readonly alpn?: string;
  /** What he makes of the server's messages, where he can read them. */
  readonly rewrite?: Rewriting;
  /** Hex that goes to the client behind so many octets of the server, in one write with the last of them. */
  readonly insert?: { readonly at: number; readonly octets: string };
  /** Ends the connection behind so many octets of one side. */
  readonly cut?: { readonly from: "client" | "server"; readonly at: number };
  /** The same inside the TLS he terminates: what is counted there is what TLS carries. */
  readonly inside?: Pick<Tampering, "insert" | "cut">;
  /** How many octets he sends to the client at once. */
  readonly segment?: number;
  /** How long he sits on what the server sends, in milliseconds. */
  readonly holdMs?: number;
}

/** A middleman at work. */
export interface Middleman {
  /** On 127.0.0.1. */
  readonly port: number;
  /** All he has seen of clients, as the wire carried it and as he decrypted it, one text of Latin-1 a connection. */
  heard(): readonly string[];
  /** The same of the server. */
  overheard(): readonly string[];
  /** Drops every connection and stops listening. */
  close(): Promise<void>;
}

/** SSLRequest (PostgreSQL manual, Message Formats). */
const SSL_REQUEST = "0000000804d2162f";
/** AuthenticationCleartextPassword. */
const ASK_CLEAR = hex("52 00000008 00000003");
const TLS_HANDSHAKE = 0x16;

/** Starts a middleman in front of a PostgreSQL server on 127.0.0.1 that takes direct TLS, 17 or later. */
export async function startMiddleman(server: number, tampering: Tampering): Promise<Middleman> {
  const terminator = tampering.tls === "terminate" ? await startTerminator(tampering) : undefined;
  const heard: Uint8Array[][] = [];
  const overheard: Uint8Array[][] = [];
  const listener = await listenOnLoopback((socket, number) => {
    const tap: Tap = { client: heard[number] = [], server: overheard[number] = [] };
    return serve({ socket, server, tampering, terminator, tap });
  });
  const texts = (octets: Uint8Array[][]): readonly string[] =>
    octets.map((chunks) => Buffer.concat(chunks).toString("latin1"));
  return {
    port: listener.port,
    heard: () => texts(heard),
    overheard: () => texts(overheard),
    async close() {
      await listener.close();
      await terminator?.close();
    },
  };
}

interface Tap {
  readonly client: Uint8Array[];
  readonly server: Uint8Array[];
}

interface Connection {
  readonly socket: Socket;
  readonly server: number;
  readonly tampering: Tampering;
  readonly terminator: Terminator | undefined;
  readonly tap: Tap;
}

async function serve({ socket, server, tampering, terminator, tap }: Connection): Promise<void> {
  const stream = new OctetStream(socket, (octets) => void tap.client.push(octets));
  const wire = new Wire(socket, tampering);
  const first = await stream.take(8);
  if (first === undefined) return wire.end();
  const asked = first.toString("hex") === SSL_REQUEST;
  const wantsTls = asked || first[0] === TLS_HANDSHAKE;
  const { tls = "pass", rewrite, cut } = tampering;
  if (!wantsTls || tls === "pass") {
    const upstream = connect({ port: server, host: "127.0.0.1", noDelay: true });
    const rest = Buffer.concat([first, stream.release()]);
    const limit = cut?.from === "client" ? cut.at : Infinity;
    forward(socket, upstream, rest, { limit, tap: tap.client });
    return await toClient(upstream, wire, tap, wantsTls ? undefined : rewrite);
  }
  if (tls === "refuse") {
    wire.write(Buffer.from("N"));
    if (!asked) return wire.end();
    const upstream = connect({ port: server, host: "127.0.0.1", noDelay: true });
    forward(socket, upstream, stream.release(), { limit: Infinity, tap: tap.client });
    return await toClient(upstream, wire, tap, rewrite);
  }
  if (asked) wire.write(Buffer.from("S"));
  if (tls === "fake") {
    if (asked) await stream.take(1);
    wire.write(ASK_CLEAR);
    await stream.untilEnd();
    return wire.end();
  }
  if (terminator === undefined) throw new Error("Cannot terminate TLS: no terminator was started");
  const rest = asked ? stream.release() : Buffer.concat([first, stream.release()]);
  const inner = await terminator.begin(socket, wire, rest);
  if (inner === undefined) return wire.end();
  const upstream = connectTls({
    port: server,
    host: "127.0.0.1",
    ALPNProtocols: ["postgresql"],
    rejectUnauthorized: false,
  });
  upstream.setNoDelay(true);
  forward(inner, upstream, Buffer.alloc(0), { limit: Infinity, tap: tap.client });
  await toClient(upstream, new Wire(inner, tampering.inside ?? {}), tap, rewrite);
}

/** Client to server. */
function forward(
  from: Duplex,
  to: Duplex,
  first: Uint8Array,
  { limit, tap }: { readonly limit: number; readonly tap: Uint8Array[] },
): void {
  let left = limit;
  const pass = (chunk: Uint8Array): void => {
    to.write(chunk.subarray(0, left));
    left -= chunk.length;
    if (left <= 0) {
      from.end();
      to.end();
    }
  };
  if (first.length > 0) pass(first);
  from.on("data", (chunk: Uint8Array) => {
    tap.push(new Uint8Array(chunk));
    pass(chunk);
  });
  from.on("end", () => to.end());
  // Clients give up in the middle of most cases.
  for (const event of ["error", "close"]) from.on(event, () => to.destroy());
}

/** Server to client; settles when the server has ended. */
async function toClient(
  from: Duplex,
  to: Wire,
  tap: Tap,
  rewrite: Rewriting | undefined,
): Promise<void> {
  const change = rewrite === undefined ? (chunk: Uint8Array) => chunk : rewritten(rewrite);
  await new Promise<void>((resolve) => {
    from.on("data", (chunk: Uint8Array) => {
      tap.server.push(new Uint8Array(chunk));
      to.write(change(new Uint8Array(chunk)));
    });
    for (const event of ["end", "error", "close"]) from.on(event, () => resolve());
  });
  to.end();
}

/** What goes to a client, in order, after all that is done to it. */
class Wire {
  readonly #socket: Duplex;
  readonly #tampering: Tampering;
  #sent = 0;
  #queue: Promise<void> = Promise.resolve();

  constructor(socket: Duplex, tampering: Tampering) {
    this.#socket = socket;
    this.#tampering = tampering;
    socket.on("error", () => socket.destroy());
  }

  write(octets: Uint8Array): void {
    if (octets.length > 0) this.#queue = this.#queue.then(() => this.#write(octets));
  }

  end(): void {
    this.#queue = this.#queue.then(() => void this.#socket.end());
  }

  async #write(octets: Uint8Array): Promise<void> {
    const { insert, cut, segment = octets.length + 1_000, holdMs = 0 } = this.#tampering;
    if (holdMs > 0) await delay(holdMs);
    const begin = this.#sent;
    this.#sent += octets.length;
    let changed = octets;
    if (cut?.from === "server") changed = octets.subarray(0, Math.max(0, cut.at - begin));
    const at = (insert?.at ?? -1) - begin;
    if (insert !== undefined && (at > 0 || begin === 0) && at >= 0 && at <= octets.length) {
      const parts = [octets.subarray(0, at), hex(insert.octets), octets.subarray(at)];
      changed = Buffer.concat(parts);
    }
    for (let from = 0; from < changed.length; from += segment) {
      if (this.#socket.destroyed) return;
      this.#socket.write(changed.slice(from, from + segment));
      if (from + segment < changed.length) await setImmediate();
    }
    if (cut?.from === "server" && this.#sent >= cut.at) this.#socket.end();
  }
}

interface Terminator {
  /** The decrypted side; undefined if the handshake failed. */
  begin(socket: Socket, wire: Wire, first: Uint8Array): Promise<Duplex | undefined>;
  close(): Promise<void>;
}

/** A TLS server of its own on loopback: not every runtime can put a server's TLS on top of a socket. */
async function startTerminator(tampering: Tampering): Promise<Terminator> {
  const { certificate = "server", alpn = "postgresql" } = tampering;
  const waiting = new Map<number, (socket: TLSSocket) => void>();
  const server = createTlsServer({
    cert: certificateText(`${certificate}.crt`),
    key: certificateText(`${certificate}.key`),
    ...(alpn === "" ? {} : { ALPNProtocols: [alpn] }),
    noDelay: true,
  }, (socket) => waiting.get(socket.remotePort ?? 0)?.(socket));
  // Clients that do not trust him are what this is for.
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    async begin(socket, wire, first) {
      const relay = connect({ port: portOf(server), host: "127.0.0.1", noDelay: true });
      await new Promise<void>((resolve) => relay.once("connect", resolve));
      return await new Promise<Duplex | undefined>((resolve) => {
        waiting.set(relay.localPort ?? 0, resolve);
        relay.on("data", (chunk: Uint8Array) => wire.write(new Uint8Array(chunk)));
        for (const event of ["end", "close", "error"]) {
          relay.on(event, () => {
            wire.end();
            resolve(undefined);
          });
        }
        forward(socket, relay, first, { limit: Infinity, tap: [] });
      });
    },
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
