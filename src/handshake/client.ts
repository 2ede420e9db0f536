import { Gate } from "../auth/gate.ts";
import type { Admission } from "../auth/gate.ts";
import type { AuthenticationMessage } from "../wire/authentication.ts";
import type { ChannelFacts } from "../auth/channel.ts";
import { cryptPassword } from "../auth/des_crypt.ts";
import { md5Password } from "../auth/md5.ts";
import { ScramExchange, type ScramKeys } from "../auth/scram.ts";
import {
  type Encryption,
  locate,
  MessageFormatError,
  PgHandshakeError,
  type Phase,
  PolicyError,
  ProtocolError,
  UsageError,
} from "../errors.ts";
import { type BackendMessage, decodeBackend } from "../wire/backend.ts";
import { isBackendType } from "../wire/codes.ts";
import { Deframer, type Frame } from "../wire/deframer.ts";
import { encodeFrontend } from "../wire/frontend.ts";
import type { StartupMessage } from "../wire/startup.ts";
import { encodeText } from "../wire/text.ts";
import { onTokenStatus, sendBearer } from "./bearer.ts";
import {
  type Agreed,
  agreed,
  type ClientConfig,
  isReading,
  openGuess,
  type PasswordChallenge,
  phaseOf,
  type PrepareState,
  type ReadingState,
  type SessionStart,
  type State,
} from "./client_state.ts";
import {
  answers,
  endedGuess,
  guessAt,
  initialResponse,
  NO_GUESS,
  refusedGuess,
  WrongGuess,
} from "./early.ts";
import { endedInsteadOfAnswer, judgeSslAnswer, surplusOctets, tlsRefused } from "./encryption.ts";
import { endedInsteadOfGssAnswer, gssRefused, judgeGssAnswer } from "./gss_encryption.ts";
import { beginGss, continueGss, sendToken, tokenRequest } from "./gss_exchange.ts";
import { Outbox } from "./outbox.ts";
import { MAX_START_OCTETS, PHASES } from "./phases.ts";
import { prepare } from "./prepare.ts";
import { judgeProtocolVersion } from "./protocol_version.ts";
import { endedIn, notPostgresql, outOfPlace, serverError } from "./refusals.ts";
import type { Answer, Machine, Next, Step } from "./step.ts";
import { TokenWanted } from "./token_wanted.ts";

