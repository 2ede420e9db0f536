import type { TlsFacts } from "../auth/channel.ts";
import { UsageError } from "../errors.ts";
import { abortedFailure, lostFailure, tlsSetupFailure, unreadOctetsFailure } from "./failures.ts";
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

/** One thing the peer of a scripted transport does. */
export type MemoryStep =
  /** Sends these octets, as one chunk. */
  | { readonly send: Uint8Array }
  /** Waits until so many further octets were written to it. */
  | { readonly expect: number }
  /** Closes its side. */
  | { readonly end: true }
  /** Breaks the connection. */
  | { readonly reset: true };

/**
 * Two transports joined back to back: what one writes, the other reads, with back-pressure and half-close.
 *
 * @example
 * ```ts
 * const [near, far] = createMemoryPair();
 * await near.write(Uint8Array.of(1, 2));
 * await far.read(); // Uint8Array [1, 2]
 * ```
 */
export function createMemoryPair(options: MemoryOptions = {}): [Transport, Transport] {
  const there = new Lane(options.maxHeldOctets);
  const back = new Lane(options.maxHeldOctets);
  return [new MemoryEnd(back, there, options), new MemoryEnd(there, back, options)];
}

/** Where an end writes to. */
interface Sink {
  /** Whether nobody will read any more. */
  readonly over: boolean;
  /** Takes octets; false if the writer has to wait for `whenReady`. */
  push(octets: Uint8Array): boolean;
  whenReady(go: () => void): void;
  end(): void;
}

/** Where an end reads from. */
interface Source {
  readonly inbox: Inbox;
  /** Nobody will read any more: whoever waits need not. */
  wake(): void;
}

/** One direction of a pair. */
class Lane implements Sink, Source {
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
class MemoryEnd implements Transport {
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
      if (this.#sink.push(octets.slice())) return done(undefined);
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
      throw tlsSetupFailure(address, "the double has no facts", new Error("option tls is missing"));
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
  protected breakBy(error: Error): void {
    this.#pending.end(error);
    this.#sink.end();
    this.#inbox.end(error);
  }

  #lost(code: string): Error {
    return lostFailure(addressOf(this.endpoint), { code });
  }
}

/**
 * A transport whose peer is a list of steps, for tests of whatever drives a transport. It plays as far as it can, at
 * once and whenever something is written, without a timer or a socket.
 *
 * @example
 * ```ts
 * const transport = new MemoryTransport([{ expect: 8 }, { send: Uint8Array.of(0x4e) }]);
 * ```
 */
export class MemoryTransport extends MemoryEnd {
  readonly #script: Script;
  readonly #tlsRequests: TlsRequest[] = [];

  /**
   * @param steps What the peer does, in order; what is written beyond it is recorded only.
   * @param options Endpoint and TLS facts.
   */
  constructor(steps: readonly MemoryStep[], options: MemoryOptions = {}) {
    const inbox = new Inbox({ pause() {}, resume() {} });
    const script = new Script(steps, inbox, () => {
      this.breakBy(lostFailure(addressOf(this.endpoint), { code: "ECONNRESET" }));
    });
    super({ inbox, wake() {} }, script, options);
    this.#script = script;
    script.play();
  }

  /** Everything written so far. */
  get written(): Uint8Array {
    return joinOctets(this.#script.written);
  }

  /** Whether the peer did all its steps. */
  get played(): boolean {
    return this.#script.played;
  }

  /** The requests `startTls` was called with. */
  get tlsRequests(): readonly TlsRequest[] {
    return this.#tlsRequests;
  }

  override startTls(request: TlsRequest): Promise<TlsFacts> {
    this.#tlsRequests.push(request);
    return super.startTls(request);
  }
}

/** The peer of a {@link MemoryTransport}. */
class Script implements Sink {
  readonly written: Uint8Array[] = [];
  readonly #steps: MemoryStep[];
  readonly #inbox: Inbox;
  readonly #reset: () => void;
  /** Octets written that no step expected yet. */
  #surplus = 0;
  #over = false;

  constructor(steps: readonly MemoryStep[], inbox: Inbox, reset: () => void) {
    this.#steps = [...steps];
    this.#inbox = inbox;
    this.#reset = reset;
  }

  get over(): boolean {
    return this.#over;
  }

  get played(): boolean {
    return this.#steps.length === 0;
  }

  push(octets: Uint8Array): boolean {
    this.written.push(octets);
    this.#surplus += octets.length;
    this.play();
    return true;
  }

  whenReady(go: () => void): void {
    go();
  }

  end(): void {
    this.#over = true;
  }

  play(): void {
    for (let step = this.#steps[0]; step !== undefined; step = this.#steps[0]) {
      if ("expect" in step) {
        if (this.#surplus < step.expect) return;
        this.#surplus -= step.expect;
      }
      this.#steps.shift();
      if ("send" in step) this.#inbox.push(step.send.slice());
      else if ("end" in step) this.#inbox.end();
      else if ("reset" in step) this.#reset();
    }
  }
}

const ENDPOINT: Endpoint = {
  kind: "tcp",
  remoteAddress: "127.0.0.1",
  remotePort: 5432,
  path: undefined,
  local: true,
};

function addressOf(endpoint: Endpoint): Address {
  return endpoint.kind === "unix"
    ? { kind: "unix", path: endpoint.path ?? "" }
    : { kind: "tcp", host: endpoint.remoteAddress ?? "", port: endpoint.remotePort ?? 0 };
}

function joinOctets(chunks: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.length;
  }
  return joined;
}
