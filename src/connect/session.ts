import type { Admission } from "../auth/gate.ts";
import type { ChannelFacts } from "../auth/channel.ts";
import { type AttemptReport, ConnectionError, UsageError } from "../errors.ts";
import type { CancelKey } from "../handshake/cancel_key.ts";
import { describeBackend, describeFrontend, versionText } from "../handshake/describe.ts";
import type { SessionStart } from "../handshake/client_state.ts";
import { readServerVersion, type ServerVersion } from "../handshake/server_version.ts";
import type { Endpoint, Transport } from "../transport/transport.ts";
import { type BackendMessage, decodeBackend } from "../wire/backend.ts";
import { Deframer } from "../wire/deframer.ts";
import { encodeFrontend, type FrontendMessage } from "../wire/frontend.ts";
import { SESSION_LIMITS } from "../wire/limits.ts";
import { cancelOver } from "./cancel.ts";
import { type Circumstances, deliver, type Established, type Route } from "./establish.ts";
import { type QueryResult, SimpleQuery } from "./simple_query.ts";

/** How a connection came about. */
export interface ConnectReport {
  /** Every attempt in order; the last one is the session. */
  readonly attempts: readonly AttemptReport[];
  /** Milliseconds from the call of `connect()` to ReadyForQuery. */
  readonly durationMs: number;
}

/** Everything a driver must know about a session it takes over. */
export interface SessionFacts {
  readonly parameters: ReadonlyMap<string, string>;
  readonly serverVersion: ServerVersion;
  readonly processId: number | undefined;
  readonly cancelKey: CancelKey | undefined;
  readonly protocolVersion: string;
  readonly channel: ChannelFacts;
  readonly authentication: Admission;
  readonly address: Endpoint;
  readonly transactionStatus: "I" | "T" | "E";
}

/** A session handed over: whoever has this owns the socket. */
export interface DetachedSession {
  readonly transport: Transport;
  readonly facts: SessionFacts;
  /** Octets that were read already and belong in front of what `transport.read()` gives. */
  readonly leftover: Uint8Array;
}

type State = "open" | "closed" | "detached";

/** An open PostgreSQL session. Made by `connect()`; one owner at a time. */
export class Session implements AsyncDisposable {
  readonly #transport: Transport;
  readonly #start: SessionStart;
  readonly #route: Route;
  readonly #circumstances: Pick<Circumstances, "options" | "emit" | "settings">;
  readonly #deframer = new Deframer();
  readonly #parameters: Map<string, string>;
  #status: "I" | "T" | "E";
  #state: State = "open";
  #busy: Promise<unknown> = Promise.resolve();
  #pending = 0;

  /** How the connection came about. */
  readonly report: ConnectReport;

  /** Called by `connect()`. */
  constructor(
    established: Established,
    circumstances: Pick<Circumstances, "options" | "emit" | "settings"> & {
      readonly report: ConnectReport;
    },
  ) {
    this.#transport = established.transport;
    this.#start = established.start;
    this.#route = established.route;
    this.#circumstances = circumstances;
    this.#parameters = new Map(established.start.parameters);
    this.#status = established.start.transactionStatus;
    this.#deframer.push(established.start.leftover);
    this.report = circumstances.report;
  }

  /** The last reported value of every run-time parameter the server reports. */
  get parameters(): ReadonlyMap<string, string> {
    return this.#parameters;
  }

