import type { ChannelFacts } from "../auth/channel.ts";
import { Gate } from "../auth/gate.ts";
import {
  type Encryption,
  locate,
  MessageFormatError,
  PgHandshakeError,
  type Phase,
  ProtocolError,
  UsageError,
} from "../errors.ts";
import type { BackendMessage } from "../wire/backend.ts";
import { Deframer } from "../wire/deframer.ts";
import { encodeFrontend } from "../wire/frontend.ts";
import type { StartupMessage } from "../wire/startup.ts";
import {
  type AuthenticationMeans,
  onAnswer,
  onAuthentication,
  withQuery as withHeldQuery,
} from "./authentication.ts";
import {
  type Agreed,
  type ClientConfig,
  isReading,
  openGuess,
  phaseOf,
  type PrepareState,
  type ReadingState,
  type SessionStart,
  type State,
} from "./client_state.ts";
import { endedGuess, guessAt, initialResponse, refusedGuess } from "./early.ts";
import { endedInsteadOfAnswer, judgeSslAnswer, tlsRefused } from "./encryption.ts";
import { endedInsteadOfGssAnswer, gssRefused, judgeGssAnswer } from "./gss_encryption.ts";
import { Incoming } from "./incoming.ts";
import { Outbox } from "./outbox.ts";
import { checkNonce, nonceOf } from "./nonce.ts";
import { prepare } from "./prepare.ts";
import { checkSecured, endedIn, serverError } from "./refusals.ts";
import type { Answer, Machine, Next, Step } from "./step.ts";
import { TokenWanted } from "./token_wanted.ts";

const READ: Next<never> = { do: "read" };
/** The server has our half of the nonce; with its own come salt and iteration count. */
const READ_BEFORE_KEYS: Next<never> = { do: "read", soon: "scram-keys" };

/**
 * The client's side of start-up, from the first octet to ReadyForQuery, as PostgreSQL's manual describes it
 * (54.2.1 Start-Up, 54.2.10 SSL Session Encryption, 54.3 SASL Authentication).
 *
 * @example
 * ```ts
 * let step = machine.start();
 * while (step.next.do === "read") {
 *   await socket.write(step.send);
 *   step = machine.receive(await socket.read());
 * }
 * ```
 */
export class ClientHandshake implements Machine<SessionStart> {
  readonly #config: ClientConfig;
  readonly #gate: Gate;
  readonly #deframer = new Deframer();
  readonly #outbox: Outbox;
  readonly #incoming: Incoming;
  readonly #startup: StartupMessage;
  readonly #startupOctets: Uint8Array;
  readonly #means: AuthenticationMeans;
  #state: State = { at: "idle" };
  #encryption: Encryption;

  /**
   * Makes a machine for one connection.
   *
   * @param config Everything but secrets.
   * @throws {ConfigError} If the policies contradict each other.
   * @throws {UsageError} If StartupMessage cannot be made of `startup`, or the nonce or the query is none.
   */
  constructor(config: ClientConfig) {
    this.#config = config;
    this.#encryption = config.encryption;
    this.#gate = new Gate(config.policy);
    this.#outbox = new Outbox(config.traced);
    this.#incoming = new Incoming(this.#deframer, this.#outbox);
    // Mistakes of our caller show here, not in the middle of a conversation.
    const { protocolVersion: version, startup: parameters } = config;
    this.#startup = { type: "StartupMessage", version, parameters };
    this.#startupOctets = encodeFrontend(this.#startup);
    const query = config.firstQuery?.text;
    if (query !== undefined) encodeFrontend({ type: "Query", text: query });
    this.#means = { gate: this.#gate, outbox: this.#outbox, config };
    if (typeof config.clientNonce === "string") checkNonce(config.clientNonce);
  }

