import type { TlsFacts } from "../auth/channel.ts";
import { UsageError } from "../errors.ts";
import type { BunNet, BunSocket, Handlers } from "./bun_api.ts";
import { bunTlsOptions, factsOf, judge } from "./bun_tls.ts";
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
import { errorOf, type Failure, Pending } from "./pending.ts";
import { checkTlsRequest } from "./requests.ts";
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
 * One set of handlers for all sockets of a layer; the transport is the socket's `data`. After an upgrade Bun still
 * calls the plain set, with ciphertext and a close of its own: the transport drops what is not of its present layer.
 */
function handlers(layer: Layer): Handlers<BunTransport> {
  return {
    binaryType: "uint8array",
    open: (socket) => socket.data.onOpen(layer, socket),
    data: (socket, octets) => socket.data.onData(layer, octets),
    drain: (socket) => socket.data.onDrain(layer),
    end: (socket) => socket.data.onEnd(layer),
    close: (socket, error) => socket.data.onClose(layer, error),
    error: (socket, error) => socket.data.onClose(layer, error),
  };
}

type Layer = "plain" | "tls";

const PLAIN: Handlers<BunTransport> = handlers("plain");
const SECURE: Handlers<BunTransport> = {
  ...handlers("tls"),
  handshake: (socket, _success, verdict) => socket.data.onHandshake(socket, verdict),
};

interface Write {
  octets: Uint8Array;
  readonly done: (value?: undefined) => void;
  readonly fail: (error: Error) => void;
}

interface Handshake {
  readonly request: TlsRequest;
  readonly done: (facts: TlsFacts) => void;
}

/** A socket of Bun, later the TLS socket over it. */
export class BunTransport extends SocketTransport implements Transport {
  readonly #address: Address;
  readonly #abilities: Abilities;
  readonly #pending: Pending;
  readonly #inbox: Inbox;
  #socket: BunSocket<BunTransport> | undefined;
  #layer: Layer = "plain";
  #handshake: Handshake | undefined;
  #write: Write | undefined;
  #writeClosed = false;

  /**
   * @param address Where to dial.
   * @param abilities What this adapter can do.
   */
  constructor(address: Address, abilities: Abilities) {
    const parts = { address, pending: new Pending(), inbox: new Inbox() };
    super(parts);
    this.#address = address;
    this.#pending = parts.pending;
    this.#inbox = parts.inbox;
    this.#abilities = abilities;
  }

  /** Opens the socket; the signal cuts it short. */
  connect(
    bun: BunNet,
    signal: AbortSignal | undefined,
    options: SocketOptions | undefined,
  ): Promise<void> {
    return this.within(signal, () => this.#open(bun, options));
  }

  write(octets: Uint8Array): Promise<void> {
    return this.#pending.run((done, fail) => {
      if (this.#writeClosed) return fail(new UsageError("Cannot write: this side is closed"));
      if (this.#write !== undefined) {
        return fail(new UsageError("Cannot write: another write is still pending"));
      }
      this.#write = { octets, done, fail };
      this.#flush();
    });
  }

