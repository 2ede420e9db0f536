import type { SecureContext } from "node:tls";
import { HOST } from "./contender.ts";

/** The least a handshake needs of a socket. Nothing is checked that a library would have to check. */
export interface RawSocket {
  /** What came; rejects at the end of the stream. */
  read(): Promise<Uint8Array>;
  write(octets: Uint8Array): void;
  /** Turns it into TLS that verifies against `roots`, offering ALPN "postgresql". */
  secure(roots: string): Promise<RawSocket>;
  /** Releases it at once. */
  destroy(): void;
}

/** Opens a socket by what the runtime does best. */
export function openRawSocket(port: number): Promise<RawSocket> {
  if (scope.Deno !== undefined) return openDeno(scope.Deno, port);
  if (scope.Bun !== undefined) return openBun(scope.Bun, port);
  return openNode(port);
}

/** The parts of the runtimes used here. */
interface DenoNet {
  connect(options: { hostname: string; port: number }): Promise<DenoConn>;
  startTls(
    conn: DenoConn,
    options: { hostname: string; alpnProtocols: string[] },
  ): Promise<DenoConn & { handshake(): Promise<unknown> }>;
}
interface DenoConn {
  setNoDelay?(): void;
  read(into: Uint8Array): Promise<number | null>;
  write(octets: Uint8Array): Promise<number>;
  close(): void;
}
interface BunNet {
  connect(options: object): Promise<BunSocket>;
}
interface BunSocket {
  write(octets: Uint8Array): number;
  end(): void;
  upgradeTLS(options: object): readonly [unknown, BunSocket];
}

const scope = globalThis as unknown as { Deno?: DenoNet; Bun?: BunNet };

async function openDeno(net: DenoNet, port: number): Promise<RawSocket> {
  const conn = await net.connect({ hostname: HOST, port });
  conn.setNoDelay?.();
  return asRaw(net, conn);
}

function asRaw(net: DenoNet, conn: DenoConn): RawSocket {
  const buffer = new Uint8Array(4096);
  return {
    async read() {
      const count = await conn.read(buffer);
      if (count === null) throw new Error("The server closed the raw socket");
      return buffer.subarray(0, count);
    },
    write: (octets) => void conn.write(octets),
    async secure() {
      // The roots are those of the process: the bench gives it DENO_CERT.
      const options = { hostname: HOST, alpnProtocols: ["postgresql"] };
      const secure = await net.startTls(conn, options);
      await secure.handshake();
      return asRaw(net, secure);
    },
    destroy: () => conn.close(),
  };
}

/** Hands octets from a callback to whoever reads; the server never speaks twice unasked here. */
class Mailbox {
  #octets: Uint8Array | undefined;
  #error: Error | undefined;
  #wanted: { resolve(octets: Uint8Array): void; reject(error: Error): void } | undefined;

  put(octets: Uint8Array): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    if (wanted === undefined) this.#octets = octets;
    else wanted.resolve(octets);
  }

  fail(error: Error): void {
    this.#error = error;
    this.#wanted?.reject(error);
  }

  take(): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#octets !== undefined) resolve(this.#octets);
      else if (this.#error !== undefined) reject(this.#error);
      else this.#wanted = { resolve, reject };
      this.#octets = undefined;
    });
  }
}

const ENDED = new Error("The server closed the raw socket");

async function openBun(net: BunNet, port: number): Promise<RawSocket> {
  const mailbox = new Mailbox();
  const socket = await net.connect({
    hostname: HOST,
    port,
    socket: {
      data: (_: BunSocket, octets: Uint8Array) => mailbox.put(octets),
      close: () => mailbox.fail(ENDED),
      error: (_: BunSocket, error: Error) => mailbox.fail(error),
    },
  });
  return {
    read: () => mailbox.take(),
    write: (octets) => void socket.write(octets),
    secure: (roots) => secureBun(socket, roots),
    destroy: () => socket.end(),
  };
}

function secureBun(plain: BunSocket, roots: string): Promise<RawSocket> {
  return new Promise((resolve, reject) => {
    const mailbox = new Mailbox();
    const [, socket] = plain.upgradeTLS({
      tls: { ca: roots, serverName: "", ALPNProtocols: "\x0apostgresql" },
      socket: {
        handshake(_: BunSocket, _success: boolean, verdict: Error | null) {
          if (verdict !== null) return reject(verdict);
          resolve({
            read: () => mailbox.take(),
            write: (octets) => void socket.write(octets),
            secure: () => Promise.reject(new Error("TLS was started before")),
            destroy: () => socket.end(),
          });
        },
        data: (_: BunSocket, octets: Uint8Array) => mailbox.put(octets),
        close: () => mailbox.fail(ENDED),
        error: (_: BunSocket, error: Error) => mailbox.fail(error),
      },
    });
  });
}

/** Shared by all sockets: nothing is kept of it beyond the next read. */
const shared: Uint8Array = new Uint8Array(65_536);
const contexts = new Map<string, SecureContext>();

async function openNode(port: number): Promise<RawSocket> {
  const { connect } = await import("node:net");
  const tls = await import("node:tls");
  return await new Promise((resolve, reject) => {
    const mailbox = new Mailbox();
    const plain = connect({
      host: HOST,
      port,
      noDelay: true,
      onread: {
        buffer: shared,
        callback: (count) => {
          mailbox.put(shared.slice(0, count));
          return true;
        },
      },
    });
    plain.on("error", (error) => {
      reject(error);
      mailbox.fail(error);
    });
    plain.on("end", () => mailbox.fail(ENDED));
    const secure = (roots: string): Promise<RawSocket> =>
      new Promise((done, fail) => {
        let secureContext = contexts.get(roots);
        if (secureContext === undefined) {
          secureContext = tls.createSecureContext({ ca: roots, ecdhCurve: "X25519:P-256" });
          contexts.set(roots, secureContext);
        }
        const ALPNProtocols = ["postgresql"];
        const socket = tls.connect({ socket: plain, host: HOST, secureContext, ALPNProtocols });
        const inner = new Mailbox();
        socket.on("secureConnect", () =>
          done({
            read: () => inner.take(),
            write: (octets) => void socket.write(octets),
            secure: () => Promise.reject(new Error("TLS was started before")),
            destroy: () => void socket.destroy(),
          }));
        socket.on("data", (octets: Uint8Array) => inner.put(octets));
        socket.on("end", () => inner.fail(ENDED));
        socket.on("error", (error) => {
          fail(error);
          inner.fail(error);
        });
      });
    plain.on("connect", () =>
      resolve({
        read: () => mailbox.take(),
        write: (octets) => void plain.write(octets),
        secure,
        destroy: () => void plain.destroy(),
      }));
  });
}
