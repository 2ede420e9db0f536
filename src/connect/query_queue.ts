import { ConnectionError, PgHandshakeError } from "../errors.ts";
import { abortError } from "./clock.ts";
import type { Conversation } from "./conversation.ts";
import { encodeQuery } from "./run_query.ts";
import { type ResultSink, SimpleQuery } from "./simple_query.ts";

/** SQLSTATE query_canceled. */
const QUERY_CANCELED = "57014";

/** What a queue needs of its session. */
export interface QueueSurroundings {
  readonly conversation: Pick<Conversation<unknown>, "run">;
  /** Throws if the session takes no query any more. */
  assertOpen(): void;
  /** Brings a CancelRequest to the server, and returns when it has been heard. */
  cancel(): Promise<void>;
  /** Ends the session: a query cannot be stopped otherwise. */
  abandon(error: PgHandshakeError): void;
}

/** How one query is run. */
export interface QueryRunOptions {
  /** Cancels it. */
  readonly signal?: AbortSignal | undefined;
  /** Whether its rows should be taken before more are read; never, unless given. */
  isFull?(): boolean;
  /** Whether it was sent with the start-up already, so that only its answer is to be read; it was not, unless given. */
  readonly sent?: boolean;
}

/** The queries of a session, one after the other. */
export class QueryQueue {
  readonly #surroundings: QueueSurroundings;
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;

  /** @param surroundings Of the session. */
  constructor(surroundings: QueueSurroundings) {
    this.#surroundings = surroundings;
  }

  /** How many run or wait. */
  get pending(): number {
    return this.#pending;
  }

  /**
   * Runs statements when their turn comes.
   *
   * @param text The statements.
   * @param sink Takes what they give.
   * @throws {PgHandshakeError} As `Session.query()`.
   */
  run(text: string, sink: ResultSink, options: QueryRunOptions = {}): Promise<void> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(abortError(signal, "ready"));
    let begun = false;
    this.#pending += 1;
    const turn = this.#last.then(() => {
      if (signal?.aborted) throw abortError(signal, "ready");
      begun = true;
      return this.#run(text, sink, options);
    }).finally(() => {
      this.#pending -= 1;
    });
    // The next waits for this one to end, however it ends; its own caller gets the error.
    this.#last = turn.catch(() => undefined);
    return signal === undefined ? turn : unlessAborted(turn, signal, () => begun);
  }

  async #run(text: string, sink: ResultSink, options: QueryRunOptions): Promise<void> {
    const { conversation, assertOpen, cancel, abandon } = this.#surroundings;
    const { signal, isFull = () => false, sent = false } = options;
    assertOpen();
    const encoded = encodeQuery(text);
    const query = new SimpleQuery(sink);
    let cancelling: Promise<void> | undefined;
    const onAbort = (): void => {
      cancelling = cancel().catch((error: unknown) => {
        // The query would run on, and its answer would be taken for the next one's.
        abandon(notCancelled(error));
      });
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await conversation.run(sent ? undefined : encoded, query, isFull);
    } finally {
      signal?.removeEventListener("abort", onAbort);
      // A cancel that is on its way must not hit the next query.
      await cancelling;
    }
    const { error } = query;
    if (error === undefined) return;
    throw signal?.aborted && error.sqlState === QUERY_CANCELED ? cancelled(signal, error) : error;
  }
}

/** Ends the waiting of a query whose turn has not come; one that runs is ended by the server. */
function unlessAborted(
  turn: Promise<void>,
  signal: AbortSignal,
  begun: () => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      if (!begun()) reject(abortError(signal, "ready"));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    turn.finally(() => signal.removeEventListener("abort", onAbort)).then(resolve, reject);
  });
}

function cancelled(signal: AbortSignal, error: PgHandshakeError): ConnectionError {
  const { code, cause } = abortError(signal, "ready");
  const why = code === "timeout" ? "the signal's deadline passed" : "the signal was aborted";
  return new ConnectionError(
    code as "aborted" | "timeout",
    `the query was cancelled, as ${why}: ${error.message}`,
    { phase: "ready", cause },
  );
}

function notCancelled(cause: unknown): PgHandshakeError {
  const because = cause instanceof PgHandshakeError ? `: ${cause.message}` : "";
  return new ConnectionError(
    "connection-lost",
    `the session was closed, as its query was to be cancelled and could not be${because}`,
    { phase: "ready", cause },
  );
}
