import type { Admission } from "../auth/gate.ts";
import type { ChannelFacts } from "../auth/channel.ts";
import { ConnectionError, type PgHandshakeError, UsageError } from "../errors.ts";
import type { CancelKey } from "../handshake/cancel_key.ts";
import { readServerVersion, type ServerVersion } from "../handshake/server_version.ts";
import type { Endpoint, Transport } from "../transport/transport.ts";
import { versionText } from "../wire/codes.ts";
import type { NoticeFields } from "../wire/notice.ts";
import { Announcements } from "./announcements.ts";
import { cancelOver } from "./cancel_over.ts";
import { Conversation } from "./conversation.ts";
import { DetachedSession } from "./detached.ts";
import type { Circumstances, Established, Route } from "./establish.ts";
import type { EventStream } from "./event_stream.ts";
import { firstQueryText } from "./first_query.ts";
import { Listening } from "./listening.ts";
import { MessageStream } from "./message_stream.ts";
import type { ConnectOptions, Notification, ParameterChange } from "./options.ts";
import { QueryQueue } from "./query_queue.ts";
import type { ConnectReport } from "./report.ts";
import { RowStream } from "./row_stream.ts";
import { SessionParameters } from "./session_parameters.ts";
import {
  CLOSED,
  closedWhileRunning,
  CLOSING,
  DETACHED,
  endOf,
  OPEN,
  type SessionEnd,
  type SessionState,
  whyNotOpen,
} from "./session_state.ts";
import { Collector, type QueryResult } from "./simple_query.ts";
import type { Subscription } from "./subscription.ts";
import { soon } from "../transport/runtime.ts";

/** How a query of a session is run. */
export interface QueryOptions {
  /**
   * Cancels the query when it fires, and leaves the session usable: while it waits at once, while it runs by a
   * CancelRequest, and then the error comes when the server is done with it.
   */
  readonly signal?: AbortSignal;
}

/**
 * An open PostgreSQL session. Made by `connect()`; one owner at a time. It reads all the time: what the server says of
 * its own accord is heard when it comes, and so is its end.
 */
export class Session implements AsyncDisposable {
  readonly #transport: Transport;
  readonly #cancelKey: CancelKey | undefined;
  readonly #protocolVersion: number;
  readonly #channel: ChannelFacts;
  readonly #authentication: Admission;
  readonly #route: Route;
  readonly #options: ConnectOptions;
  readonly #emit: Circumstances["emit"];
  readonly #connectTimeoutMs: number | undefined;
  readonly #parameters: SessionParameters;
  readonly #announcements: Announcements;
  readonly #conversation: Conversation<Session>;
  /** Made with the first query. */
  #queries: QueryQueue | undefined;
  /** Made with the first subscription. */
  #listening: Listening | undefined;
  #state: SessionState = OPEN;
  #closing: Promise<void> | undefined;
  /** Made when somebody asks for it. */
  #closed: Promise<SessionEnd> | undefined;
  #onClosed: ((reason: SessionEnd) => void) | undefined;

  /** How the connection came about. */
  readonly report: ConnectReport;

  /**
   * The results of the option `firstQuery`, as `query()` gives them; undefined if there was none. They come after the
   * server has proved who it is and was ready. A statement that fails does not end the session, and a rejection nobody
   * looks at does no harm.
   */
  readonly firstResult: Promise<readonly QueryResult[]> | undefined;

