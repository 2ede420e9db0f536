/**
 * Sockets by Deno's own API, which starts faster and costs less than `node:net` on Deno but can do less: see
 * {@link denoAdapter}.
 *
 * @module
 */

import type { TlsFacts } from "../auth/channel.ts";
import { UsageError } from "../errors.ts";
import { checkAddress, endpointOf, kernelPath } from "./endpoint.ts";
import { abortedFailure, dialFailure, lostFailure, tlsFailure } from "./failures.ts";
import { Pending } from "./pending.ts";
import { checkSocketOptions, checkTlsRequest } from "./requests.ts";
import type {
  Abilities,
  Adapter,
  Address,
  Endpoint,
  Feed,
  Sink,
  SocketOptions,
  TlsRequest,
  Transport,
} from "./transport.ts";

export type { TlsFacts, TlsVersion, Verification } from "../auth/channel.ts";
export type {
  Abilities,
  Adapter,
  Address,
  Endpoint,
  Feed,
  KeepAlive,
  Sink,
  SocketOptions,
  TlsIdentity,
  TlsRequest,
  Transport,
} from "./transport.ts";

/** The part of Deno this uses. */
interface DenoNet {
  readonly build: { readonly os: string };
  connect(
    options:
      | { hostname: string; port: number; signal?: AbortSignal }
      | { transport: "unix"; path: string; signal?: AbortSignal },
  ): Promise<DenoConn>;
  startTls(
    conn: DenoConn,
    options: { hostname: string; alpnProtocols: string[] },
  ): Promise<DenoTlsConn>;
}