const READ: Next<never> = { do: "read" };
/** The type octet and the length word. */
const FRAME_HEADER = 5;
/** RFC 5802 section 7, `printable`; 512 leaves the server's half room in a SASLResponse. */
const NONCE = /^[\x21-\x2b\x2d-\x7e]{1,512}$/;

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
  readonly #startup: StartupMessage;
  readonly #startupOctets: Uint8Array;
  readonly #queryOctets: Uint8Array;
  #state: State = { at: "idle" };
  #encryption: Encryption;
  #octetsTaken = 0;

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
    // Mistakes of our caller show here, not in the middle of a conversation.
    const { protocolVersion: version, startup: parameters } = config;
    this.#startup = { type: "StartupMessage", version, parameters };
    this.#startupOctets = encodeFrontend(this.#startup);
    const query = config.firstQuery?.text;
    this.#queryOctets = query === undefined
      ? new Uint8Array(0)
      : encodeFrontend({ type: "Query", text: query });
    if (!NONCE.test(config.clientNonce)) {
      throw new UsageError(
        "Cannot use the client nonce: it must be 1 to 512 printable ASCII characters without a comma",
      );
    }
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

  /** The error of a connection that broke under the machine: a {@link WrongGuess} if that may be why. */
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
      // The answer to GSSENCRequest left nothing held, and what follows it is read by whoever encrypts.
      if (this.#state.at === "await-gss") return this.#startUp(channel);
      this.#expect("secured", "await-tls");
      if (this.#deframer.held > 0) throw surplusOctets(this.#deframer.held, "the TLS handshake");
      return this.#startUp(channel);
    });
  }

  answer(answer: Answer): Step<SessionStart> {
    return this.#step(() => {
      const state = this.#state;
      if (state.at === "await-password" && answer.kind === "password") {
        return this.#sendPassword(state, answer.password);
      }
      if (state.at === "await-keys" && answer.kind === "scram-keys") {
        return this.#sendProof(state, answer.keys);
      }
      if (state.at === "await-token" && answer.kind === "bearer-token") {
        this.#state = sendBearer(state, answer.token, this.#outbox);
        return this.#advance();
      }
      if (state.at === "await-gss-token" && answer.kind === "gss-token") {
        this.#state = sendToken(state, answer, this.#outbox);
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
    const { expected, firstQuery, clientNonce: nonce } = this.#config;
    const withQuery = firstQuery !== undefined &&
      (firstQuery.over === "any-channel" || this.#gate.trusts(channel));
    const guess = guessAt(channel, expected, { gate: this.#gate, nonce, withQuery });
    if (guess.kind === "scram") this.#outbox.send(initialResponse(guess.challenge, guess.scram));
    const early = { sasl: guess.kind === "scram", query: withQuery ? "held" : "none" } as const;
    const start: Agreed = { channel, version, offered: [], early };
    this.#state = {
      ...(guess.kind === "no-request" ? this.#withQuery(start) : start),
      at: "await-authentication",
      negotiated: false,
      guess,
    };
    return READ;
  }

  /** Lets the query that is held go, with our last message before AuthenticationOk. */
  #withQuery(state: Agreed): Agreed {
    const { firstQuery } = this.#config;
    if (firstQuery === undefined || state.early.query !== "held") return agreed(state);
    this.#outbox.sendEncoded(this.#queryOctets, { type: "Query", text: firstQuery.text });
    return { ...agreed(state), early: { ...state.early, query: "sent" } };
  }

  #advance(): Next<SessionStart> {
    for (;;) {
      const state = this.#state;
      if (state.at === "await-ssl-answer") {
        const next = this.#onSslAnswer();
        if (next !== undefined) return next;
        continue;
      }
      if (state.at === "await-gss-answer") return this.#onGssAnswer();
      if (!isReading(state)) {
        throw new UsageError(
          `Cannot go on: the machine is at "${state.at}", where it does not read`,
        );
      }
      const frame = this.#nextFrame(state);
      if (frame === undefined) return READ;
      this.#octetsTaken += frame.body.length + FRAME_HEADER;
      if (this.#octetsTaken > MAX_START_OCTETS) {
        throw new ProtocolError(
          `Cannot take more than ${MAX_START_OCTETS} octets before ReadyForQuery`,
        );
      }
      const message = decodeBackend(frame);
      this.#outbox.received(message, frame.body.length + FRAME_HEADER);
      if (!PHASES[state.at].legal.includes(message.type)) throw outOfPlace(message, state);
      const next = this.#onMessage(state, message);
      if (next !== undefined) return next;
    }
  }

  #nextFrame(state: ReadingState): Frame | undefined {
    const isFirst = state.at === "await-authentication" && !state.negotiated;
    // Judged by its first octet: another protocol's greeting may announce more than it ever sends.
    const type = this.#deframer.peek();
    if (isFirst && type !== undefined && !isBackendType(type)) throw notPostgresql();
    try {
      return this.#deframer.message(PHASES[state.at].limits);
    } catch (error) {
      if (isFirst && error instanceof MessageFormatError) throw notPostgresql(error);
      throw error;
    }
  }

  #onSslAnswer(): Next<SessionStart> | undefined {
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
    switch (state.at) {
      case "await-authentication":
        return this.#onFirstAnswer(state, message);
      case "await-verdict":
        return this.#onOk(state, this.#gate.admit({ method: state.method }));
      case "bearer-sent":
        if (message.type === "AuthenticationOk") {
          return this.#onOk(state, this.#gate.admit({ method: "oauth" }));
        }
        return this.#onTokenStatus(state, message);
      case "bearer-discovery":
        return this.#onTokenStatus(state, message);
      case "bearer-found":
      case "bearer-refused":
        throw outOfPlace(message, state);
      case "sasl-continue":
        return this.#onSaslContinue(state, message);
      case "sasl-final": {
        if (message.type !== "AuthenticationSASLFinal") throw outOfPlace(message, state);
        const server = state.scram.serverFinal(message.data);
        this.#state = { ...agreed(state), at: "sasl-complete", server };
        return undefined;
      }
      case "sasl-complete":
        return this.#onOk(
          state,
          this.#gate.admit({ method: "scram-sha-256", server: state.server }),
        );
      case "gss-continue": {
        if (message.type !== "AuthenticationGSSContinue") throw outOfPlace(message, state);
        const next = continueGss(state);
        this.#state = next;
        return { do: "answer", request: tokenRequest(next, message.data) };
      }
      case "gss-complete":
        return this.#onOk(state, this.#gate.admit(state.evidence));
      case "prepare":
        return this.#onPrepare(state, message);
    }
  }

  #onFirstAnswer(
    state: Extract<State, { at: "await-authentication" }>,
    message: BackendMessage,
  ): Next<SessionStart> | undefined {
    if (message.type === "NegotiateProtocolVersion") {
      if (state.negotiated) throw outOfPlace(message, state);
      const version = judgeProtocolVersion(message, {
        requested: state.version,
        least: this.#config.minProtocolVersion,
      });
      this.#state = { ...state, version, negotiated: true };
      return undefined;
    }
    const { guess } = state;
    if (message.type === "AuthenticationOk") {
      const admission = this.#gate.admit({ method: "none" });
      // A server that lets us in now takes our SASLInitialResponse for a message it does not know, and hangs up.
      if (guess.kind === "scram") throw new WrongGuess(guess, "it asked for nothing");
      return this.#onOk(state, admission);
    }
    // `legal` let only requests through; the gate knows each of them by name.
    const challenge = this.#gate.judgeRequest(message as AuthenticationMessage);
    const offered = message.type === "AuthenticationSASL" ? message.mechanisms : [];
    const asked: Agreed = { ...agreed(state), offered };
    if (guess.kind !== "none") {
      if (!answers(guess, challenge)) throw new WrongGuess(guess, `it sent ${message.type}`);
      this.#state = { ...asked, at: "sasl-continue", scram: guess.scram, guess };
      return undefined;
    }
    switch (challenge.kind) {
      case "scram":
        break;
      case "oauth":
        this.#state = { ...asked, at: "await-token" };
        return { do: "answer", request: { want: "bearer-token", method: "oauth" } };
      case "gss":
      case "sspi": {
        const next = beginGss(asked, challenge.kind);
        this.#state = next;
        return { do: "answer", request: tokenRequest(next, undefined) };
      }
      case "scm":
        this.#outbox.sendCredentials();
        this.#state = { ...asked, at: "await-verdict", method: "scm" };
        return undefined;
      default:
        this.#state = { ...asked, at: "await-password", challenge };
        return { do: "answer", request: { want: "password", method: challenge.kind } };
    }
    const scram = new ScramExchange({ ...challenge, nonce: this.#config.clientNonce });
    this.#outbox.send(initialResponse(challenge, scram));
    this.#state = { ...asked, at: "sasl-continue", scram, guess: NO_GUESS };
    return undefined;
  }

  #onTokenStatus(
    state: Extract<State, { at: "bearer-sent" | "bearer-discovery" }>,
    message: BackendMessage,
  ): undefined {
    if (message.type !== "AuthenticationSASLContinue") throw outOfPlace(message, state);
    const means = { gate: this.#gate, outbox: this.#outbox };
    this.#state = onTokenStatus(state, message.data, means);
    return undefined;
  }

  #onSaslContinue(
    state: Extract<State, { at: "sasl-continue" }>,
    message: BackendMessage,
  ): Next<SessionStart> {
    if (message.type !== "AuthenticationSASLContinue") throw outOfPlace(message, state);
    const first = state.scram.serverFirst(message.data);
    this.#gate.judgeScramFirst(first);
    this.#state = { ...agreed(state), at: "await-keys", scram: state.scram };
    return {
      do: "answer",
      request: { want: "scram-keys", method: "scram-sha-256", ...first },
    };
  }

  #sendPassword(
    state: Extract<State, { at: "await-password" }>,
    password: Uint8Array,
  ): Next<SessionStart> {
    const { challenge } = state;
    if (password.length === 0) {
      throw new PolicyError(
        "password-missing",
        "Cannot answer the password request: the password is empty, and PostgreSQL refuses empty passwords",
      );
    }
    this.#outbox.send({
      type: "PasswordMessage",
      password: passwordAnswer(challenge, password, this.#user()),
    });
    this.#state = { ...this.#withQuery(state), at: "await-verdict", method: challenge.kind };
    return this.#advance();
  }

  #sendProof(state: Extract<State, { at: "await-keys" }>, keys: ScramKeys): Next<SessionStart> {
    this.#outbox.send({ type: "SASLResponse", data: state.scram.clientFinal(keys) });
    this.#state = { ...this.#withQuery(state), at: "sasl-final", scram: state.scram };
    return this.#advance();
  }

  #onOk(state: Agreed, admission: Admission): undefined {
    this.#state = {
      ...agreed(state),
      at: "prepare",
      admission,
      parameters: new Map(),
      cancelKey: undefined,
    };
    return undefined;
  }

  #onPrepare(state: PrepareState, message: BackendMessage): Next<SessionStart> | undefined {
    if (message.type !== "ReadyForQuery") {
      this.#state = prepare(state, message, this.#outbox);
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

  #user(): string {
    return this.#config.startup.find(([name]) => name === "user")?.[1] ?? "";
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

function passwordAnswer(
  challenge: PasswordChallenge,
  password: Uint8Array,
  user: string,
): Uint8Array {
  switch (challenge.kind) {
    case "password":
      return password;
    case "md5":
      return md5Password(password, encodeText(user, "user"), challenge.salt);
    case "crypt":
      return cryptPassword(password, challenge.salt);
  }
}
