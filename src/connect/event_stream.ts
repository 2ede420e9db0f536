import { UsageError } from "../errors.ts";
import { Fifo } from "./fifo.ts";

/** From so much unread on, a session stops reading while no query runs: about 4 000 short notifications. */
const SOFT_LIMIT = 262_144;
/** While queries run it has to read on; so much may then wait before the iteration fails. */
const HARD_LIMIT = 16 * 1_048_576;

interface Waiter<T> {
  resolve(result: IteratorResult<T>): void;
  reject(error: unknown): void;
}

/** What an {@link EventStream} is made with. */
export interface EventStreamOptions {
  /** What the events are, for its errors. */
  readonly what: string;
  /** Called when what waits has become less. */
  readonly onRoom: () => void;
  /** Called once when nobody listens any more. */
  readonly onClose: () => void;
}

/**
 * What a server says of its own accord, one after the other. At most 16 MiB wait: while no query runs the session reads
 * nothing more from 256 KiB on, so that the server keeps the rest; while queries run it has to.
 */
export class EventStream<T> implements AsyncIterableIterator<T> {
  readonly #options: EventStreamOptions;
  readonly #held = new Fifo<{ readonly value: T; readonly weight: number }>();
  #weight = 0;
  readonly #waiters = new Fifo<Waiter<T>>();
  #end: { readonly error: unknown } | "done" | undefined;

  /** Called by a session. */
  constructor(options: EventStreamOptions) {
    this.#options = options;
  }

  /** Whether the source should wait. */
  get full(): boolean {
    return this.#end === undefined && this.#weight >= SOFT_LIMIT;
  }

  /** Adds an event of about so many octets. */
  push(value: T, weight: number): void {
    if (this.#end !== undefined) return;
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) return waiter.resolve({ value, done: false });
    if (this.#weight + weight > HARD_LIMIT) {
      this.end(
        new UsageError(
          `Cannot keep more ${this.#options.what}: ${this.#held.length} wait to be read`,
          {
            phase: "ready",
            hint:
              "Read them faster, or listen on a session of its own, where the server keeps what is not read",
          },
        ),
      );
      this.#options.onClose();
      return;
    }
    this.#held.push({ value, weight });
    this.#weight += weight;
  }

  /** Ends the iteration behind what is held: with an error, or well. */
  end(error?: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = error === undefined ? "done" : { error };
    for (
      let waiter = this.#waiters.shift();
      waiter !== undefined;
      waiter = this.#waiters.shift()
    ) {
      // The error is told once; who waits behind gets the end.
      if (this.#end === "done") waiter.resolve({ value: undefined, done: true });
      else waiter.reject(this.#takeError());
    }
  }

  /** The next event. */
  next(): Promise<IteratorResult<T>> {
    const first = this.#held.shift();
    if (first !== undefined) {
      this.#weight -= first.weight;
      this.#options.onRoom();
      return Promise.resolve({ value: first.value, done: false });
    }
    if (this.#end === "done") return Promise.resolve({ value: undefined, done: true });
    if (this.#end !== undefined) return Promise.reject(this.#takeError());
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** Nobody listens any more; what is held is forgotten. */
  return(): Promise<IteratorResult<T>> {
    const listened = this.#end === undefined;
    this.end();
    this.#held.clear();
    this.#weight = 0;
    if (listened) {
      this.#options.onClose();
      this.#options.onRoom();
    }
    return Promise.resolve({ value: undefined, done: true });
  }

  /** Iterates; `break` ends the listening. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  #takeError(): unknown {
    const end = this.#end;
    this.#end = "done";
    return typeof end === "object" ? end.error : undefined;
  }
}
