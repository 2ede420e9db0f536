import { cryptPassword } from "../auth/des_crypt.ts";
import type { Admission, Gate } from "../auth/gate.ts";
import { md5Password } from "../auth/md5.ts";
import { ScramExchange } from "../auth/scram.ts";
import { PolicyError } from "../errors.ts";
import type { AuthenticationMessage } from "../wire/authentication.ts";
import type { BackendMessage } from "../wire/backend.ts";
import { encodeText } from "../wire/text.ts";
import { onTokenStatus, sendBearer } from "./bearer.ts";
import {
  type Agreed,
  agreed,
  type ClientConfig,
  type PasswordChallenge,
  type ReadingState,
  type State,
} from "./client_state.ts";
import { answers, initialResponse, NO_GUESS, WrongGuess } from "./early.ts";
import { beginGss, continueGss, sendToken, tokenRequest } from "./gss_exchange.ts";
import type { Outbox } from "./outbox.ts";
import { judgeProtocolVersion } from "./protocol_version.ts";
import { nonceOf } from "./nonce.ts";
import { outOfPlace, repeated } from "./refusals.ts";
import type { Answer, Next } from "./step.ts";

/** What authenticating needs besides the state. */
export interface AuthenticationMeans {
  readonly gate: Gate;
  readonly outbox: Outbox;
  readonly config: ClientConfig;
}

/** Where a message leads: the next state, and what the caller does; the next message is taken if it is nothing. */
export interface Move {
  readonly state: State;
  readonly next?: Next<never>;
}

/** The states between StartupMessage and AuthenticationOk that wait for a message. */
export type AuthenticatingState = Exclude<ReadingState, { readonly at: "prepare" }>;

/**
 * Takes one message between StartupMessage and AuthenticationOk, errors excepted.
 *
 * @throws {ProtocolError} If it has no place there; {@link WrongGuess} if what was sent early was no answer to it.
 * @throws {PolicyError} If what it asks for may not be answered.
 */
export function onAuthentication(
  state: AuthenticatingState,
  message: BackendMessage,
  means: AuthenticationMeans,
): Move {
  const { gate } = means;
  switch (state.at) {
    case "await-authentication":
      return onFirstAnswer(state, message, means);
    case "await-verdict":
      return admitted(state, gate.admit({ method: state.method }));
    case "bearer-sent":
      if (message.type === "AuthenticationOk") {
        return admitted(state, gate.admit({ method: "oauth" }));
      }
      return tokenStatus(state, message, means);
    case "bearer-discovery":
      return tokenStatus(state, message, means);
    case "bearer-found":
    case "bearer-refused":
      throw outOfPlace(message, state);
    case "sasl-continue": {
      if (message.type !== "AuthenticationSASLContinue") throw outOfPlace(message, state);
      const first = state.scram.serverFirst(message.data);
      gate.judgeScramFirst(first);
      return {
        state: { ...agreed(state), at: "await-keys", scram: state.scram },
        next: {
          do: "answer",
          request: { want: "scram-keys", method: "scram-sha-256", ...first },
        },
      };
    }
    case "sasl-final": {
      if (message.type !== "AuthenticationSASLFinal") throw outOfPlace(message, state);
      const server = state.scram.serverFinal(message.data);
      return { state: { ...agreed(state), at: "sasl-complete", server } };
    }
    case "sasl-complete":
      return admitted(state, gate.admit({ method: "scram-sha-256", server: state.server }));
    case "gss-continue": {
      if (message.type !== "AuthenticationGSSContinue") throw outOfPlace(message, state);
      const next = continueGss(state);
      return { state: next, next: { do: "answer", request: tokenRequest(next, message.data) } };
    }
    case "gss-complete":
      return admitted(state, gate.admit(state.evidence));
  }
}

/**
 * Sends what was asked for.
 *
 * @returns The state that waits for the server's next message; undefined if this answer was not asked for.
 * @throws {PolicyError} If a password is empty.
 */