  /** Called by `connect()`. */
  constructor(
    established: Established,
    circumstances: Pick<Circumstances, "options" | "emit" | "settings"> & {
      readonly report: ConnectReport;
    },
  ) {
    const { transport, start } = established;
    const { options, emit } = circumstances;
    this.#transport = transport;
    this.#route = established.route;
    // Not the start-up and the circumstances themselves: an open session has no use for the rest of them.
    this.#cancelKey = start.cancelKey;
    this.#protocolVersion = start.protocolVersion;
    this.#channel = start.channel;
    this.#authentication = start.authentication;
    this.#options = options;
    this.#emit = emit;
    this.#connectTimeoutMs = circumstances.settings.connectTimeoutMs;
    this.report = circumstances.report;
    this.#parameters = new SessionParameters(start.parameters);
    this.#announcements = new Announcements(this.#parameters, options);
    this.#conversation = new Conversation<Session>(
      new MessageStream(transport, start.leftover, emit),
      start.transactionStatus,
      this.#announcements,
      { owner: this, onEnd: Session.#onEnd },
    );
    const text = firstQueryText(options.firstQuery);
    this.firstResult = text === undefined
      ? undefined
      : this.#first(text, start.early.query === "sent");
    // It is the caller's to look at, who may not care.
    this.firstResult?.catch(() => undefined);
    // Whoever takes the session over at once gets what came behind ReadyForQuery, unread.
    soon(() => this.#conversation.start());
  }

  /**
   * Settles when the session is over, and never rejects: with why it ended by itself (a server that shut down says so
   * with SQLSTATE 57P01), or undefined if `close()` or `detach()` ended it.
   */
  get closed(): Promise<PgHandshakeError | undefined> {
    return this.#closed ??= new Promise((resolve) => {
      const state = this.#state;
      if (state.at === "open" || state.at === "closing") this.#onClosed = resolve;
      else resolve(state.at === "ended" ? endOf(state.reason) : undefined);
    });
  }

  /** The last reported value of every run-time parameter the server reports. */
  get parameters(): ReadonlyMap<string, string> {
    return this.#parameters.own();
  }

  /** The server's version; `number` compares. */
  get serverVersion(): ServerVersion {
    return readServerVersion(this.#parameters.get("server_version"));
  }

  /** The process ID of the server process, as in pg_stat_activity; undefined if the server sent none. */
  get processId(): number | undefined {
    return this.#cancelKey?.processId;
  }

  /** The protocol version in force: "3.0" or "3.2". */
  get protocolVersion(): string {
    return versionText(this.#protocolVersion);
  }

  /** The channel the session runs over, and how far it was verified. */
  get channel(): ChannelFacts {
    return this.#channel;
  }

  /** How we authenticated, and whether that was bound to the channel. */
  get authentication(): Admission {
    return this.#authentication;
  }

  /** Where the session is connected to. */
  get address(): Endpoint {
    return this.#transport.endpoint;
  }

  /** "I" idle, "T" in a transaction, "E" in a failed transaction; as of the last ReadyForQuery. */
  get transactionStatus(): "I" | "T" | "E" {
    return this.#conversation.status;
  }

  /**
   * Runs SQL by the simple protocol: one or more statements, values as text. Calls queue in order.
   *
   * @param text The statements; no zero octet.
   * @param options A signal to cancel with.
   * @returns One result a statement.
   * @throws {ServerError} If a statement failed; those behind it were not run, and the session stays usable.
   * @throws {UsageError} `session-closed`, or COPY, which query() does not speak.
   * @throws {ConnectionError} `aborted` or `timeout` if the signal fired before the query was done; `connection-lost`: the
   *   session is closed then, as it is if a query cannot be cancelled.
   */
  async query(text: string, options: QueryOptions = {}): Promise<readonly QueryResult[]> {
    const collector = new Collector();
    await this.#queue.run(text, collector, options);
    return collector.results;
  }

  /**
   * The same, row by row: at most 256 KiB of rows, and one row more, are held. Other queries wait until it is over; ending
   * the iteration early cancels it.
   *
   * @param text The statements; no zero octet.
   * @param options A signal to cancel with.
   *
   * @example
   * ```ts
   * for await (const { values } of session.stream("select * from big")) console.log(values[0]);
   * ```
   */
  stream(text: string, options: QueryOptions = {}): RowStream {
    return new RowStream({
      run: (sink, signal, isFull) => this.#queue.run(text, sink, { signal, isFull }),
      wake: () => this.#conversation.wake(),
      signal: options.signal,
      cancellable: this.#cancelKey !== undefined,
    });
  }

  /**
   * Listens to a channel (LISTEN) and gives its notifications from then on. Inside a transaction it takes effect with
   * the commit.
   *
   * @param channel Its name, 1 to 63 octets, taken as it is: `listen("News")` hears `pg_notify('News', …)`.
   * @throws {ServerError} If the server refuses.
   *
   * @example
   * ```ts
   * await using jobs = await session.listen("jobs");
   * for await (const { payload } of jobs) console.log(payload);
   * ```
   */
  async listen(channel: string): Promise<Subscription> {
    const listening = this.#listening ??= new Listening({
      announcements: this.#announcements,
      wake: () => this.#conversation.wake(),
      run: (statement) => this.query(statement),
      isOpen: () => this.#state.at === "open",
    });
    return await listening.subscribe(channel);
  }

  /** Notifications of every channel the session listens to, from now on. */
  notifications(): EventStream<Notification> {
    this.#assertOpen("listen");
    return this.#announcements.notifications(() => this.#conversation.wake());
  }

  /** Notices of the server, from now on. */
  notices(): EventStream<NoticeFields> {
    this.#assertOpen("listen");
    return this.#announcements.notices(() => this.#conversation.wake());
  }

  /** Run-time parameters as the server reports them, from now on; `parameters` has their last values. */
  parameterChanges(): EventStream<ParameterChange> {
    this.#assertOpen("listen");
    return this.#announcements.parameterChanges(() => this.#conversation.wake());
  }

  /**
   * Cancels the running query over a connection of its own, encrypted as this session is; also after `detach()`. The query
   * then fails with SQLSTATE 57014, unless it was faster.
   *
   * @param options A signal to give up the cancel itself.
   * @throws {UsageError} `session-closed`, or the server gave no key to cancel with.
   * @throws {ConnectionError} If the way there fails; `timeout` after `connect_timeout`, else ten seconds.
   */
  async cancel(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    // Whoever it was handed over to may want it as well.
    if (this.#state.at !== "detached") this.#assertOpen("cancel");
    const key = this.#cancelKey;
    if (key === undefined) {
      throw new UsageError("Cannot cancel: the server sent no BackendKeyData", { phase: "cancel" });
    }
    await cancelOver(this.#route, key, {
      remoteAddress: this.#transport.endpoint.remoteAddress,
      signal: options.signal,
      timeoutMs: this.#connectTimeoutMs,
      emit: this.#emit,
    });
  }

  /**
   * Lets the process end although the session is open, where the runtime can; a listener in the background should not
   * keep it alive. Node, Bun and Deno can.
   */
  unref(): void {
    this.#transport.unref?.();
  }

  /** Takes `unref()` back. */
  ref(): void {
    this.#transport.ref?.();
  }

  /** Sends Terminate and releases the socket. A query still running is lost. May be called again. */
  async close(): Promise<void> {
    if (this.#state.at === "open") this.#closing = this.#terminate();
    await this.#closing;
  }

  /** The same as `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Hands the session over. Afterwards this object neither reads nor writes; iterations end.
   *
   * @throws {UsageError} If it is closed, handed over already, or a query is running.
   */
  detach(): DetachedSession {
    this.#assertOpen("detach");
    if (this.#pending > 0) {
      throw new UsageError("Cannot detach the session: a query is running", { phase: "ready" });
    }
    this.#state = DETACHED;
    const unread = this.#conversation.stop(undefined);
    this.#announcements.end();
    this.#onClosed?.(undefined);
    return new DetachedSession(this.#transport, {
      parameters: new Map(this.#parameters.own()),
      serverVersion: this.serverVersion,
      processId: this.processId,
      cancelKey: this.#cancelKey,
      protocolVersion: this.protocolVersion,
      channel: this.channel,
      authentication: this.authentication,
      address: this.address,
      transactionStatus: this.transactionStatus,
    }, unread);
  }

  async #first(text: string, sent: boolean): Promise<readonly QueryResult[]> {
    const collector = new Collector();
    await this.#queue.run(text, collector, { sent });
    return collector.results;
  }

  get #queue(): QueryQueue {
    return this.#queries ??= new QueryQueue({
      conversation: this.#conversation,
      assertOpen: () => this.#assertOpen("query"),
      cancel: () => this.cancel(),
      abandon: (error) => this.#abandon(error),
    });
  }

  /** How many queries run or wait. */
  get #pending(): number {
    return this.#queries?.pending ?? 0;
  }

  async #terminate(): Promise<void> {
    this.#state = CLOSING;
    try {
      // Behind a running query Terminate would not be read before the query ends, and may not even be written.
      if (this.#pending === 0) await this.#conversation.terminate();
    } catch (error) {
      // A peer that is gone has nothing to be told any more; the socket is released either way.
      if (!(error instanceof ConnectionError)) throw error;
    } finally {
      this.#release(this.#pending === 0 ? undefined : closedWhileRunning());
      this.#announcements.end();
      this.#state = CLOSED;
      this.#onClosed?.(undefined);
    }
  }

  #release(error: unknown): void {
    this.#conversation.stop(error);
    this.#transport.close();
  }

  /** A conversation ended by itself. */
  static #onEnd(session: Session, reason: unknown): void {
    if (session.#state.at === "open") session.#ended(reason, session.#pending > 0);
  }

  /** A query cannot be stopped otherwise. */
  #abandon(error: PgHandshakeError): void {
    if (this.#state.at !== "open") return;
    this.#conversation.stop(error);
    this.#ended(error, true);
  }

  #ended(reason: unknown, told: boolean): void {
    this.#state = { at: "ended", reason, told };
    this.#transport.close();
    this.#announcements.end(reason);
    this.#onClosed?.(endOf(reason));
    this.#options.onClose?.(endOf(reason));
  }

  #assertOpen(call: string): void {
    const state = this.#state;
    if (state.at === "open") return;
    // Nobody waited when it ended: whoever comes first hears why.
    if (state.at === "ended" && !state.told) this.#state = { ...state, told: true };
    throw whyNotOpen(state, call);
  }
}
