import type { TlsFacts } from "../auth/channel.ts";
import { lostFailure } from "./failures.ts";
import { Inbox } from "./inbox.ts";
import { addressOf, Lane, MemoryEnd, type MemoryOptions, type Sink } from "./memory_end.ts";
import type { Endpoint, TlsRequest, Transport } from "./transport.ts";

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

/**
 * A transport whose peer is a list of steps, for tests of whatever drives a transport. It plays as far as it can, at
 * once and whenever something is written, without a timer or a socket.
 *
 * @example
 * ```ts
 * const transport = new MemoryTransport([{ expect: 8 }, { send: Uint8Array.of(0x4e) }]);
 * ```
 */
export class MemoryTransport implements Transport {
  readonly #end: MemoryEnd;
  readonly #script: Script;
  readonly #tlsRequests: TlsRequest[] = [];

  /**
   * Begins to play.
   *
   * @param steps What the peer does, in order; what is written beyond it is recorded only.
   * @param options Endpoint and TLS facts.
   */
  constructor(steps: readonly MemoryStep[], options: MemoryOptions = {}) {
    const inbox = new Inbox({ pause() {}, resume() {} });
    const script = new Script(steps, inbox);
    const end = new MemoryEnd({ inbox, wake() {} }, script, options);
    this.#script = script;
    this.#end = end;
    script.start(() => end.breakBy(lostFailure(addressOf(end.endpoint), { code: "ECONNRESET" })));
  }

  /** What it claims to be connected to. */
  get endpoint(): Endpoint {
    return this.#end.endpoint;
  }

  /** Everything written so far. */
  get written(): Uint8Array {
    return joinOctets(this.#script.written);
  }

  /** Whether the peer did all its steps. */
  get played(): boolean {
    return this.#script.played;
  }

  /** Whether `close()` was called, or the peer broke the connection. */
  get closed(): boolean {
    return this.#end.closed;
  }

  /** Whether our side was closed, by `closeWrite()` or with everything else. */
  get writeClosed(): boolean {
    return this.#end.writeClosed;
  }

  /** The requests `startTls` was called with. */
  get tlsRequests(): readonly TlsRequest[] {
    return this.#tlsRequests;
  }

  /** The octets of the next `send`; undefined after `end`. */
  read(): Promise<Uint8Array | undefined> {
    return this.#end.read();
  }

  /** Records octets and lets the script go on. */
  write(octets: Uint8Array): Promise<void> {
    return this.#end.write(octets);
  }

  /** Closes our side, which the script does not see. */
  closeWrite(): Promise<void> {
    return this.#end.closeWrite();
  }

  /** Records the request and yields the facts of the options. */
  startTls(request: TlsRequest): Promise<TlsFacts> {
    this.#tlsRequests.push(request);
    return this.#end.startTls(request);
  }

  /** Rejects pending and later calls. */
  close(): void {
    this.#end.close();
  }
}

/** The peer of a {@link MemoryTransport}. */
class Script implements Sink {
  readonly written: Uint8Array[] = [];
  readonly #steps: MemoryStep[];
  readonly #inbox: Inbox;
  /** Octets written that no step expected yet. */
  #surplus = 0;
  #over = false;
  #reset: () => void = () => {};

  constructor(steps: readonly MemoryStep[], inbox: Inbox) {
    this.#steps = [...steps];
    this.#inbox = inbox;
  }

  /** Begins to play; `reset` breaks the connection. */
  start(reset: () => void): void {
    this.#reset = reset;
    this.#play();
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
    this.#play();
    return true;
  }

  whenReady(go: () => void): void {
    go();
  }

  end(): void {
    this.#over = true;
  }

  #play(): void {
    for (let step = this.#steps[0]; step !== undefined; step = this.#steps[0]) {
      if ("expect" in step) {
        if (this.#surplus < step.expect) return;
        this.#surplus -= step.expect;
      }
      this.#steps.shift();
      if ("send" in step) this.#inbox.push(new Uint8Array(step.send));
      else if ("end" in step) this.#inbox.end();
      else if ("reset" in step) this.#reset();
    }
  }
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
