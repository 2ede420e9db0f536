import { endpointOf } from "./endpoint.ts";
import { abortedFailure } from "./failures.ts";
import { type Flow, Inbox } from "./inbox.ts";
import type { Lender } from "./lender.ts";
import { type Failure, madeOnce, Pending } from "./pending.ts";
import type { Address, Endpoint, Sink } from "./transport.ts";

/** What is used of the socket here; those of Node and Bun have it. */
export interface PushingSocket extends Flow {
  unref(): unknown;
  ref(): unknown;
}

/**
 * What transports over sockets that push their octets have in common, those of Node and Bun: reading, a dial that a
 * signal cuts short, and the error that ends everything.
 */
export abstract class SocketTransport<Socket extends PushingSocket> implements Lender {
  protected readonly address: Address;
  protected readonly pending: Pending = new Pending();
  protected readonly inbox: Inbox = new Inbox();
  #endpoint: Endpoint | undefined;
  #socket: Socket | undefined;

  /** @param address Where to dial. */
  constructor(address: Address) {
    this.address = address;
  }

  get endpoint(): Endpoint {
    return this.#endpoint ??= endpointOf(this.address, undefined);
  }

  read(): Promise<Uint8Array | undefined> {
    return this.inbox.read();
  }

  close(): void {
    const aborted = madeOnce(() => abortedFailure(this.address, "transport"));
    // First, so that a sink hears nothing of it.
    this.inbox.abort(aborted);
    this.end(aborted);
  }

  lend(sink: Sink): void {
    this.inbox.lend(sink);
  }

  resumeLent(): void {
    this.inbox.resume();
  }

  takeBack(): void {
    this.inbox.takeBack();
  }

  unref(): void {
    this.#socket?.unref();
  }

  ref(): void {
    this.#socket?.ref();
  }

  /** The socket, or the TLS socket over it. */
  protected get socket(): Socket | undefined {
    return this.#socket;
  }

  /** Reads from this one from now on, or from what stands for it. */
  protected take(socket: Socket, source: Flow = socket): void {
    this.#socket = socket;
    this.inbox.source = source;
  }

  /** The socket is open. */
  protected reached(remoteAddress: string | undefined): void {
    this.#endpoint = endpointOf(this.address, remoteAddress);
  }

  /** Runs a dial, and breaks it off when the signal fires. */
  protected within(signal: AbortSignal | undefined, open: () => Promise<void>): Promise<void> {
    if (signal === undefined) return open();
    const onAbort = (): void => {
      this.break(abortedFailure(this.address, "dial", signal.reason));
    };
    if (signal.aborted) {
      onAbort();
      return Promise.reject(this.pending.failure);
    }
    signal.addEventListener("abort", onAbort, { once: true });
    return open().finally(() => signal.removeEventListener("abort", onAbort));
  }

  /** Ends everything with an error and releases the socket. */
  protected break(error: Error): Error {
    this.end(error);
    return error;
  }

  /** The same with an error that is made when somebody wants it. */
  protected abstract end(failure: Failure): void;
}
