import { connect as connectSocket, type NetConnectOpts, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { TlsFacts } from "../auth/channel.ts";
import { UsageError } from "../errors.ts";
import { kernelPath } from "./endpoint.ts";
import {
  dialFailure,
  earlyEndFailure,
  lostFailure,
  tlsFailure,
  tlsSetupFailure,
  unreadOctetsFailure,
} from "./failures.ts";
import { Inbox } from "./inbox.ts";
import { type Hearer, listen, polled, tune } from "./node_socket.ts";
import { factsOf, loadTls, nodeTlsOptions, stoppable, wireOf } from "./node_tls.ts";
import { type Failure, Pending } from "./pending.ts";
import { checkTlsRequest } from "./requests.ts";
import { ON_DENO, ON_NODE } from "./runtime.ts";
import { SocketTransport } from "./socket_transport.ts";
import type {
  Abilities,
  Address,
  Feed,
  Sink,
  SocketOptions,
  TlsRequest,
  Transport,
} from "./transport.ts";

/**
 * Node reads every plain socket into this, which saves a third of the processor time of a connect; what came is
 * copied out at once, as the next socket's octets take its place. The size of libuv's own buffers.
 */
const SHARED: Uint8Array | undefined = ON_NODE ? new Uint8Array(65_536) : undefined;

/** A `node:net` socket, later the `node:tls` socket over it. */
export class NodeTransport extends SocketTransport implements Transport, Hearer {
  readonly #address: Address;
  readonly #abilities: Abilities;
  readonly #pending: Pending;
  readonly #inbox: Inbox;
  #socket: Socket | undefined;
  /** Whether octets that have come may not have been polled for when a write fails. */
  readonly #pollsFirst: boolean;
  #state: "dialing" | "plain" | "handshake" | "tls" | "closed" = "dialing";
  #writeClosed = false;

  /**
   * @param address Where to dial.
   * @param abilities What this adapter can do on this runtime.
   */
  constructor(address: Address, abilities: Abilities) {
    const parts = { address, pending: new Pending(), inbox: new Inbox() };
    super(parts);
    this.#address = address;
    this.#pending = parts.pending;
    this.#inbox = parts.inbox;
    this.#abilities = abilities;
    // Node ends a socket whose write fails without reading what the kernel still holds: the server's last word. On a
    // Unix socket already the first write to a closed peer fails, so the loop is let read first. That somebody waits for
    // octets does not help: what came while this thread was busy has not been polled for.
    this.#pollsFirst = address.kind === "unix" && ON_NODE;
  }

  /** Opens the socket; the signal cuts it short. */
  connect(signal: AbortSignal | undefined, options: SocketOptions | undefined): Promise<void> {
    return this.within(signal, () => this.#open(options));
  }

  write(octets: Uint8Array): Promise<void> {
    if (this.#writeClosed && this.#state !== "closed") {
      return Promise.reject(new UsageError("Cannot write: this side is closed"));
    }
    return this.#pollsFirst ? polled().then(() => this.#write(octets)) : this.#write(octets);
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
      throw this.break(error as Error);
    }
    this.#checkIdle();
    const plain = this.#socket;
    // From here to tls.connect nothing is awaited, so that no octet can slip between the check and the handshake.
    if (this.#inbox.held > 0) throw this.break(unreadOctetsFailure(address, this.#inbox.held));
    if (this.#inbox.over || plain === undefined) throw this.break(earlyEndFailure(address));
    return await this.#pending.run((done, fail) => {
      this.#state = "handshake";
      const wire = ON_DENO ? wireOf(plain) : undefined;
      let secure: TLSSocket;
      try {
        secure = tls.connect({ ...options, socket: plain });
      } catch (error) {
        // Nothing was sent yet: what throws here are roots, lists or certificates that cannot be read.
        return fail(
          this.break(tlsSetupFailure("sslrootcert", "cannot use what was given", error)),
        );
      }
      this.#socket = secure;
      this.#inbox.source = wire === undefined ? secure : stoppable(secure, wire);
      secure.once("secureConnect", () => {
        if (this.#state !== "handshake") return;
        this.#state = "tls";
        done(factsOf(secure, request));
      });
      listen(secure, this, { toData: true });
    });
  }

  feed(sink: Sink): Feed {
    const resume = this.#inbox.pour(sink);
    return {
      resume,
      write: (octets, done) => {
        if (this.#pollsFirst) void polled().then(() => this.#writeFed(octets, done));
        else this.#writeFed(octets, done);
      },
    };
  }

  unref(): void {
    this.#socket?.unref();
  }

  ref(): void {
    this.#socket?.ref();
  }

  #open(options: SocketOptions | undefined): Promise<void> {
    return this.#pending.run((done) => {
      let socket: Socket;
      try {
        socket = connectSocket(this.#dialOptions());
      } catch (error) {
        // Deno throws here when a permission for a Unix socket is missing.
        this.break(dialFailure(this.#address, error));
        return;
      }
      this.#socket = socket;
      this.#inbox.source = socket;
      // Where the plain socket reads into a buffer of ours, there is no event for octets.
      listen(socket, this, { toData: SHARED === undefined });
      socket.once("connect", () => {
        if (this.#state !== "dialing") return;
        this.#state = "plain";
        if (this.#address.kind === "tcp") tune(socket, options);
        this.reached(socket.remoteAddress);
        done();
      });
    });
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

  #write(octets: Uint8Array): Promise<void> {
    return this.#pending.run((done, fail) => {
      this.#socket?.write(octets, (error) => {
        if (error) fail(lostFailure(this.#address, error));
        else done();
      });
    });
  }

  #writeFed(octets: Uint8Array, done: (error?: Error) => void): void {
    if (this.#pending.failure !== undefined) return done(this.#pending.failure);
    this.#socket?.write(octets, (error) => {
      if (error) done(this.#pending.failure ?? lostFailure(this.#address, error));
      else done();
    });
  }

  protected override end(failure: Failure): void {
    this.#state = "closed";
    this.#pending.end(failure);
    this.#inbox.end(failure);
    this.#socket?.destroy();
  }

  /** Refuses to start TLS while something else is going on. */
  #checkIdle(): void {
    if (this.#pending.failure !== undefined) throw this.#pending.failure;
    if (this.#state !== "plain") {
      throw new UsageError("Cannot start TLS: this connection has started it before");
    }
    if (this.#inbox.reading) throw new UsageError("Cannot start TLS: a read is still pending");
  }

  isHeard(socket: Socket): boolean {
    return socket === this.#socket && this.#state !== "closed";
  }

  onData(chunk: Uint8Array): void {
    // A plain Uint8Array: slice() of a Buffer would not copy.
    this.#inbox.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }

  onEnd(): void {
    if (this.#state === "handshake") this.break(earlyEndFailure(this.#address));
    else this.#inbox.end();
  }

  onError(error: Error): void {
    this.break(this.#failureOf(error));
  }

  onClose(): void {
    switch (this.#state) {
      case "dialing":
        this.break(dialFailure(this.#address, { code: "ECONNABORTED" }));
        break;
      case "handshake":
        this.break(earlyEndFailure(this.#address));
        break;
      default:
        this.#inbox.end();
        this.break(lostFailure(this.#address, { code: "EPIPE" }));
    }
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