  /** The server's version; `number` compares. */
  get serverVersion(): ServerVersion {
    return readServerVersion(this.#parameters.get("server_version"));
  }

  /** The process ID of the server process, as in pg_stat_activity; undefined if the server sent none. */
  get processId(): number | undefined {
    return this.#start.cancelKey?.processId;
  }

  /** The protocol version in force: "3.0" or "3.2". */
  get protocolVersion(): string {
    return versionText(this.#start.protocolVersion);
  }

  /** The channel the session runs over, and how far it was verified. */
  get channel(): ChannelFacts {
    return this.#start.channel;
  }

  /** How we authenticated, and whether that was bound to the channel. */
  get authentication(): Admission {
    return this.#start.authentication;
  }

  /** Where the session is connected to. */
  get address(): Endpoint {
    return this.#transport.endpoint;
  }

  /** "I" idle, "T" in a transaction, "E" in a failed transaction; as of the last ReadyForQuery. */
  get transactionStatus(): "I" | "T" | "E" {
    return this.#status;
  }

  /**
   * Runs SQL by the simple protocol: one or more statements, values as text. Calls queue in order.
   *
   * @param text The statements; no zero octet.
   * @returns One result a statement.
   * @throws {ServerError} If a statement failed; those behind it were not run, and the session stays usable.
   * @throws {UsageError} `session-closed`, or COPY, which query() does not speak.
   * @throws {ConnectionError} `connection-lost`; the session is closed then.
   */
  query(text: string): Promise<readonly QueryResult[]> {
    const run = this.#busy.then(() => this.#run(text));
    this.#pending += 1;
    // The next in the queue waits for this one to end, however it ends; its own caller gets the error.
    this.#busy = run.catch(() => undefined).finally(() => this.#pending -= 1);
    return run;
  }

  /**
   * Cancels the running query over a connection of its own, encrypted as this session is. The query then fails with
   * SQLSTATE 57014, unless it was faster.
   *
   * @param options A signal to give up the cancel itself.
   * @throws {UsageError} If the server gave no key to cancel with.
   */
  async cancel(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const key = this.#start.cancelKey;
    if (key === undefined) {
      throw new UsageError("Cannot cancel: the server sent no BackendKeyData", { phase: "cancel" });
    }
    await cancelOver(this.#route, key, {
      remoteAddress: this.#transport.endpoint.remoteAddress,
      signal: options.signal,
      timeoutMs: this.#circumstances.settings.connectTimeoutMs,
      emit: this.#circumstances.emit,
    });
  }

  /** Sends Terminate and releases the socket. A query still running is lost. May be called again. */
  async close(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "closed";
    try {
      await this.#send({ type: "Terminate" });
    } catch (error) {
      // A peer that is gone has nothing to be told any more; the socket is released either way.
      if (!(error instanceof ConnectionError)) throw error;
    } finally {
      this.#transport.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Hands the session over. Afterwards this object neither reads nor writes.
   *
   * @throws {UsageError} If it is closed, handed over already, or a query is running.
   */
  detach(): DetachedSession {
    this.#assertOpen("detach");
    if (this.#pending > 0) {
      throw new UsageError("Cannot detach the session: a query is running", { phase: "ready" });
    }
    this.#state = "detached";
    return {
      transport: this.#transport,
      facts: {
        parameters: new Map(this.#parameters),
        serverVersion: this.serverVersion,
        processId: this.processId,
        cancelKey: this.#start.cancelKey,
        protocolVersion: this.protocolVersion,
        channel: this.channel,
        authentication: this.authentication,
        address: this.address,
        transactionStatus: this.#status,
      },
      leftover: this.#deframer.take(),
    };
  }

  async #run(text: string): Promise<readonly QueryResult[]> {
    this.#assertOpen("query");
    const octets = encodeFrontend({ type: "Query", text });
    const query = new SimpleQuery();
    try {
      await this.#send({ type: "Query", text }, octets);
      await this.#complete(query);
    } catch (error) {
      this.#state = "closed";
      this.#transport.close();
      const lost = error instanceof ConnectionError && error.code !== "timeout";
      throw lost && query.error !== undefined ? query.error : error;
    }
    return query.results();
  }

  async #complete(query: SimpleQuery): Promise<void> {
    for (;;) {
      const message = await this.#next();
      if (this.#isAsynchronous(message)) continue;
      const step = query.onMessage(message);
      switch (step.do) {
        case "read":
          break;
        case "send":
          await this.#send(step.message);
          break;
        case "finish":
          this.#status = step.status;
          return;
      }
    }
  }

  /** The next whole message. */
  async #next(): Promise<BackendMessage> {
    for (;;) {
      const frame = this.#deframer.message(SESSION_LIMITS);
      if (frame !== undefined) {
        const message = decodeBackend(frame);
        this.#circumstances.emit?.({
          type: "message",
          direction: "received",
          name: message.type,
          octets: frame.body.length + 5,
          detail: describeBackend(message),
        });
        return message;
      }
      const octets = await this.#transport.read();
      if (octets === undefined) {
        throw new ConnectionError("connection-lost", "server closed the connection unexpectedly", {
          phase: "ready",
          hint:
            "This probably means the server terminated abnormally before or while processing the request",
        });
      }
      this.#deframer.push(octets);
    }
  }

  /** Takes what may come at any time (PostgreSQL manual, 54.2.7). */
  #isAsynchronous(message: BackendMessage): boolean {
    const { options } = this.#circumstances;
    switch (message.type) {
      case "ParameterStatus":
        this.#parameters.set(message.name, message.value);
        deliver({ ...message, type: "parameter" }, options, undefined);
        return true;
      case "NoticeResponse":
        deliver({ type: "notice", notice: message.fields }, options, undefined);
        return true;
      case "NotificationResponse":
        deliver({ ...message, type: "notification" }, options, undefined);
        return true;
      default:
        return false;
    }
  }

  async #send(message: FrontendMessage, encoded?: Uint8Array): Promise<void> {
    const octets = encoded ?? encodeFrontend(message);
    this.#circumstances.emit?.({
      type: "message",
      direction: "sent",
      name: message.type,
      octets: octets.length,
      detail: describeFrontend(message),
    });
    await this.#transport.write(octets);
  }

  #assertOpen(call: string): void {
    if (this.#state === "open") return;
    const why = this.#state === "closed" ? "it is closed" : "it was handed over by detach()";
    throw new UsageError(`Cannot ${call} on this session: ${why}`, {
      code: "session-closed",
      phase: "ready",
    });
  }
}