export function onAnswer(
  state: State,
  answer: Answer,
  means: AuthenticationMeans,
): State | undefined {
  const { outbox } = means;
  if (state.at === "await-password" && answer.kind === "password") {
    const { challenge } = state;
    const password = passwordAnswer(challenge, answer.password, means);
    outbox.send({ type: "PasswordMessage", password });
    return { ...withQuery(state, means), at: "await-verdict", method: challenge.kind };
  }
  if (state.at === "await-keys" && answer.kind === "scram-keys") {
    outbox.send({ type: "SASLResponse", data: state.scram.clientFinal(answer.keys) });
    return { ...withQuery(state, means), at: "sasl-final", scram: state.scram };
  }
  if (state.at === "await-token" && answer.kind === "bearer-token") {
    return sendBearer(state, answer.token, outbox);
  }
  if (state.at === "await-gss-token" && answer.kind === "gss-token") {
    return sendToken(state, answer, means);
  }
  return undefined;
}

/** Lets the query that is held go, with our last message before AuthenticationOk. */
export function withQuery(state: Agreed, { config, outbox }: AuthenticationMeans): Agreed {
  const { firstQuery } = config;
  if (firstQuery === undefined || state.early.query !== "held") return agreed(state);
  outbox.send({ type: "Query", text: firstQuery.text });
  return { ...agreed(state), early: { ...state.early, query: "sent" } };
}

function onFirstAnswer(
  state: Extract<State, { at: "await-authentication" }>,
  message: BackendMessage,
  means: AuthenticationMeans,
): Move {
  const { gate, outbox, config } = means;
  if (message.type === "NegotiateProtocolVersion") {
    if (state.negotiated) throw repeated(message, state);
    const version = judgeProtocolVersion(message, {
      requested: state.version,
      least: config.minProtocolVersion,
    });
    return { state: { ...state, version, negotiated: true } };
  }
  const { guess } = state;
  if (message.type === "AuthenticationOk") {
    const admission = gate.admit({ method: "none" });
    // A server that lets us in now takes our SASLInitialResponse for a message it does not know, and hangs up.
    if (guess.kind === "scram") throw new WrongGuess(guess, "it asked for nothing");
    return admitted(state, admission);
  }
  // `legal` let only requests through; the gate knows each of them by name.
  const challenge = gate.judgeRequest(message as AuthenticationMessage);
  const offered = message.type === "AuthenticationSASL" ? message.mechanisms : [];
  const asked: Agreed = { ...agreed(state), offered };
  if (guess.kind !== "none") {
    if (!answers(guess, challenge)) throw new WrongGuess(guess, `it sent ${message.type}`);
    return { state: { ...asked, at: "sasl-continue", scram: guess.scram, guess } };
  }
  switch (challenge.kind) {
    case "scram": {
      const scram = new ScramExchange({ ...challenge, nonce: nonceOf(config) });
      outbox.send(initialResponse(challenge, scram));
      return { state: { ...asked, at: "sasl-continue", scram, guess: NO_GUESS } };
    }
    case "oauth":
      return {
        state: { ...asked, at: "await-token" },
        next: { do: "answer", request: { want: "bearer-token", method: "oauth" } },
      };
    case "gss":
    case "sspi": {
      const next = beginGss(asked, challenge.kind);
      return { state: next, next: { do: "answer", request: tokenRequest(next, undefined) } };
    }
    case "scm":
      outbox.sendCredentials();
      return { state: { ...asked, at: "await-verdict", method: "scm" } };
    default:
      return {
        state: { ...asked, at: "await-password", challenge },
        next: { do: "answer", request: { want: "password", method: challenge.kind } },
      };
  }
}

function tokenStatus(
  state: Extract<State, { at: "bearer-sent" | "bearer-discovery" }>,
  message: BackendMessage,
  { gate, outbox }: AuthenticationMeans,
): Move {
  if (message.type !== "AuthenticationSASLContinue") throw outOfPlace(message, state);
  return { state: onTokenStatus(state, message.data, { gate, outbox }) };
}

function admitted(state: Agreed, admission: Admission): Move {
  return {
    state: {
      ...agreed(state),
      at: "prepare",
      admission,
      parameters: new Map(),
      cancelKey: undefined,
    },
  };
}

function passwordAnswer(
  challenge: PasswordChallenge,
  password: Uint8Array,
  { config }: AuthenticationMeans,
): Uint8Array {
  if (password.length === 0) {
    throw new PolicyError(
      "password-missing",
      "Cannot answer the password request: the password is empty, and PostgreSQL refuses empty passwords",
    );
  }
  switch (challenge.kind) {
    case "password":
      return password;
    case "md5": {
      const user = config.startup.find(([name]) => name === "user")?.[1] ?? "";
      return md5Password(password, encodeText(user, "user"), challenge.salt);
    }
    case "crypt":
      return cryptPassword(password, challenge.salt);
  }
}
