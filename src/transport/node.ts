/**
 * Sockets by `node:net` and `node:tls`, on Node, Deno and Bun. This is the adapter with every ability; importing it is
 * what loads `node:net`, its first TLS handshake what loads `node:tls`.
 *
 * @module
 */

import { connect as connectSocket, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { TlsFacts } from "../auth/channel.ts";
import { UsageError } from "../errors.ts";
import { checkAddress, endpointOf, kernelPath } from "./endpoint.ts";
import {
  abortedFailure,
  dialFailure,
  earlyEndFailure,
  lostFailure,
  nameFailure,
  tlsFailure,
  tlsSetupFailure,
  unreadOctetsFailure,
} from "./failures.ts";
import { Inbox } from "./inbox.ts";
import { nodeTlsOptions, type Wire, wireOf } from "./node_tls.ts";
import { Pending } from "./pending.ts";
import { checkSocketOptions, checkTlsRequest, tlsVersion } from "./requests.ts";
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

const ON_DENO = "Deno" in globalThis;
const ON_BUN = "Bun" in globalThis;
const ON_NODE = !ON_DENO && !ON_BUN;
const PLATFORM = globalThis.process.platform;

/** What `node:net` and `node:tls` can do on the runtime this runs on. */
const ABILITIES: Abilities = {
  unix: PLATFORM !== "win32",
  abstractUnix: PLATFORM === "linux",
  serverCertificate: true,
  verify: ["none", "ca", "full"],
  exclusiveRoots: true,
  clientCertificate: true,
  // rustls and BoringSSL end at TLSv1.2.
  versionBounds: ON_DENO || ON_BUN
    ? ["TLSv1.2", "TLSv1.3"]
    : ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
  withoutSni: true,
  // Deno takes the option and does not look at it.
  revocationLists: !ON_DENO,
  // Interval and count came with Node 24; the runtimes before, Deno and Bun take two arguments.
  keepAlive: Socket.prototype.setKeepAlive.length >= 4 && ON_NODE
    ? ["idleS", "intervalS", "count"]
    : ["idleS"],
};

/** Opens sockets by `node:net` and `node:tls`, whatever the runtime. */
export const nodeAdapter: Adapter = { name: "node", abilities: ABILITIES, resolve, dial };

async function resolve(host: string): Promise<readonly string[]> {
  if (!mayDialAnything()) return [host];
  const { lookup } = await import("node:dns");
  return await new Promise((done, fail) => {
    lookup(host, { all: true, verbatim: true }, (error, addresses) => {
      if (error === null || error === undefined) done(addresses.map((one) => one.address));
      else fail(nameFailure(host, error));
    });
  });
}

/** The part of Deno that tells about permissions. */
interface DenoPermissions {
  permissions: { querySync(what: { name: "net" }): { state: string } };
}

/**
 * Deno's permissions for single hosts are for the name as it is dialed: with one of them, neither looking the name up
 * nor dialing its addresses is allowed, while the name itself is, so resolving is left to the dialing.
 */
function mayDialAnything(): boolean {
  const { Deno } = globalThis as unknown as { Deno?: DenoPermissions };
  return Deno === undefined || Deno.permissions.querySync({ name: "net" }).state === "granted";
}

async function dial(
  address: Address,
  signal?: AbortSignal,
  options?: SocketOptions,
): Promise<Transport> {
  checkAddress(address);
  checkSocketOptions("node", ABILITIES, options);
  if (signal?.aborted) throw abortedFailure(address, "dial", signal.reason);
  return await new Promise((done, fail) => {
    let socket: Socket;
    try {
      socket = connectSocket(
        address.kind === "tcp"
          ? { host: address.host, port: address.port, allowHalfOpen: true }
          : { path: kernelPath(address.path), allowHalfOpen: true },
      );
    } catch (error) {
      // Deno throws here when a permission for a Unix socket is missing.
      return fail(dialFailure(address, error));
    }
    const settle = (): void => {
      signal?.removeEventListener("abort", onAbort);
      socket.off("connect", onConnect);
      socket.off("close", onClose);
    };
    const onAbort = (): void => {
      settle();
      socket.destroy();
      fail(abortedFailure(address, "dial", signal?.reason));
    };
    const onConnect = (): void => {
      settle();
      if (address.kind === "tcp") tune(socket, options);
      const transport = new NodeTransport(socket, address);
      socket.off("error", onError);
      done(transport);
    };
    // Stays for good when dialing fails: a destroyed socket may still report an error.
    const onError = (error: unknown): void => {
      settle();
      fail(dialFailure(address, error));
    };
    const onClose = (): void => onError({ code: "ECONNABORTED" });
    signal?.addEventListener("abort", onAbort, { once: true });
    socket.once("connect", onConnect);
    socket.on("error", onError);
    socket.once("close", onClose);
  });
}

/** The part of newer Nodes that the type package of this project may not know yet. */
interface FullKeepAlive {
  setKeepAlive(enable: boolean, delayMs?: number, intervalMs?: number, count?: number): unknown;
}

function tune(socket: Socket & FullKeepAlive, options: SocketOptions | undefined): void {
  // Without it a message written in two parts waits 40 ms for a delayed acknowledgement.
  socket.setNoDelay(true);
  const keepAlive = options?.keepAlive;
  if (keepAlive === undefined) return;
  const { idleS, intervalS, count } = keepAlive;
  if (intervalS === undefined && count === undefined) {
    socket.setKeepAlive(true, idleS === undefined ? 0 : idleS * 1000);
  } else {
    const interval = intervalS === undefined ? undefined : intervalS * 1000;
    socket.setKeepAlive(true, (idleS ?? 0) * 1000, interval, count);
  }
}

/** A connected `node:net` socket, later the `node:tls` socket over it. */
class NodeTransport implements Transport {
  readonly endpoint: Endpoint;
  readonly #address: Address;
  readonly #pending = new Pending();
  readonly #inbox = new Inbox({
    pause: () => {
      this.#socket.pause();
      this.#wire?.readStop();
    },
    resume: () => {
      this.#wire?.readStart();
      this.#socket.resume();
    },
  });
  #socket: Socket;
  #state: "plain" | "handshake" | "tls" | "closed" = "plain";
  #writeClosed = false;
  #wire: Wire | undefined;
  /** Stops octets of the present socket from coming in. */
  #ignore: () => void;

  constructor(socket: Socket, address: Address) {
    this.#socket = socket;
    this.#address = address;
    this.endpoint = endpointOf(address, socket.remoteAddress);
    this.#ignore = this.#listen(socket);
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#inbox.read();
  }

  async write(octets: Uint8Array): Promise<void> {
    if (this.#writeClosed && this.#state !== "closed") {
      throw new UsageError("Cannot write: this side is closed");
    }
    // Node ends a socket whose write fails without reading what the kernel still holds: the server's last word. On a
    // Unix socket already the first write to a closed peer fails, so the loop is let read first, unless somebody
    // reads all the time anyway.
    if (this.#address.kind === "unix" && ON_NODE && !this.#inbox.reading) await polled();
    await this.#pending.run((done, fail) => {
      this.#socket.write(octets, (error) => {
        if (error) fail(lostFailure(this.#address, error));
        else done(undefined);
      });
    });
  }

  closeWrite(): Promise<void> {
    if (this.#writeClosed && this.#state !== "closed") return Promise.resolve();
    this.#writeClosed = true;
    return this.#pending.run((done) => {
      this.#socket.end(() => done(undefined));
    });
  }

  async startTls(request: TlsRequest): Promise<TlsFacts> {
    checkTlsRequest("node", ABILITIES, request);
    this.#checkIdle();
    const address = this.#address;
    const tls = await import("node:tls");
    let options: Awaited<ReturnType<typeof nodeTlsOptions>>;
    try {
      options = await nodeTlsOptions(request);
    } catch (error) {
      throw this.#break(error as Error);
    }
    this.#checkIdle();
    // From here to tls.connect nothing is awaited, so that no octet can slip between the check and the handshake.
    if (this.#inbox.held > 0) throw this.#break(unreadOctetsFailure(address, this.#inbox.held));
    if (this.#inbox.over) throw this.#break(earlyEndFailure(address));
    return await this.#pending.run((done, fail) => {
      const plain = this.#socket;
      this.#ignore();
      this.#state = "handshake";
      if (ON_DENO) this.#wire = wireOf(plain);
      let secure: TLSSocket;
      try {
        secure = tls.connect({ ...options, socket: plain });
      } catch (error) {
        // Nothing was sent yet: what throws here are roots, lists or certificates that cannot be read.
        return fail(
          this.#break(tlsSetupFailure("sslrootcert", "cannot use what was given", error)),
        );
      }
      this.#socket = secure;
      secure.once("secureConnect", () => {
        if (this.#state !== "handshake") return;
        this.#state = "tls";
        done(factsOf(secure, request));
      });
      this.#ignore = this.#listen(secure);
    });
  }

  close(): void {
    const aborted = abortedFailure(this.#address, "transport");
    this.#break(aborted);
    this.#inbox.abort(aborted);
  }

  feed(sink: Sink): Feed {
    const resume = this.#inbox.pour(sink);
    return {
      resume,
      write: (octets, done) => {
        if (this.#pending.failure !== undefined) return done(this.#pending.failure);
        this.#socket.write(octets, (error) => {
          if (error) done(this.#pending.failure ?? lostFailure(this.#address, error));
          else done();
        });
      },
    };
  }

  unref(): void {
    this.#socket.unref();
  }

  ref(): void {
    this.#socket.ref();
  }

  /** Ends everything with an error and releases the socket. */
  #break(error: Error): Error {
    this.#state = "closed";
    this.#pending.end(error);
    this.#inbox.end(error);
    this.#socket.destroy();
    return error;
  }

  /** Refuses to start TLS while something else is going on. */
  #checkIdle(): void {
    if (this.#pending.failure !== undefined) throw this.#pending.failure;
    if (this.#state !== "plain") {
      throw new UsageError("Cannot start TLS: this connection has started it before");
    }
    if (this.#inbox.reading) throw new UsageError("Cannot start TLS: a read is still pending");
  }

  #listen(socket: Socket): () => void {
    const current = (): boolean => socket === this.#socket && this.#state !== "closed";
    const onData = (chunk: Uint8Array): void => {
      // A plain Uint8Array: slice() of a Buffer would not copy.
      const octets = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      if (current()) this.#inbox.push(octets);
    };
    const onEnd = (): void => {
      if (!current()) return;
      if (this.#state === "handshake") this.#break(earlyEndFailure(this.#address));
      else this.#inbox.end();
    };
    socket.on("data", onData);
    socket.on("end", onEnd);
    // Never removed: Node reports errors also after destroy(), and an unheard one ends the process.
    socket.on("error", (error) => {
      if (!current()) return;
      const failure = this.#state === "handshake"
        ? tlsFailure(this.#address, error)
        : lostFailure(this.#address, error);
      this.#break(failure);
    });
    socket.on("close", () => {
      if (!current()) return;
      if (this.#state === "handshake") this.#break(earlyEndFailure(this.#address));
      else {
        this.#inbox.end();
        this.#break(lostFailure(this.#address, { code: "EPIPE" }));
      }
    });
    return () => {
      socket.off("data", onData);
      socket.off("end", onEnd);
    };
  }
}

/** Two turns: the check phase of this one comes before the next poll. */
async function polled(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((done) => setImmediate(done));
}

function factsOf(socket: TLSSocket, request: TlsRequest): TlsFacts {
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
