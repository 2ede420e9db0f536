import type { Duplex } from "node:stream";
import type { Admission } from "../auth/gate.ts";
import type { ChannelFacts } from "../auth/channel.ts";
import { UsageError } from "../errors.ts";
import type { CancelKey } from "../handshake/cancel_key.ts";
import type { ServerVersion } from "../handshake/server_version.ts";
import type { Endpoint, Transport } from "../transport/transport.ts";
import type { Unread } from "./message_stream.ts";
import { ResumedTransport } from "./resumed_transport.ts";
import { type WebStreams, webStreamsOf } from "./web_streams.ts";

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

type View = "transport" | "Web Streams" | "Duplex";

/**
 * A session handed over by `Session.detach()`: whoever has this owns the socket, in one of three views. The first one
 * that is taken is the only one; octets that were read already come first in each.
 */
export class DetachedSession {
  /** What the server and the start-up said. */
  readonly facts: SessionFacts;
  readonly #transport: Transport;
  readonly #leftover: Uint8Array;
  #view: View | undefined;
  #streams: WebStreams | undefined;
  #duplex: Promise<Duplex> | undefined;

  /** Called by a session. */
  constructor(transport: Transport, facts: SessionFacts, unread: Unread) {
    this.facts = facts;
    this.#transport = unread.reading === undefined
      ? transport
      : new ResumedTransport(transport, unread.reading);
    this.#leftover = unread.leftover;
  }

  /**
   * The socket, TLS included; read `leftover` first.
   *
   * @throws {UsageError} If another view was taken.
   */
  get transport(): Transport {
    this.#take("transport");
    return this.#transport;
  }

  /**
   * Octets that were read already and belong in front of what `transport.read()` gives; usually none.
   *
   * @throws {UsageError} If another view was taken.
   */
  get leftover(): Uint8Array {
    this.#take("transport");
    return this.#leftover;
  }

  /**
   * What the server sends, as a Web Stream that reads only when it is read. Cancelling it releases the socket.
   *
   * @throws {UsageError} If another view was taken.
   */
  get readable(): ReadableStream<Uint8Array> {
    return this.#webStreams().readable;
  }

  /**
   * What goes to the server, as a Web Stream. Closing it closes our side of the socket, aborting it releases the socket;
   * so does the end of both streams.
   *
   * @throws {UsageError} If another view was taken.
   */
  get writable(): WritableStream<Uint8Array> {
    return this.#webStreams().writable;
  }

  /**
   * Both directions as a Duplex of `node:stream`, which is loaded for it. Its `destroy()` releases the socket.
   *
   * @throws {UsageError} If another view was taken.
   */
  async duplex(): Promise<Duplex> {
    this.#take("Duplex");
    this.#duplex ??= import("./duplex.ts").then(({ duplexOf }) =>
      duplexOf(this.#transport, this.#leftover)
    );
    return await this.#duplex;
  }

  #webStreams(): WebStreams {
    this.#take("Web Streams");
    this.#streams ??= webStreamsOf(this.#transport, this.#leftover);
    return this.#streams;
  }

  #take(view: View): void {
    this.#view ??= view;
    if (this.#view === view) return;
    throw new UsageError(
      `Cannot take the session as ${view}: it was taken as ${this.#view}, and it has one owner at a time`,
      { phase: "ready" },
    );
  }
}