interface DenoConn {
  readonly remoteAddr: { readonly hostname?: string };
  read(into: Uint8Array): Promise<number | null>;
  write(octets: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay?(noDelay: boolean): void;
  setKeepAlive?(keepAlive: boolean): void;
  unref?(): void;
  ref?(): void;
}

interface DenoTlsConn extends DenoConn {
  handshake(): Promise<{ readonly alpnProtocol: string | null }>;
}

/** A reading starts with room for this many octets, and grows while it is filled. */
const MIN_READ_OCTETS = 4096;
const MAX_READ_OCTETS = 65_536;

const deno: DenoNet | undefined = (globalThis as unknown as { Deno?: DenoNet }).Deno;

/** Measured on Deno 2.9: a connection by `Deno.startTls` tells its ALPN protocol and nothing else. */
const ABILITIES: Abilities = {
  unix: deno?.build.os !== "windows",
  abstractUnix: deno?.build.os === "linux",
  serverCertificate: false,
  verify: ["full"],
  // Given roots are added to the system's.
  exclusiveRoots: false,
  // Only Deno.connectTls takes one, that is direct TLS alone.
  clientCertificate: false,
  versionBounds: [],
  withoutSni: false,
};

/**
 * Opens sockets by `Deno.connect` and `Deno.startTls`. TLS is verified against the system's roots and the host's name,
 * by rustls, or not at all possible; a policy that needs more is for the adapter of `./node`.
 *
 * Names are resolved while dialing. `close()` in the middle of a TLS handshake rejects it at once, but Deno 2.9 keeps
 * the socket itself until the server closes or the process ends. Deno's flag `--unsafely-ignore-certificate-errors` is beyond the reach of programs.
 */
export const denoAdapter: Adapter = { name: "deno", abilities: ABILITIES, dial };

async function dial(
  address: Address,
  signal?: AbortSignal,
  options?: SocketOptions,
): Promise<Transport> {
  if (deno === undefined) throw new UsageError("Cannot dial: this is the adapter for Deno");
  checkAddress(address);
  checkSocketOptions("deno", ABILITIES, options);
  const dialing = new Pending();
  const onAbort = (): void => dialing.end(abortedFailure(address, "dial", signal?.reason));
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await dialing.run((done, fail) => {
      connect(deno, address, signal).then((conn) => {
        // Aborted in the meantime: nobody will take this connection.
        if (dialing.failure !== undefined) conn.close();
        else {
          if (options?.keepAlive !== undefined) conn.setKeepAlive?.(true);
          done(new DenoTransport(deno, conn, address));
        }
      }, (error) => fail(dialFailure(address, error)));
    });
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

async function connect(
  deno: DenoNet,
  address: Address,
  signal: AbortSignal | undefined,
): Promise<DenoConn> {
  const give = signal === undefined ? {} : { signal };
  const conn = address.kind === "tcp"
    ? await deno.connect({ hostname: address.host, port: address.port, ...give })
    : await deno.connect({ transport: "unix", path: kernelPath(address.path), ...give });
  // Without it a message written in two parts waits 40 ms for a delayed acknowledgement.
  conn.setNoDelay?.(true);
  return conn;
}

/** A `Deno.Conn`, later the `Deno.TlsConn` that took it over. */
class DenoTransport implements Transport {
  readonly endpoint: Endpoint;
  readonly #deno: DenoNet;
  readonly #address: Address;
  readonly #pending = new Pending();
  #conn: DenoConn;
  #state: "plain" | "handshake" | "tls" = "plain";
  #reading = false;
  #writeClosed = false;
  #room = MIN_READ_OCTETS;

  constructor(deno: DenoNet, conn: DenoConn, address: Address) {
    this.#deno = deno;
    this.#conn = conn;
    this.#address = address;
    this.endpoint = endpointOf(address, conn.remoteAddr.hostname);
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#reading) throw new UsageError("Cannot read: another read is still pending");
    this.#reading = true;
    try {
      return await this.#run(() => this.#readOnce());
    } finally {
      this.#reading = false;
    }
  }

  async write(octets: Uint8Array): Promise<void> {
    if (this.#pending.failure === undefined && this.#writeClosed) {
      throw new UsageError("Cannot write: this side is closed");
    }
    await this.#run(() => this.#writeAll(octets));
  }

  async closeWrite(): Promise<void> {
    if (this.#pending.failure === undefined && this.#writeClosed) return;
    this.#writeClosed = true;
    await this.#run(() => this.#conn.closeWrite());
  }

  async startTls(request: TlsRequest): Promise<TlsFacts> {
    checkTlsRequest("deno", ABILITIES, request);
    const hostname = request.host;
    const { serverName } = request;
    if (hostname === undefined || (serverName !== undefined && serverName !== hostname)) {
      throw new UsageError('Cannot start TLS: "host" must be given, and "serverName" equal to it');
    }
    if (this.#address.kind === "unix") {
      // Deno.startTls takes TCP connections only; libpq never uses TLS here either.
      throw new UsageError("Cannot start TLS: Deno has none for Unix sockets");
    }
    if (this.#pending.failure === undefined && this.#state !== "plain") {
      throw new UsageError("Cannot start TLS: this connection has started it before");
    }
    if (this.#reading) throw new UsageError("Cannot start TLS: a read is still pending");
    this.#state = "handshake";
    return await this.#pending.run<TlsFacts>((done, fail) => {
      this.#handshake(hostname, request.alpn).then((facts) => {
        this.#state = "tls";
        done(facts);
      }, (error) => {
        if (this.#pending.failure !== undefined) return;
        const failure = tlsFailure(this.#address, error);
        fail(failure);
        this.#break(failure);
      });
    });
  }

  close(): void {
    this.#break(abortedFailure(this.#address, "transport"));
  }

  feed(sink: Sink): Feed {
    if (this.#reading) throw new UsageError("Cannot read into a sink: somebody else reads already");
    this.#reading = true;
    let resume: (() => void) | undefined;
    void this.#readInto(sink, () => new Promise((go) => resume = go));
    return {
      resume(): void {
        resume?.();
        resume = undefined;
      },
      write: (octets, done) => {
        if (this.#pending.failure !== undefined) return done(this.#pending.failure);
        this.#writeAll(octets).then(() => done(), (error) => {
          done(this.#pending.failure ?? lostFailure(this.#address, error));
        });
      },
    };
  }

  unref(): void {
    this.#conn.unref?.();
  }

  ref(): void {
    this.#conn.ref?.();
  }

  async #handshake(hostname: string, alpn: readonly string[]): Promise<TlsFacts> {
    const conn = await this.#deno.startTls(this.#conn, { hostname, alpnProtocols: [...alpn] });
    this.#conn = conn;
    if (this.#pending.failure !== undefined) {
      // Closed in the meantime, when there was nothing to close.
      release(conn);
      throw this.#pending.failure;
    }
    // startTls() itself reports nothing: a bad certificate comes out here.
    const { alpnProtocol } = await conn.handshake();
    return {
      protocol: undefined,
      cipher: undefined,
      alpn: alpnProtocol ?? undefined,
      verified: "full",
      serverCertificate: undefined,
    };
  }

  async #writeAll(octets: Uint8Array): Promise<void> {
    let sent = await this.#conn.write(octets);
    while (sent < octets.length) sent += await this.#conn.write(octets.subarray(sent));
  }

  async #readInto(sink: Sink, resumed: () => Promise<void>): Promise<void> {
    for (;;) {
      let octets: Uint8Array | undefined;
      try {
        octets = await this.#readOnce();
      } catch (error) {
        if (this.#pending.failure === undefined) sink.end(lostFailure(this.#address, error));
        return;
      }
      if (this.#pending.failure !== undefined) return;
      if (octets === undefined) return sink.end(undefined);
      if (!sink.data(octets)) await resumed();
    }
  }

  async #readOnce(): Promise<Uint8Array | undefined> {
    const octets = new Uint8Array(this.#room);
    let count: number | null;
    try {
      count = await this.#conn.read(octets);
    } catch (error) {
      // A TLS peer that closed without saying so; PostgreSQL's messages show for themselves if one was cut.
      if ((error as { name?: unknown }).name === "UnexpectedEof") return undefined;
      throw error;
    }
    if (count === null) return undefined;
    this.#room = count === octets.length
      ? Math.min(octets.length * 4, MAX_READ_OCTETS)
      : Math.max(MIN_READ_OCTETS, Math.min(octets.length, count * 2));
    return octets.subarray(0, count);
  }

  /** Runs one call of Deno. A write that fails leaves what the server said before to be read. */
  #run<T>(call: () => Promise<T>): Promise<T> {
    return this.#pending.run((done, fail) => {
      call().then(done, (error) => fail(lostFailure(this.#address, error)));
    });
  }

  #break(error: Error): void {
    this.#pending.end(error);
    release(this.#conn);
  }
}

function release(conn: DenoConn): void {
  try {
    conn.close();
  } catch (error) {
    // Closed before, or taken over by a startTls() that is under way.
    if ((error as { name?: unknown }).name !== "BadResource") throw error;
  }
}
