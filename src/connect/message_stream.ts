import { ConnectionError, locate, MessageFormatError, ProtocolError } from "../errors.ts";
import { describeBackend, describeFrontend } from "../handshake/describe.ts";
import { lenderOf } from "../transport/lender.ts";
import type { Sink, Transport } from "../transport/transport.ts";
import { type BackendMessage, decodeBackend } from "../wire/backend.ts";
import { Deframer } from "../wire/deframer.ts";
import { encodeFrontend, type FrontendMessage } from "../wire/frontend.ts";
import { SESSION_LIMITS } from "../wire/limits.ts";
import type { ConnectEventKind } from "./options.ts";

/** What was read and not used, for whoever reads on. */
export interface Unread {
  /** Octets that came already. */
  readonly leftover: Uint8Array;
  /** A read that is under way; what it gives belongs behind `leftover`. */
  readonly reading: Promise<Uint8Array | undefined> | undefined;
}

/** Who takes the messages of a stream that is read all the time. */
export interface MessageReader {
  /** Octets came: there may be messages now. Returns whether more should be read; never throws. */
  arrived(): boolean;
  /** Nothing more will come. */
  broke(reason: Error): void;
}

/** The messages of an open session, both ways, over its transport. */
export class MessageStream implements Sink {
  readonly #transport: Transport;
  readonly #deframer = new Deframer();
  readonly #emit: ((event: ConnectEventKind) => void) | undefined;
  #reading: Promise<Uint8Array | undefined> | undefined;
  #reader: MessageReader | undefined;
  #taken = false;

  /**
   * @param transport Where from and to.
   * @param leftover Octets that were read already.
   * @param emit Takes messages by name; undefined if nobody listens.
   */
  constructor(
    transport: Transport,
    leftover: Uint8Array,
    emit: ((event: ConnectEventKind) => void) | undefined,
  ) {
    this.#transport = transport;
    this.#emit = emit;
    this.#deframer.push(leftover);
  }

  /**
   * The next whole message.
   *
   * @throws {ConnectionError} `connection-lost` at the end of the stream.
   * @throws {ProtocolError} Or {@link MessageFormatError}, if what came is no message of the server.
   */
  async next(): Promise<BackendMessage> {
    for (;;) {
      const message = this.held();
      if (message !== undefined) return message;
      const octets = await this.#transport.read();
      if (octets === undefined) throw endOfStream();
      this.#deframer.adopt(octets);
    }
  }

  /**
   * The next message if all of it was read already.
   *
   * @throws {ProtocolError} Or {@link MessageFormatError}, if what came is no message of the server.
   */
  held(): BackendMessage | undefined {
    try {
      const frame = this.#deframer.message(SESSION_LIMITS);
      if (frame === undefined) return undefined;
      const message = decodeBackend(frame);
      this.#emit?.({
        type: "message",
        direction: "received",
        name: message.type,
        octets: frame.body.length + 5,
        detail: describeBackend(message),
      });
      return message;
    } catch (error) {
      if (error instanceof MessageFormatError || error instanceof ProtocolError) {
        locate(error, "ready");
      }
      throw error;
    }
  }

  /**
   * Whenever octets come a reader is told, from the first `readOn()` on; `next()` is of no use any more.
   *
   * @param reader Is told.
   */
  readInto(reader: MessageReader): void {
    this.#reader = reader;
    lenderOf(this.#transport)?.lend(this);
  }

  /** Reads on, after the reader wanted no more. */
  readOn(): void {
    if (this.#taken) return;
    const lender = lenderOf(this.#transport);
    if (lender !== undefined) lender.resumeLent();
    else if (this.#reading === undefined) this.#readOnce();
  }

  /** For the transport: octets came. */
  data(octets: Uint8Array): boolean {
    this.#deframer.adopt(octets);
    return this.#reader?.arrived() ?? false;
  }

  /** For the transport: nothing more comes. */
  end(error: Error | undefined): void {
    this.#reader?.broke(error ?? endOfStream());
  }

  /**
   * Writes a message.
   *
   * @param message What to write.
   * @param encoded Its octets, where they are there already.
   */
  async send(message: FrontendMessage, encoded?: Uint8Array): Promise<void> {
    const octets = encoded ?? encodeFrontend(message);
    this.#emit?.({
      type: "message",
      direction: "sent",
      name: message.type,
      octets: octets.length,
      detail: describeFrontend(message),
    });
    await this.#transport.write(octets);
  }

  /** Takes out what was read and not used; nothing is read here afterwards. */
  take(): Unread {
    if (this.#reader !== undefined) lenderOf(this.#transport)?.takeBack();
    this.#taken = true;
    return { leftover: this.#deframer.take(), reading: this.#reading };
  }

  /** Reads by a promise, where the transport lends nothing. What comes after `take()` is its caller's. */
  #readOnce(): void {
    this.#reading = this.#transport.read();
    this.#reading.then((octets) => {
      if (this.#taken) return;
      this.#reading = undefined;
      if (octets === undefined) this.end(undefined);
      else if (this.data(octets)) this.#readOnce();
    }, (error) => {
      if (!this.#taken) this.end(error);
    });
  }
}

function endOfStream(): ConnectionError {
  return new ConnectionError("connection-lost", "server closed the connection unexpectedly", {
    phase: "ready",
    hint:
      "This probably means the server terminated abnormally before or while processing the request",
  });
}
