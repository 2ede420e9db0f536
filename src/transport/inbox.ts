import { UsageError } from "../errors.ts";
import type { Sink } from "./transport.ts";

/** Octets held before the socket is asked to pause: two reads of 64 KiB, the most a runtime delivers at once. */
const MAX_HELD_OCTETS = 131_072;

/** How an {@link Inbox} slows its source down. */
export interface Flow {
  /** Asks the source to deliver no more; what is on its way is still taken. */
  pause(): void;
  /** Asks the source to go on. */
  resume(): void;
}

interface Waiter {
  readonly resolve: (octets: Uint8Array | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** Turns a source that pushes octets into `read()`, or hands them to a sink, and pauses it while nobody wants them. */
export class Inbox {
  readonly #flow: Flow;
  readonly #maxHeldOctets: number;
  readonly #chunks: Uint8Array[] = [];
  #held = 0;
  #paused = false;
  #waiter: Waiter | undefined;
  #sink: Sink | undefined;
  /** Whether the sink takes more. */
  #open = false;
  #end: "open" | "ended" | Error = "open";

  /**
   * @param flow The source.
   * @param maxHeldOctets From how many unread octets on the source is paused.
   */
  constructor(flow: Flow, maxHeldOctets: number = MAX_HELD_OCTETS) {
    this.#flow = flow;
    this.#maxHeldOctets = maxHeldOctets;
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
      this.#open = this.#sink.data(octets);
      return;
    }
    const waiter = this.#waiter;
    if (waiter !== undefined) {
      this.#waiter = undefined;
      waiter.resolve(octets);
      return;
    }
    this.#chunks.push(octets);
    this.#held += octets.length;
    if (!this.#paused && this.#held >= this.#maxHeldOctets) {
      this.#paused = true;
      this.#flow.pause();
    }
  }

  /** The source ended, well or with an error; what it delivered before is still read first. */
  end(error?: Error): void {
    if (this.#end !== "open") return;
    this.#end = error ?? "ended";
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (error === undefined) waiter?.resolve(undefined);
    else waiter?.reject(error);
    if (this.#open) this.#tellEnd();
  }

  /**
   * Hands everything to a sink, what is unread first.
   *
   * @returns Goes on after the sink said no.
   * @throws {UsageError} If a read is pending, or there is a sink already.
   */
  pour(sink: Sink): () => void {
    if (this.#waiter !== undefined || this.#sink !== undefined) {
      throw new UsageError("Cannot read into a sink: somebody else reads already");
    }
    this.#sink = sink;
    const resume = (): void => {
      if (this.#open) return;
      this.#open = true;
      while (this.#open) {
        const octets = this.#take();
        if (octets === undefined) break;
        this.#open = sink.data(octets);
      }
      if (this.#open && this.#end !== "open") this.#tellEnd();
    };
    // Nobody expects to be called before a call that sets up things has returned.
    queueMicrotask(resume);
    return resume;
  }

  /** Our side gave up: forgets what is unread and rejects every read, pending and later. */
  abort(error: Error): void {
    this.#chunks.length = 0;
    this.#held = 0;
    this.#open = false;
    this.#sink = undefined;
    this.#end = error;
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.reject(error);
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
    if (this.#end !== "open") return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  #take(): Uint8Array | undefined {
    const octets = this.#chunks.shift();
    if (octets === undefined) return undefined;
    this.#held -= octets.length;
    if (this.#paused && this.#held < this.#maxHeldOctets) {
      this.#paused = false;
      this.#flow.resume();
    }
    return octets;
  }

  #tellEnd(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#open = false;
    sink?.end(this.#end instanceof Error ? this.#end : undefined);
  }
}
