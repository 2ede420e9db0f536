import { UsageError } from "../errors.ts";

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

/** Turns a source that pushes octets into `read()`, and pauses it while nobody reads. */
export class Inbox {
  readonly #flow: Flow;
  readonly #maxHeldOctets: number;
  readonly #chunks: Uint8Array[] = [];
  #held = 0;
  #paused = false;
  #waiter: Waiter | undefined;
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

  /** Whether a read waits for octets. */
  get reading(): boolean {
    return this.#waiter !== undefined;
  }

  /** Whether nothing more will arrive. */
  get over(): boolean {
    return this.#end !== "open";
  }

  /** Takes octets from the source; it must not change them afterwards. */
  push(octets: Uint8Array): void {
    if (octets.length === 0 || this.#end !== "open") return;
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
  }

  /** Our side gave up: forgets what is unread and rejects every read, pending and later. */
  abort(error: Error): void {
    this.#chunks.length = 0;
    this.#held = 0;
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
    if (this.#waiter !== undefined) {
      return Promise.reject(new UsageError("Cannot read: another read is still pending"));
    }
    const octets = this.#chunks.shift();
    if (octets !== undefined) {
      this.#held -= octets.length;
      if (this.#paused && this.#held < this.#maxHeldOctets) {
        this.#paused = false;
        this.#flow.resume();
      }
      return Promise.resolve(octets);
    }
    if (this.#end === "ended") return Promise.resolve(undefined);
    if (this.#end !== "open") return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }
}
