import type { Admission } from "../auth/gate.ts";
import type { ChannelFacts } from "../auth/channel.ts";
import { ConnectionError, UsageError } from "../errors.ts";
import type { CancelKey } from "../handshake/cancel_key.ts";
import { versionText } from "../handshake/describe.ts";
import type { SessionStart } from "../handshake/client_state.ts";
import { readServerVersion, type ServerVersion } from "../handshake/server_version.ts";
import type { Endpoint, Transport } from "../transport/transport.ts";
import type { BackendMessage } from "../wire/backend.ts";
import { asynchronousTaker } from "./asynchronous.ts";
import { cancelOver } from "./cancel.ts";
import type { Circumstances, Established, Route } from "./establish.ts";
import { MessageStream } from "./message_stream.ts";
import type { ConnectReport } from "./report.ts";
import { encodeQuery, type QueryEnd, runQuery } from "./run_query.ts";
import type { QueryResult } from "./simple_query.ts";

/** Everything a driver must know about a session it takes over. */
export interface SessionFacts {
  /** The last reported value of every run-time parameter. */
  readonly parameters: ReadonlyMap<string, string>;
  /** The server's version. */
  readonly serverVersion: ServerVersion;
  /** The server process's ID. */
  readonly processId: number | undefined;
  /** The right to cancel; it can make the CancelRequest, and does not show the key. */
  readonly cancelKey: CancelKey | undefined;
  /** "3.0" or "3.2". */
  readonly protocolVersion: string;
  /** The channel, and how far it was verified. */
  readonly channel: ChannelFacts;
  /** How we authenticated. */
  readonly authentication: Admission;
  /** Where it is connected to. */
  readonly address: Endpoint;
  /** As of the last ReadyForQuery. */
  readonly transactionStatus: "I" | "T" | "E";
}

/** A session handed over: whoever has this owns the socket. */
export interface DetachedSession {
  /** The socket, TLS included. */
  readonly transport: Transport;
  /** What the server and the start-up said. */
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
  readonly #stream: MessageStream;
  readonly #parameters: Map<string, string>;
  readonly #isAsynchronous: (message: BackendMessage) => boolean;
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
    const { leftover } = established.start;
    this.#stream = new MessageStream(established.transport, leftover, circumstances.emit);
    this.#parameters = new Map(established.start.parameters);
    this.#isAsynchronous = asynchronousTaker(this.#parameters, circumstances.options);
    this.#status = established.start.transactionStatus;
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
    this.#pending += 1;
    const run = this.#busy.then(() => this.#run(text)).finally(() => {
      this.#pending -= 1;
    });
    // The next in the queue waits for this one to end, however it ends; its own caller gets the error.
    this.#busy = run.catch(() => undefined);
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
      // Behind a running query Terminate would not be read before the query ends, and may not even be written.
      if (this.#pending === 0) await this.#stream.send({ type: "Terminate" });
    } catch (error) {
      // A peer that is gone has nothing to be told any more; the socket is released either way.
      if (!(error instanceof ConnectionError)) throw error;
    } finally {
      this.#transport.close();
    }
  }

  /** The same as `close()`, for `await using`. */
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
      leftover: this.#stream.take(),
    };
  }

  async #run(text: string): Promise<readonly QueryResult[]> {
    this.#assertOpen("query");
    const encoded = encodeQuery(text);
    let end: QueryEnd;
    try {
      end = await runQuery(this.#stream, encoded, this.#isAsynchronous);
    } catch (error) {
      this.#state = "closed";
      this.#transport.close();
      throw error;
    }
    this.#status = end.status;
    return end.results();
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