  /** How far the conversation has come, for errors of the caller's own (time, sockets). */
  get phase(): Phase {
    return phaseOf(this.#state);
  }

  /** How the connection becomes encrypted: as configured, or as it went on after `N` to GSSENCRequest. */
  get encryption(): Encryption {
    return this.#encryption;
  }

  /** Whether the first query has been sent: it may have been run, whatever became of the connection. */
  get querySent(): boolean {
    const state = this.#state;
    return state.at === "failed"
      ? state.querySent
      : "early" in state && state.early.query === "sent";
  }

  /** Whether something was sent that the server did not ask for, and it has not answered that yet. */
  get isGuessing(): boolean {
    return openGuess(this.#state).kind !== "none";
  }

  /** The error of a connection that broke under the machine: a `WrongGuess` if that may be why. */
  explain(end: PgHandshakeError): PgHandshakeError {
    return endedGuess(openGuess(this.#state), end);
  }

  start(): Step<SessionStart> {
    return this.#step(() => {
      this.#expect("start", "idle");
      return this.#begin();
    });
  }

  receive(octets: Uint8Array): Step<SessionStart> {
    return this.#step(() => {
      this.#expectReading("receive");
      this.#deframer.push(octets);
      return this.#advance();
    });
  }

  receiveEnd(): Step<SessionStart> {
    return this.#step(() => {
      const state = this.#expectReading("receiveEnd");
      if (state.at === "await-ssl-answer") throw endedInsteadOfAnswer();
      if (state.at === "await-gss-answer") throw endedInsteadOfGssAnswer();
      if (state.at === "bearer-found") throw new TokenWanted(state.discovery);
      throw endedGuess(openGuess(state), endedIn(state, this.#deframer));
    });
  }

