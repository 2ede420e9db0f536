import { endpointOf } from "./endpoint.ts";
import { abortedFailure } from "./failures.ts";
import type { Inbox } from "./inbox.ts";
import type { Lender } from "./lender.ts";
import { type Failure, madeOnce, type Pending } from "./pending.ts";
import type { Address, Endpoint, Sink } from "./transport.ts";

/** What a transport and its base share. */
export interface SocketParts {
  readonly address: Address;
  readonly pending: Pending;
  readonly inbox: Inbox;
}

/**
 * What transports over sockets that push their octets have in common, those of Node and Bun: reading, a dial that a
 * signal cuts short, and the error that ends everything. What it shares with them is given, as nothing of it may be seen
 * in a print.
 */
export abstract class SocketTransport implements Lender {
  readonly #parts: SocketParts;
  #endpoint: Endpoint | undefined;

  /** @param parts The same as those of the class below. */
  constructor(parts: SocketParts) {
    this.#parts = parts;
  }

  get endpoint(): Endpoint {
    return this.#endpoint ??= endpointOf(this.#parts.address, undefined);
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#parts.inbox.read();
  }

  close(): void {
    const aborted = madeOnce(() => abortedFailure(this.#parts.address, "transport"));
    // First, so that a sink hears nothing of it.
    this.#parts.inbox.abort(aborted);
    this.end(aborted);
  }

  lend(sink: Sink): void {
    this.#parts.inbox.lend(sink);
  }

  resumeLent(): void {
    this.#parts.inbox.resume();
  }

  takeBack(): void {
    this.#parts.inbox.takeBack();
  }

  /** The socket is open. */
  protected reached(remoteAddress: string | undefined): void {
    this.#endpoint = endpointOf(this.#parts.address, remoteAddress);
  }

  /** Runs a dial, and breaks it off when the signal fires. */
  protected within(signal: AbortSignal | undefined, open: () => Promise<void>): Promise<void> {
    if (signal === undefined) return open();
    const onAbort = (): void => {
      this.break(abortedFailure(this.#parts.address, "dial", signal.reason));
    };
    if (signal.aborted) {
      onAbort();
      return Promise.reject(this.#parts.pending.failure);
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
