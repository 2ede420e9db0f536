import { MessageFormatError, ProtocolError } from "../errors.ts";
import { type BackendMessage, decodeBackend } from "../wire/backend.ts";
import { BACKEND, isBackendType } from "../wire/codes.ts";
import type { Deframer, Frame } from "../wire/deframer.ts";
import type { ReadingState } from "./client_state.ts";
import type { Outbox } from "./outbox.ts";
import { MAX_START_OCTETS, PHASES } from "./phases.ts";
import { notPostgresql, outOfPlace } from "./refusals.ts";

/** What a first message may be; another service's greeting may look like any other of PostgreSQL's. */
const FIRST_TYPES: readonly number[] = [
  BACKEND.AuthenticationRequest,
  BACKEND.NegotiateProtocolVersion,
  BACKEND.ErrorResponse,
];

/** The server's messages until ReadyForQuery: bounded, each in its place. */
export class Incoming {
  readonly #deframer: Deframer;
  readonly #outbox: Outbox;
  #octetsTaken = 0;

  /**
   * @param deframer What the server sent.
   * @param outbox Where messages are reported.
   */
  constructor(deframer: Deframer, outbox: Outbox) {
    this.#deframer = deframer;
    this.#outbox = outbox;
  }

  /**
   * The next message; undefined until all of it has come.
   *
   * @param state Says what may come.
   * @throws {ProtocolError} For a message that has no place there, and for more octets than any start-up takes.
   * @throws {MessageFormatError} If it is not the message it claims to be.
   */
  next(state: ReadingState): BackendMessage | undefined {
    const isFirst = state.at === "await-authentication" && !state.negotiated;
    // Judged by its first octet: another protocol's greeting may announce more than it ever sends.
    const type = this.#deframer.peek();
    if (type === undefined) return undefined;
    if (isFirst && !isBackendType(type)) throw notPostgresql();
    let frame: Frame | undefined;
    try {
      frame = this.#deframer.message(PHASES[state.at].limits);
      return frame && this.#accept(frame, state);
    } catch (error) {
      const isForeign = isFirst && error instanceof MessageFormatError &&
        (frame === undefined || !FIRST_TYPES.includes(type));
      throw isForeign ? notPostgresql(error) : error;
    }
  }

  #accept(frame: Frame, state: ReadingState): BackendMessage {
    const octets = octetsOf(frame);
    this.#octetsTaken += octets;
    if (this.#octetsTaken > MAX_START_OCTETS) {
      throw new ProtocolError(
        `Cannot take more than ${MAX_START_OCTETS} octets before ReadyForQuery`,
      );
    }
    const message = decodeBackend(frame);
    this.#outbox.received(message, octets);
    if (!PHASES[state.at].legal.includes(message.type)) throw outOfPlace(message, state);
    return message;
  }
}

/** With type octet and length word; an error of protocol 2 has a zero octet behind its text instead of the latter. */
function octetsOf({ body, legacy }: Frame): number {
  return body.length + (legacy === true ? 2 : 5);
}
