import type { TlsFacts } from "../auth/channel.ts";
import { UsageError } from "../errors.ts";
import { abortedFailure, lostFailure, unreadOctetsFailure } from "./failures.ts";
import { Inbox } from "./inbox.ts";
import { Pending } from "./pending.ts";
import type { Address, Endpoint, TlsRequest, Transport } from "./transport.ts";

/** What `startTls` of a double does: these facts, or what this function returns; it throws to fail the handshake. */
export type MemoryTls = TlsFacts | ((request: TlsRequest) => TlsFacts | Promise<TlsFacts>);

/** How an in-memory transport behaves. */
export interface MemoryOptions {
  /** What it claims to be connected to; 127.0.0.1, port 5432 unless given. */
  readonly endpoint?: Endpoint;
  /** How `startTls` ends; without it, `startTls` fails. Nothing is encrypted either way. */
  readonly tls?: MemoryTls;
  /** A write waits while the other end of a pair holds at least so many unread octets; 131072 unless given. */
  readonly maxHeldOctets?: number;
}

/** Where an end writes to. */
export interface Sink {
  /** Whether nobody will read any more. */
  readonly over: boolean;
  /** Takes octets; false if the writer has to wait for `whenReady`. */
  push(octets: Uint8Array): boolean;
  whenReady(go: () => void): void;
  end(): void;
}

/** Where an end reads from. */
export interface Source {
  readonly inbox: Inbox;
  /** Nobody will read any more: whoever waits need not. */
  wake(): void;
}

/** One direction of a pair. */
export class Lane implements Sink, Source {
  readonly inbox: Inbox;
  #full = false;
  #waiting: (() => void)[] = [];

  constructor(maxHeldOctets: number | undefined) {
    this.inbox = new Inbox({
      pause: () => {
        this.#full = true;
      },
      resume: () => {
        this.#full = false;
        this.wake();
      },
    }, maxHeldOctets);
  }

  /** Whether the reader is gone. */
  get over(): boolean {
    return this.inbox.over;
  }

  push(octets: Uint8Array): boolean {
    this.inbox.push(octets);
    return !this.#full;
  }

  whenReady(go: () => void): void {
    this.#waiting.push(go);
  }

  end(): void {
    this.inbox.end();
  }

  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }
}

/** One end of a pair, or the near end of a script. */
export class MemoryEnd implements Transport {
  readonly endpoint: Endpoint;
  readonly #inbox: Inbox;
  readonly #source: Source;
  readonly #sink: Sink;
  readonly #tls: MemoryTls | undefined;
  readonly #pending = new Pending();
  #writeClosed = false;

  constructor(source: Source, sink: Sink, options: MemoryOptions) {
    this.endpoint = options.endpoint ?? ENDPOINT;
    this.#source = source;
    this.#inbox = source.inbox;
    this.#sink = sink;
    this.#tls = options.tls;
  }

  /** Whether `close()` was called, or the peer broke the connection. */
  get closed(): boolean {
    return this.#pending.failure !== undefined;
  }

  /** Whether our side was closed, by `closeWrite()` or with everything else. */
  get writeClosed(): boolean {
    return this.#writeClosed || this.closed;
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#inbox.read();
  }

  write(octets: Uint8Array): Promise<void> {
    return this.#pending.run((done, fail) => {
      if (this.#writeClosed) return fail(new UsageError("Cannot write: this side is closed"));
      if (this.#sink.over) return fail(this.#lost("EPIPE"));
      if (this.#sink.push(new Uint8Array(octets))) return done(undefined);
      this.#sink.whenReady(() => {
        if (this.#sink.over) fail(this.#lost("EPIPE"));
        else done(undefined);
      });
    });
  }

  closeWrite(): Promise<void> {
    return this.#pending.run((done) => {
      this.#writeClosed = true;
      this.#sink.end();
      done(undefined);
    });
  }

  async startTls(request: TlsRequest): Promise<TlsFacts> {
    const address = addressOf(this.endpoint);
    if (this.#inbox.held > 0) throw unreadOctetsFailure(address, this.#inbox.held);
    const tls = this.#tls;
    if (tls === undefined) {
      throw new UsageError("Cannot start TLS: the double was made without the option tls");
    }
    return await this.#pending.run<TlsFacts>((done, fail) => {
      const facts = Promise.resolve().then(() => typeof tls === "function" ? tls(request) : tls);
      facts.then(done, fail);
    });
  }

  close(): void {
    const aborted = abortedFailure(addressOf(this.endpoint), "transport");
    this.breakBy(aborted);
    this.#inbox.abort(aborted);
    this.#source.wake();
  }

  /** Ends both directions with an error. */
  breakBy(error: Error): void {
    this.#pending.end(error);
    this.#sink.end();
    this.#inbox.end(error);
  }

  #lost(code: string): Error {
    return lostFailure(addressOf(this.endpoint), { code });
  }
}

const ENDPOINT: Endpoint = {
  kind: "tcp",
  remoteAddress: "127.0.0.1",
  remotePort: 5432,
  path: undefined,
  local: true,
};

/** The address an endpoint was dialed by, for messages. */
export function addressOf(endpoint: Endpoint): Address {
  return endpoint.kind === "unix"
    ? { kind: "unix", path: endpoint.path ?? "" }
    : { kind: "tcp", host: endpoint.remoteAddress ?? "", port: endpoint.remotePort ?? 0 };
}
