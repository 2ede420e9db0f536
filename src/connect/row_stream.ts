import { PgHandshakeError } from "../errors.ts";
import type { ColumnDescription } from "../wire/query.ts";
import { Fifo } from "./fifo.ts";
import type { ResultSink, RowValues } from "./simple_query.ts";

/** From so many octets of unread rows on, the session stops reading. */
const MAX_HELD = 262_144;
/** What a value takes besides its text, roughly. */
const VALUE_WEIGHT = 16;

/** One row of a query that is streamed. */
export interface StreamedRow {
  /** The columns of the statement it belongs to; the same object for all rows of one. */
  readonly columns: readonly ColumnDescription[];
  /** Its values as PostgreSQL writes them in text; null for NULL. */
  readonly values: RowValues;
}

interface Waiter {
  resolve(result: IteratorResult<StreamedRow>): void;
  reject(error: unknown): void;
}

/** What a {@link RowStream} needs of its session. */
export interface RowStreamHooks {
  /** Queues the query; settles when it is over. */
  run(sink: ResultSink, signal: AbortSignal, isFull: () => boolean): Promise<void>;
  /** There is room for more rows. */
  wake(): void;
  /** Cancels the query. */
  readonly signal: AbortSignal | undefined;
  /** Whether the server gave a key to cancel with; if not, ending early reads the rest of the rows. */
  readonly cancellable: boolean;
}

/**
 * The rows of a query, one at a time, made by `session.stream()`. The query is sent when the first row is asked for; at
 * most 256 KiB of rows, and one row more, are held. Ending the iteration early cancels the query.
 */
export class RowStream implements AsyncIterableIterator<StreamedRow>, AsyncDisposable {
  readonly #hooks: RowStreamHooks;
  readonly #commands: string[] = [];
  readonly #abort = new AbortController();
  readonly #held = new Fifo<StreamedRow>();
  readonly #waiters = new Fifo<Waiter>();
  #weight = 0;
  #running: Promise<void> | undefined;
  #returned = false;
  #end: { readonly error: unknown } | "done" | undefined;

  /** Called by a session. */
  constructor(hooks: RowStreamHooks) {
    this.#hooks = hooks;
  }

  /** The command tags of the statements that are over, for example "SELECT 1". */
  get commands(): readonly string[] {
    return this.#commands;
  }

  /**
   * The next row.
   *
   * @throws {PgHandshakeError} As `Session.query()`, behind the rows that came before.
   */
  next(): Promise<IteratorResult<StreamedRow>> {
    this.#start();
    const row = this.#held.shift();
    if (row !== undefined) {
      const wasFull = this.#weight >= MAX_HELD;
      this.#weight -= weightOf(row.values);
      if (wasFull && this.#weight < MAX_HELD) this.#hooks.wake();
      return Promise.resolve({ value: row, done: false });
    }
    if (this.#end === "done") return Promise.resolve({ value: undefined, done: true });
    if (this.#end !== undefined) return Promise.reject(this.#takeError());
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /**
   * Cancels the query if it runs, and waits for the server to be done with it, so that the session is usable.
   *
   * @throws {PgHandshakeError} If the session did not survive that.
   */
  async return(): Promise<IteratorResult<StreamedRow>> {
    this.#returned = true;
    this.#held.clear();
    this.#weight = 0;
    if (this.#running === undefined) this.#end ??= "done";
    else if (this.#end === undefined) {
      if (this.#hooks.cancellable) this.#abort.abort();
      this.#hooks.wake();
      await this.#running;
    }
    const end = this.#end;
    this.#finish("done");
    if (typeof end === "object" && !isExpected(end.error)) throw end.error;
    return { value: undefined, done: true };
  }

  /** Iterates; `break` cancels. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The same as `return()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #start(): void {
    if (this.#running !== undefined || this.#end !== undefined) return;
    const { signal } = this.#hooks;
    const onAbort = (): void => this.#abort.abort(signal?.reason);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
    const sink: ResultSink = {
      row: (columns, values) => this.#push({ columns, values }),
      statement: (_columns, command) => this.#commands.push(command),
    };
    this.#running = this.#hooks.run(sink, this.#abort.signal, () => this.#weight >= MAX_HELD)
      .then(() => this.#finish("done"), (error: unknown) => this.#finish({ error }))
      .finally(() => signal?.removeEventListener("abort", onAbort));
  }

  #push(row: StreamedRow): void {
    if (this.#returned) return;
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      waiter.resolve({ value: row, done: false });
      return;
    }
    this.#held.push(row);
    this.#weight += weightOf(row.values);
  }

  #finish(end: { readonly error: unknown } | "done"): void {
    this.#end = end;
    let waiter = this.#waiters.shift();
    for (; waiter !== undefined; waiter = this.#waiters.shift()) {
      // The error is told once; who waits behind gets the end.
      if (this.#end === "done") waiter.resolve({ value: undefined, done: true });
      else waiter.reject(this.#takeError());
    }
  }

  #takeError(): unknown {
    const end = this.#end;
    this.#end = "done";
    return typeof end === "object" ? end.error : undefined;
  }
}

/** What ending early brings about by itself. */
function isExpected(error: unknown): boolean {
  return error instanceof PgHandshakeError && error.phase === "ready" &&
    (error.code === "aborted" || error.code === "timeout");
}

function weightOf(values: RowValues): number {
  let weight = 0;
  for (const value of values) weight += VALUE_WEIGHT + (value?.length ?? 0);
  return weight;
}