  closeWrite(): Promise<void> {
    return this.#pending.run((done, fail) => {
      if (this.#write !== undefined) {
        return fail(new UsageError("Cannot close this side: a write is still pending"));
      }
      if (!this.#writeClosed) this.#socket?.shutdown();
      this.#writeClosed = true;
      done(undefined);
    });
  }

  async startTls(request: TlsRequest): Promise<TlsFacts> {
    checkTlsRequest("bun", this.#abilities, request);
    const address = this.#address;
    const socket = this.#socket;
    if (this.#pending.failure !== undefined) throw this.#pending.failure;
    if (this.#layer !== "plain" || socket === undefined) {
      throw new UsageError("Cannot start TLS: this connection has started it before");
    }
    if (this.#inbox.reading || this.#write !== undefined) {
      throw new UsageError("Cannot start TLS: a read or write is still pending");
    }
    if (this.#inbox.held > 0) throw this.break(unreadOctetsFailure(address, this.#inbox.held));
    if (this.#inbox.over) throw this.break(earlyEndFailure(address));
    return await this.#pending.run((done) => {
      this.#handshake = { request, done };
      this.#layer = "tls";
      try {
        const tls = bunTlsOptions(request);
        this.#take(socket.upgradeTLS({ data: this, tls, socket: SECURE })[1]);
      } catch (error) {
        void setupFailure(request, error).then((failure) => {
          // Closed in the meantime: that is why, from then on.
          if (!this.#pending.ended) this.break(failure);
        });
      }
    });
  }

  feed(sink: Sink): Feed {
    const resume = this.#inbox.pour(sink);
    return {
      resume,
      write: (octets, done) => {
        if (this.#pending.failure !== undefined) return done(this.#pending.failure);
        if (this.#write !== undefined) {
          return done(new UsageError("Cannot write: another write is still pending"));
        }
        this.#write = { octets, done, fail: done };
        this.#flush();
      },
    };
  }

  unref(): void {
    this.#socket?.unref();
  }

  ref(): void {
    this.#socket?.ref();
  }

  onOpen(layer: Layer, socket: BunSocket<BunTransport>): void {
    if (layer === this.#layer) this.#take(socket);
  }

  onData(layer: Layer, octets: Uint8Array): void {
    if (layer === this.#layer) this.#inbox.push(octets);
  }

  onDrain(layer: Layer): void {
    if (layer === this.#layer) this.#flush();
  }

  onEnd(layer: Layer): void {
    if (layer !== this.#layer) return;
    if (this.#handshake !== undefined) this.break(earlyEndFailure(this.#address));
    else this.#inbox.end();
  }

  onClose(layer: Layer, error: Error | undefined): void {
    if (layer !== this.#layer || this.#pending.ended) return;
    if (this.#handshake !== undefined) {
      this.break(
        error === undefined ? earlyEndFailure(this.#address) : tlsFailure(this.#address, error),
      );
      return;
    }
    if (error === undefined) this.#inbox.end();
    this.break(lostFailure(this.#address, error ?? { code: "EPIPE" }));
  }

  onHandshake(socket: BunSocket<BunTransport>, verdict: Error | null): void {
    const handshake = this.#handshake;
    if (handshake === undefined || this.#pending.ended) return;
    const failure = judge(this.#address, handshake.request, verdict);
    if (failure !== undefined) {
      this.#take(socket);
      this.break(failure);
      return;
    }
    this.#handshake = undefined;
    handshake.done(factsOf(socket, handshake.request));
  }

  #open(bun: BunNet, options: SocketOptions | undefined): Promise<void> {
    const address = this.#address;
    const where = address.kind === "tcp"
      ? { hostname: address.host, port: address.port }
      : { unix: kernelPath(address.path) };
    return this.#pending.run((done, fail) => {
      bun.connect({ ...where, allowHalfOpen: true, data: this, socket: PLAIN }).then((socket) => {
        // Aborted in the meantime: nobody will take this connection.
        if (this.#pending.ended) return socket.close();
        if (address.kind === "tcp") {
          socket.setNoDelay(true);
          const { keepAlive } = options ?? {};
          if (keepAlive !== undefined) socket.setKeepAlive(true, (keepAlive.idleS ?? 0) * 1000);
        }
        this.reached(socket.remoteAddress);
        done();
      }, (error) => fail(dialFailure(address, error)));
    });
  }

  #take(socket: BunSocket<BunTransport>): void {
    this.#socket = socket;
    this.#inbox.source = socket;
  }

  protected override end(failure: Failure): void {
    const write = this.#write;
    this.#handshake = undefined;
    this.#write = undefined;
    this.#pending.end(failure);
    // One of a feed is not among the pending.
    write?.fail(errorOf(failure));
    this.#inbox.end(failure);
    // A write that stands in the way of Bun's own close would keep a TLS socket open.
    if (write === undefined) this.#socket?.close();
    else this.#socket?.terminate();
  }

  #flush(): void {
    const write = this.#write;
    if (write === undefined || this.#socket === undefined) return;
    const sent = this.#socket.write(write.octets);
    if (sent === write.octets.length) {
      this.#write = undefined;
      write.done(undefined);
    } else if (sent < 0) {
      this.#write = undefined;
      write.fail(lostFailure(this.#address, { code: "EPIPE" }));
    } else {
      write.octets = write.octets.subarray(sent);
    }
  }
}

/** Bun does not say which of them it cannot use. */
async function setupFailure({ identity }: TlsRequest, error: unknown): Promise<Error> {
  if (identity !== undefined) {
    const { plainKey } = await import("./node_key.ts");
    try {
      await plainKey(identity);
    } catch (failure) {
      return failure as Error;
    }
  }
  return tlsSetupFailure("sslrootcert", "cannot use roots, certificate or key", error);
}
