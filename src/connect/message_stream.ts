import { ConnectionError, locate, MessageFormatError, ProtocolError } from "../errors.ts";
import { describeBackend, describeFrontend } from "../handshake/describe.ts";
import type { Transport } from "../transport/transport.ts";
import { type BackendMessage, decodeBackend } from "../wire/backend.ts";
import { Deframer } from "../wire/deframer.ts";
import { encodeFrontend, type FrontendMessage } from "../wire/frontend.ts";
import { SESSION_LIMITS } from "../wire/limits.ts";
import type { ConnectEventKind } from "./options.ts";

/** The messages of an open session, both ways, over its transport. */
export class MessageStream {
  readonly #transport: Transport;
  readonly #deframer = new Deframer();
  readonly #emit: ((event: ConnectEventKind) => void) | undefined;

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
      const message = this.#held();
      if (message !== undefined) return message;
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

  /** Takes out what was read and not used. */
  take(): Uint8Array {
    return this.#deframer.take();
  }

  #held(): BackendMessage | undefined {
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
}
