import { connect as connectSocket, type NetConnectOpts, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { TlsFacts } from "../auth/channel.ts";
import { UsageError } from "../errors.ts";
import { endpointOf, kernelPath } from "./endpoint.ts";
import {
  abortedFailure,
  dialFailure,
  earlyEndFailure,
  lostFailure,
  tlsFailure,
  tlsSetupFailure,
  unreadOctetsFailure,
} from "./failures.ts";
import { Inbox } from "./inbox.ts";
import { factsOf, loadTls, nodeTlsOptions, type Wire, wireOf } from "./node_tls.ts";
import { Pending } from "./pending.ts";
import { checkTlsRequest } from "./requests.ts";
import type {
  Abilities,
  Address,
  Endpoint,
  Feed,
  Sink,
  SocketOptions,
  TlsRequest,
  Transport,
} from "./transport.ts";

const ON_DENO = "Deno" in globalThis;
const ON_NODE = !ON_DENO && !("Bun" in globalThis);

/**
 * Node reads every plain socket into this, which saves a third of the processor time of a connect; what came is
 * copied out at once, as the next socket's octets take its place. The size of libuv's own buffers.
 */
const SHARED: Uint8Array | undefined = ON_NODE ? new Uint8Array(65_536) : undefined;

/** The part of newer Nodes that the type package of this project may not know yet. */
interface FullKeepAlive {
  setKeepAlive(enable: boolean, delayMs?: number, intervalMs?: number, count?: number): unknown;
}

/** A `node:net` socket, later the `node:tls` socket over it. */
export class NodeTransport implements Transport {
  readonly #address: Address;
  readonly #abilities: Abilities;
  readonly #pending = new Pending();
  readonly #inbox = new Inbox({
    pause: () => {
      this.#socket?.pause();
      this.#wire?.readStop();
    },
    resume: () => {
      this.#wire?.readStart();
      this.#socket?.resume();
    },
  });
  #endpoint: Endpoint;
  #socket: Socket | undefined;
  #state: "dialing" | "plain" | "handshake" | "tls" | "closed" = "dialing";
  #writeClosed = false;
  #wire: Wire | undefined;

  /**
   * @param address Where to dial.
   * @param abilities What this adapter can do on this runtime.
   */
  constructor(address: Address, abilities: Abilities) {
    this.#address = address;
    this.#abilities = abilities;
    this.#endpoint = endpointOf(address, undefined);
  }

  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  /** Opens the socket; the signal cuts it short. */
  connect(signal: AbortSignal | undefined, options: SocketOptions | undefined): Promise<void> {
    const address = this.#address;
    const onAbort = (): void => {
      this.#break(abortedFailure(address, "dial", signal?.reason));
    };
    return this.#pending.run<void>((done) => {
      signal?.addEventListener("abort", onAbort, { once: true });
      let socket: Socket;
      try {
        socket = connectSocket(this.#dialOptions());
      } catch (error) {
        // Deno throws here when a permission for a Unix socket is missing.
        this.#break(dialFailure(address, error));
        return;
      }
      this.#socket = socket;
      this.#listen(socket);
      socket.once("connect", () => {
        if (this.#state !== "dialing") return;
        this.#state = "plain";
        if (address.kind === "tcp") tune(socket, options);
        this.#endpoint = endpointOf(address, socket.remoteAddress);
        done();
      });
    }).finally(() => signal?.removeEventListener("abort", onAbort));
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#inbox.read();
  }

  async write(octets: Uint8Array): Promise<void> {
    if (this.#writeClosed && this.#state !== "closed") {
      throw new UsageError("Cannot write: this side is closed");
    }
    // Node ends a socket whose write fails without reading what the kernel still holds: the server's last word. On a
    // Unix socket already the first write to a closed peer fails, so the loop is let read first. That somebody waits for
    // octets does not help: what came while this thread was busy has not been polled for.
    if (this.#address.kind === "unix" && ON_NODE) await polled();
    await this.#pending.run((done, fail) => {
      this.#socket?.write(octets, (error) => {
        if (error) fail(lostFailure(this.#address, error));
        else done(undefined);
      });
    });
  }

  closeWrite(): Promise<void> {
    if (this.#writeClosed && this.#state !== "closed") return Promise.resolve();
    this.#writeClosed = true;
    return this.#pending.run((done) => {
      this.#socket?.end(() => done(undefined));
    });
  }

  async startTls(request: TlsRequest): Promise<TlsFacts> {
    checkTlsRequest("node", this.#abilities, request);
    this.#checkIdle();
    const address = this.#address;
    const tls = await loadTls();
    let options: Awaited<ReturnType<typeof nodeTlsOptions>>;
    try {
      options = await nodeTlsOptions(request, tls);
    } catch (error) {
      throw this.#break(error as Error);
    }
    this.#checkIdle();
    const plain = this.#socket;
    // From here to tls.connect nothing is awaited, so that no octet can slip between the check and the handshake.
    if (this.#inbox.held > 0) throw this.#break(unreadOctetsFailure(address, this.#inbox.held));
    if (this.#inbox.over || plain === undefined) throw this.#break(earlyEndFailure(address));
    return await this.#pending.run((done, fail) => {
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
      this.#listen(secure);
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
        this.#socket?.write(octets, (error) => {
          if (error) done(this.#pending.failure ?? lostFailure(this.#address, error));
          else done();
        });
      },
    };
  }

  unref(): void {
    this.#socket?.unref();
  }

  ref(): void {
    this.#socket?.ref();
  }

  #dialOptions(): NetConnectOpts {
    const address = this.#address;
    const where = address.kind === "tcp"
      ? { host: address.host, port: address.port }
      : { path: kernelPath(address.path) };
    if (SHARED === undefined) return { ...where, allowHalfOpen: true };
    const callback = (count: number): boolean => {
      if (this.#state === "plain") this.#inbox.push(SHARED.slice(0, count));
      return true;
    };
    return { ...where, allowHalfOpen: true, onread: { buffer: SHARED, callback } };
  }

  /** Ends everything with an error and releases the socket. */
  #break(error: Error): Error {
    this.#state = "closed";
    this.#pending.end(error);
    this.#inbox.end(error);
    this.#socket?.destroy();
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

  /** Hears a socket; what it says once another has taken its place reaches nobody. */
  #listen(socket: Socket): void {
    const isCurrent = (): boolean => socket === this.#socket && this.#state !== "closed";
    // Where the plain socket reads into a buffer of ours, this event does not occur.
    if (SHARED === undefined || this.#state !== "dialing") {
      socket.on("data", (chunk: Uint8Array) => {
        // A plain Uint8Array: slice() of a Buffer would not copy.
        if (isCurrent()) {
          this.#inbox.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
        }
      });
    }
    socket.on("end", () => {
      if (!isCurrent()) return;
      if (this.#state === "handshake") this.#break(earlyEndFailure(this.#address));
      else this.#inbox.end();
    });
    // Never removed: Node reports errors also after destroy(), and an unheard one ends the process.
    socket.on("error", (error) => {
      if (isCurrent()) this.#break(this.#failureOf(error));
    });
    socket.on("close", () => {
      if (!isCurrent()) return;
      switch (this.#state) {
        case "dialing":
          this.#break(dialFailure(this.#address, { code: "ECONNABORTED" }));
          break;
        case "handshake":
          this.#break(earlyEndFailure(this.#address));
          break;
        default:
          this.#inbox.end();
          this.#break(lostFailure(this.#address, { code: "EPIPE" }));
      }
    });
  }

  #failureOf(error: Error): Error {
    switch (this.#state) {
      case "dialing":
        return dialFailure(this.#address, error);
      case "handshake":
        return tlsFailure(this.#address, error);
      default:
        return lostFailure(this.#address, error);
    }
  }
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

/** Two turns: the check phase of this one comes before the next poll. */
async function polled(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((done) => setImmediate(done));
}
