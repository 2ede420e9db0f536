import { UsageError } from "../errors.ts";
import { errorOf, type Failure } from "./pending.ts";
import type { Sink } from "./transport.ts";

/** Octets held before the socket is asked to pause: two reads of 64 KiB, the most a runtime delivers at once. */
const MAX_HELD_OCTETS = 131_072;

/** How an {@link Inbox} slows its source down; the sockets of Node and Bun are such a thing themselves. */
export interface Flow {
  /** Asks the source to deliver no more; what is on its way is still taken. */
  pause(): unknown;
  /** Asks the source to go on. */
  resume(): unknown;
}

interface Waiter {
  readonly resolve: (octets: Uint8Array | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** Turns a source that pushes octets into `read()`, or hands them to a sink, and pauses it while nobody wants them. */
export class Inbox {
  #flow: Flow | undefined;
  readonly #maxHeldOctets: number;
  /** Undefined while nothing is unread, as it is in nearly all of a connection's life. */
  #chunks: Uint8Array[] | undefined;
  #held = 0;
  #paused = false;
  #waiter: Waiter | undefined;
  #sink: Sink | undefined;
  /** Whether the sink takes more. */
  #open = false;
  #end: "open" | "ended" | Failure = "open";

  /**
   * @param flow The source, if there is one already.
   * @param maxHeldOctets From how many unread octets on the source is paused.
   */
  constructor(flow?: Flow, maxHeldOctets: number = MAX_HELD_OCTETS) {
    this.#flow = flow;
    this.#maxHeldOctets = maxHeldOctets;
  }

  /** What delivers from now on. */
  set source(flow: Flow) {
    this.#flow = flow;
  }

  /** How many octets arrived and were not read. */
  get held(): number {
    return this.#held;
  }

  /** Whether somebody waits for octets. */
  get reading(): boolean {
    return this.#waiter !== undefined || this.#open;
  }

  /** Whether nothing more will arrive. */
  get over(): boolean {
    return this.#end !== "open";
  }

  /** Takes octets from the source; it must not change them afterwards. */
  push(octets: Uint8Array): void {
    if (octets.length === 0 || this.#end !== "open") return;
    if (this.#open && this.#sink !== undefined) {
      this.#give(this.#sink, octets);
      return;
    }
    const waiter = this.#waiter;
    if (waiter !== undefined) {
      this.#waiter = undefined;
      waiter.resolve(octets);
      return;
    }
    (this.#chunks ??= []).push(octets);
    this.#held += octets.length;
    if (!this.#paused && this.#held >= this.#maxHeldOctets) {
      this.#paused = true;
      this.#flow?.pause();
    }
  }

  /** The source ended, well or with an error; what it delivered before is still read first. */
  end(failure?: Failure): void {
    if (this.#end !== "open") return;
    this.#end = failure ?? "ended";
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (failure === undefined) waiter?.resolve(undefined);
    else waiter?.reject(errorOf(failure));
    if (this.#open) this.#tellEnd();
  }

  /**
   * Hands everything to a sink, what is unread first.
   *
   * @returns Goes on after the sink said no.
   * @throws {UsageError} If a read is pending, or there is a sink already.
   */
  pour(sink: Sink): () => void {
    this.lend(sink);
    const resume = (): void => this.resume();
    // Nobody expects to be called before a call that sets up things has returned.
    queueMicrotask(resume);
    return resume;
  }

  /**
   * Hands everything to a sink from `resume()` on, until it is taken back.
   *
   * @throws {UsageError} If a read is pending, or there is a sink already.
   */
  lend(sink: Sink): void {
    if (this.#waiter !== undefined || this.#sink !== undefined) {
      throw new UsageError("Cannot read into a sink: somebody else reads already");
    }
    this.#sink = sink;
  }

  /** Goes on after the sink said no: what is unread first. */
  resume(): void {
    const sink = this.#sink;
    if (this.#open || sink === undefined) return;
    this.#open = true;
    while (this.#open) {
      const octets = this.#take();
      if (octets === undefined) break;
      this.#give(sink, octets);
    }
    if (this.#open && this.#end !== "open") this.#tellEnd();
  }

  /** The sink gets nothing more; what it has not taken is for `read()`. */
  takeBack(): void {
    this.#sink = undefined;
    this.#open = false;
  }

  /** Our side gave up: forgets what is unread and rejects every read, pending and later. */
  abort(failure: Failure): void {
    this.#chunks = undefined;
    this.#held = 0;
    this.#open = false;
    this.#sink = undefined;
    this.#end = failure;
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.reject(errorOf(failure));
  }

  /**
   * The next octets; undefined at the end.
   *
   * @throws {UsageError} If a read is pending already.
   */
  read(): Promise<Uint8Array | undefined> {
    if (this.#waiter !== undefined || this.#sink !== undefined) {
      return Promise.reject(new UsageError("Cannot read: another read is still pending"));
    }
    const octets = this.#take();
    if (octets !== undefined) return Promise.resolve(octets);
    if (this.#end === "ended") return Promise.resolve(undefined);
    if (this.#end !== "open") return Promise.reject(errorOf(this.#end));
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  #take(): Uint8Array | undefined {
    const octets = this.#chunks?.shift();
    if (octets === undefined) return undefined;
    this.#held -= octets.length;
    if (this.#held === 0) this.#chunks = undefined;
    if (this.#paused && this.#held < this.#maxHeldOctets) {
      this.#paused = false;
      this.#flow?.resume();
    }
    return octets;
  }

  /** The sink may call back meanwhile, and take itself away. */
  #give(sink: Sink, octets: Uint8Array): void {
    if (!sink.data(octets)) this.#open = false;
  }

  #tellEnd(): void {
    const sink = this.#sink;
    const end = this.#end;
    this.#sink = undefined;
    this.#open = false;
    sink?.end(end === "open" || end === "ended" ? undefined : errorOf(end));
  }
}
