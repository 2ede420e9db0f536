import { ConnectionError, PgHandshakeError, ProtocolError } from "../errors.ts";
import { ServerError } from "../handshake/server_error.ts";
import type { BackendMessage } from "../wire/backend.ts";
import type { NoticeFields } from "../wire/notice.ts";
import type { MessageReader, MessageStream, Unread } from "./message_stream.ts";
import type { EncodedQuery } from "./run_query.ts";
import type { SimpleQuery } from "./simple_query.ts";

/** Who is told what a server says of its own accord. */
export interface Listeners {
  /** Takes messages that may come at any time, and says whether it took one. */
  takes(message: BackendMessage): boolean;
  /** Whether more is held than listeners should be given; then nothing is read while no query runs. */
  isFull(): boolean;
}

/** The query the server is at. */
interface Running {
  readonly query: SimpleQuery;
  /** Whether its rows should be taken before more of them are read. */
  isFull(): boolean;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Everything that is said after ReadyForQuery. Reads all the time, so that what comes while nothing is asked is heard
 * when it comes, and stops reading while whoever gets it has enough.
 */
export class Conversation<Owner> implements MessageReader {
  readonly #stream: MessageStream;
  readonly #listeners: Listeners;
  readonly #owner: Owner;
  readonly #onEnd: (owner: Owner, reason: unknown) => void;
  #status: "I" | "T" | "E";
  #running: Running | undefined;
  #started = false;
  #stopped = false;
  /** Nothing is read until there is room. */
  #waits = false;
  /** What the server said before it went away, or why it could not be written to. */
  #lastWord: PgHandshakeError | undefined;

  /**
   * @param stream The messages; read by nobody else from `start()` on.
   * @param status As of the last ReadyForQuery.
   * @param listeners Who is told what.
   * @param end Whose session it is, and how to tell why it ended by itself, which is not called after `stop()`; one
   *   function serves all sessions.
   */
  constructor(
    stream: MessageStream,
    status: "I" | "T" | "E",
    listeners: Listeners,
    end: { readonly owner: Owner; readonly onEnd: (owner: Owner, reason: unknown) => void },
  ) {
    this.#owner = end.owner;
    this.#onEnd = end.onEnd;
    this.#stream = stream;
    this.#status = status;
    this.#listeners = listeners;
  }

  /** As of the last ReadyForQuery. */
  get status(): "I" | "T" | "E" {
    return this.#status;
  }

  /** Begins to read; later calls do nothing. */
  start(): void {
    if (this.#started || this.#stopped) return;
    this.#started = true;
    this.#stream.readInto(this);
    this.#goOn();
  }

  /**
   * Runs one query; the caller waits for its end before it runs another.
   *
   * @param encoded The statements; undefined if they were sent with the start-up.
   * @param query What takes the answer; `query.error` says afterwards whether a statement failed.
   * @param isFull Whether rows should be taken before more of them are read; call `wake()` once it is false again.
   * @throws What ended the session, if it ended.
   */
  run(
    encoded: EncodedQuery | undefined,
    query: SimpleQuery,
    isFull: () => boolean,
  ): Promise<void> {
    const over = new Promise<void>((resolve, reject) => {
      this.#running = { query, isFull, resolve, reject };
    });
    this.start();
    this.wake();
    if (encoded === undefined) return over;
    const { text, octets } = encoded;
    // A server that ended the session may have done so before: its last word is still to be read.
    this.#stream.send({ type: "Query", text }, octets).catch((failure) => this.#lost(failure));
    return over;
  }

  /** Sends Terminate. */
  async terminate(): Promise<void> {
    await this.#stream.send({ type: "Terminate" });
  }

  /** Looks again whether there is room to read. */
  wake(): void {
    if (!this.#waits) return;
    this.#waits = false;
    // Not at once: whoever makes room is in the middle of something.
    queueMicrotask(() => this.#goOn());
  }

  /** For the stream: takes the messages that are there; returns whether more should be read. */
  arrived(): boolean {
    try {
      while (!this.#stopped) {
        const message = this.#stream.held();
        if (message === undefined) return true;
        const sending = this.#take(message);
        if (sending !== undefined) {
          void sending.then(() => this.#goOn());
          return false;
        }
        this.#waits = this.#isFull();
        if (this.#waits) return false;
      }
    } catch (error) {
      void this.#finish(error);
    }
    return false;
  }

  /** For the stream: nothing more will come. */
  broke(reason: Error): void {
    void this.#finish(reason);
  }

  /**
   * Ends it from our side: nothing is taken afterwards, and a query still running fails with this error.
   *
   * @returns What was read and not used.
   */
  stop(error: unknown): Unread {
    this.#stopped = true;
    this.#fail(error);
    return this.#stream.take();
  }

  /** Takes what is there and reads on, if there is room. */
  #goOn(): void {
    if (this.#stopped) return;
    this.#waits = this.#isFull();
    if (!this.#waits && this.arrived()) this.#stream.readOn();
  }

  #isFull(): boolean {
    return this.#running === undefined ? this.#listeners.isFull() : this.#running.isFull();
  }

  #take(message: BackendMessage): Promise<void> | undefined {
    if (this.#listeners.takes(message)) return undefined;
    const running = this.#running;
    if (running === undefined) {
      this.#takeUnasked(message);
      return undefined;
    }
    const step = running.query.onMessage(message);
    switch (step.do) {
      case "read":
        return undefined;
      case "send":
        return this.#stream.send(step.message).catch((failure) => this.#lost(failure));
      case "finish":
        this.#status = step.status;
        this.#running = undefined;
        this.#lastWord = undefined;
        running.resolve();
        return undefined;
    }
  }

  /** Nothing was asked: a server may say why it is about to go; what else goes wrong is a notice (as in libpq). */
  #takeUnasked(message: BackendMessage): void {
    if (message.type !== "ErrorResponse") {
      throw new ProtocolError(
        `Cannot take ${message.type} now: no query is running, expected NoticeResponse, ` +
          "ParameterStatus, NotificationResponse, ErrorResponse",
        { phase: "ready" },
      );
    }
    const { fields } = message;
    this.#lastWord = new ServerError(fields, "ready");
    if (!isLastWord(fields)) this.#listeners.takes({ type: "NoticeResponse", fields });
  }

  /** A write failed. If the server is gone, reading finds out what it said; the first reason counts. */
  #lost(failure: unknown): void {
    if (failure instanceof PgHandshakeError) this.#lastWord ??= failure;
    else this.#end(failure);
  }

  /** A promise, so that a callback of the user's that throws does not throw into a socket. */
  // deno-lint-ignore require-await
  async #finish(error: unknown): Promise<void> {
    this.#end(error);
  }

  #end(error: unknown): void {
    // A socket that broke says less than what the server said before it did.
    const told = error instanceof ConnectionError
      ? this.#running?.query.error ?? this.#lastWord
      : undefined;
    const reason = told ?? error;
    if (this.#stopped) return;
    this.#stopped = true;
    this.#fail(reason);
    this.#onEnd(this.#owner, reason);
  }

  #fail(error: unknown): void {
    const running = this.#running;
    this.#running = undefined;
    running?.reject(error);
  }
}

/** FATAL and PANIC end the session; the untranslated severity exists since 9.6. */
function isLastWord({ severityUntranslated, severity }: NoticeFields): boolean {
  const said = severityUntranslated ?? severity;
  return said === "FATAL" || said === "PANIC";
}