  secured(channel: ChannelFacts): Step<SessionStart> {
    return this.#step(() => {
      const at = this.#state.at === "await-gss" ? "await-gss" : "await-tls";
      this.#expect("secured", at);
      checkSecured(channel, at);
      return this.#startUp(channel);
    });
  }

  answer(answer: Answer): Step<SessionStart> {
    return this.#step(() => {
      const state = this.#state;
      const next = onAnswer(state, answer, this.#means);
      if (next !== undefined) {
        this.#state = next;
        return this.#advance();
      }
      throw new UsageError(
        `Cannot take an answer of kind "${answer.kind}" now: the machine is at "${state.at}"`,
      );
    });
  }

  /** Runs one call; what the peer caused ends in `fail`, what our caller caused is thrown. */
  #step(run: () => Next<SessionStart>): Step<SessionStart> {
    if (this.#state.at === "failed") {
      return this.#outbox.step({ do: "fail", error: this.#state.error });
    }
    try {
      return this.#outbox.step(run());
    } catch (error) {
      if (!(error instanceof PgHandshakeError) || error instanceof UsageError) throw error;
      if (error instanceof MessageFormatError || error instanceof ProtocolError) {
        locate(error, phaseOf(this.#state));
      }
      this.#state = { at: "failed", error, querySent: this.querySent };
      return this.#outbox.step({ do: "fail", error });
    }
  }

  /** Sends what begins the encryption in use. */
  #begin(): Next<SessionStart> {
    switch (this.#encryption) {
      case "plain":
        return this.#startUp(this.#config.channel);
      case "ssl-request":
        this.#outbox.send({ type: "SSLRequest" });
        this.#state = { at: "await-ssl-answer" };
        return READ;
      case "direct-tls":
        this.#state = { at: "await-tls" };
        return { do: "start-tls" };
      case "gss-request":
        this.#outbox.send({ type: "GSSENCRequest" });
        this.#state = { at: "await-gss-answer" };
        return READ;
    }
  }

  #startUp(channel: ChannelFacts): Next<SessionStart> {
    this.#gate.judgeChannel(channel);
    const { version } = this.#startup;
    this.#outbox.sendEncoded(this.#startupOctets, this.#startup);
    const { expected, firstQuery } = this.#config;
    const withQuery = firstQuery !== undefined &&
      (firstQuery.over === "any-channel" || this.#gate.trusts(channel));
    const guess = guessAt(channel, expected, {
      gate: this.#gate,
      nonce: () => nonceOf(this.#config),
      withQuery,
    });
    if (guess.kind === "scram") this.#outbox.send(initialResponse(guess.challenge, guess.scram));
    const early = { sasl: guess.kind === "scram", query: withQuery ? "held" : "none" } as const;
    const start: Agreed = { channel, version, offered: [], early };
    this.#state = {
      ...(guess.kind === "no-request" ? withHeldQuery(start, this.#means) : start),
      at: "await-authentication",
      negotiated: false,
      guess,
    };
    return READ;
  }

  #advance(): Next<SessionStart> {
    for (;;) {
      const state = this.#state;
      if (state.at === "await-ssl-answer") return this.#onSslAnswer();
      if (state.at === "await-gss-answer") return this.#onGssAnswer();
      if (!isReading(state)) {
        throw new UsageError(
          `Cannot go on: the machine is at "${state.at}", where it does not read`,
        );
      }
      const message = this.#incoming.next(state);
      if (message === undefined) return state.at === "sasl-continue" ? READ_BEFORE_KEYS : READ;
      const next = this.#onMessage(state, message);
      if (next !== undefined) return next;
    }
  }

  #onSslAnswer(): Next<SessionStart> {
    const answer = judgeSslAnswer(this.#deframer);
    if (answer === undefined) return READ;
    this.#outbox.receivedAnswer(answer);
    if (answer === "S") {
      this.#state = { at: "await-tls" };
      return { do: "start-tls" };
    }
    if (!this.#config.plaintextAfterRefusal) throw tlsRefused();
    return this.#startUp(this.#config.channel);
  }

  #onGssAnswer(): Next<SessionStart> {
    const answer = judgeGssAnswer(this.#deframer);
    if (answer === undefined) return READ;
    this.#outbox.receivedAnswer(answer, "GSSENCResponse");
    if (answer === "G") {
      this.#state = { at: "await-gss" };
      return { do: "start-gss" };
    }
    const { afterGssRefusal } = this.#config;
    if (afterGssRefusal === undefined) throw gssRefused();
    this.#encryption = afterGssRefusal;
    return this.#begin();
  }

  #onMessage(state: ReadingState, message: BackendMessage): Next<SessionStart> | undefined {
    if (message.type === "ErrorResponse") {
      // Whatever it says: the server ends a connection that sent no token, and what it was made for is known.
      if (state.at === "bearer-found") throw new TokenWanted(state.discovery);
      throw refusedGuess(openGuess(state), serverError(state, message.fields));
    }
    if (state.at === "prepare") return this.#onPrepare(state, message);
    const move = onAuthentication(state, message, this.#means);
    this.#state = move.state;
    return move.next;
  }

  #onPrepare(state: PrepareState, message: BackendMessage): Next<SessionStart> | undefined {
    if (message.type !== "ReadyForQuery") {
      this.#state = prepare(state, message, this.#means);
      return undefined;
    }
    this.#state = { at: "finished" };
    return {
      do: "finish",
      result: {
        parameters: state.parameters,
        cancelKey: state.cancelKey,
        protocolVersion: state.version,
        authentication: state.admission,
        transactionStatus: message.status,
        channel: state.channel,
        leftover: this.#deframer.take(),
        offered: state.offered,
        early: state.early,
      },
    };
  }

  #expect(call: string, place: State["at"]): void {
    if (this.#state.at !== place) {
      throw new UsageError(
        `Cannot call ${call}(): the machine is at "${this.#state.at}", not at "${place}"`,
      );
    }
  }

  #expectReading(
    call: string,
  ): ReadingState | Extract<State, { at: "await-ssl-answer" | "await-gss-answer" }> {
    const state = this.#state;
    if (state.at === "await-ssl-answer" || state.at === "await-gss-answer" || isReading(state)) {
      return state;
    }
    throw new UsageError(
      `Cannot call ${call}(): the machine is at "${state.at}", where it does not read`,
    );
  }
}
