import type { Admission, AuthPolicy, Challenge } from "../auth/gate.ts";
import type { ChannelFacts } from "../auth/channel.ts";
import type { OAuthDiscovery } from "../auth/oauth_discovery.ts";
import type { TokenStatus } from "../auth/oauthbearer.ts";
import type { ScramExchange, VerifiedServer } from "../auth/scram.ts";
import type { Encryption, PgHandshakeError, Phase } from "../errors.ts";
import type { CancelKey } from "./cancel_key.ts";
import { type EarlyQuery, type ExpectedRequest, type Guess, NO_GUESS } from "./early.ts";
import type { AwaitGssToken, GssComplete, GssContinue } from "./gss_exchange.ts";
import { PHASES, type ReadingPlace } from "./phases.ts";

/** What a client start-up needs to know; time, chance and secrets come from outside. */
export interface ClientConfig {
  /** How this connection becomes encrypted. */
  readonly encryption: Encryption;
  /** Whether `N` to SSLRequest means going on in plaintext on the same socket (sslmode=prefer). */
  readonly plaintextAfterRefusal: boolean;
  /**
   * How to go on, on the same socket, after `N` to GSSENCRequest (gssencmode=prefer); undefined fails with
   * `gss-refused`.
   */
  readonly afterGssRefusal?: "ssl-request" | "plain" | undefined;
  /** The parameters of StartupMessage, in the order they are sent; `user` among them. */
  readonly startup: readonly (readonly [string, string])[];
  /** The protocol version to ask for, major in the upper 16 bits. */
  readonly protocolVersion: number;
  /** The least protocol version to accept. */
  readonly minProtocolVersion: number;
  /** Everything the gate judges by. */
  readonly policy: AuthPolicy;
  /** The channel before any encryption. */
  readonly channel: ChannelFacts;
  /**
   * Fresh printable text without comma, used once: 18 octets of chance in base64, as libpq. A function is called when
   * SCRAM begins; many servers never ask for it.
   */
  readonly clientNonce: string | (() => string);
  /** Whether messages are reported by name. */
  readonly traced: boolean;
  /**
   * Whether events of the type `parameter` are left out, some fifteen a session: `finish` has the last value of every
   * parameter. They are reported unless this is true.
   */
  readonly parametersUnheard?: boolean | undefined;
  /**
   * What this server asked for last time; its answer then leaves together with StartupMessage. If it proves wrong the
   * machine fails with a {@link WrongGuess}. undefined guesses nothing.
   */
  readonly expected?: ExpectedRequest | undefined;
  /**
   * A statement to send together with our last message before AuthenticationOk, where the channel allows it. undefined
   * sends none.
   */
  readonly firstQuery?: EarlyQuery | undefined;
}

/** What a finished start-up knows. */
export interface SessionStart {
  /** The last value of every run-time parameter the server reported. */
  readonly parameters: ReadonlyMap<string, string>;
  /** The right to cancel; undefined if the server sent no BackendKeyData. */
  readonly cancelKey: CancelKey | undefined;
  /** The protocol version in force, major in the upper 16 bits. */
  readonly protocolVersion: number;
  /** How we authenticated, and whether that was bound to the channel. */
  readonly authentication: Admission;
  /** What ReadyForQuery said: idle, in a transaction, in a failed one. */
  readonly transactionStatus: "I" | "T" | "E";
  /** The channel the session runs over. */
  readonly channel: ChannelFacts;
  /** Octets that arrived behind ReadyForQuery; they belong to whoever reads next. */
  readonly leftover: Uint8Array;
  /** What AuthenticationSASL offered; empty if the server did not send it. */
  readonly offered: readonly string[];
  /** What left before the server asked for it. If the query was sent, its results come next. */
  readonly early: Early;
}

/** What left before the server asked for it. */
export interface Early {
  /** Whether SASLInitialResponse left together with StartupMessage. */
  readonly sasl: boolean;
  /** Whether the first query was sent; `held` may be sent with our next message. */
  readonly query: "none" | "held" | "sent";
}

/** What stays the same from StartupMessage on. */
export interface Agreed {
  readonly channel: ChannelFacts;
  readonly version: number;
  readonly offered: readonly string[];
  readonly early: Early;
}

/** Where the client is; replaced as a whole by every step. */
export type State =
  | { readonly at: "idle" }
  | { readonly at: "await-ssl-answer" }
  | { readonly at: "await-tls" }
  | { readonly at: "await-gss-answer" }
  | { readonly at: "await-gss" }
  | (
    & { readonly at: "await-authentication"; readonly negotiated: boolean; readonly guess: Guess }
    & Agreed
  )
  | ({ readonly at: "await-password"; readonly challenge: PasswordChallenge } & Agreed)
  | ({ readonly at: "await-verdict"; readonly method: VerdictMethod } & Agreed)
  | ({ readonly at: "await-token" } & Agreed)
  | ({ readonly at: "bearer-discovery" } & Agreed)
  | ({ readonly at: "bearer-found"; readonly discovery: OAuthDiscovery } & Agreed)
  | ({ readonly at: "bearer-sent" } & Agreed)
  | ({ readonly at: "bearer-refused"; readonly status: TokenStatus } & Agreed)
  | (
    & { readonly at: "sasl-continue"; readonly scram: ScramExchange; readonly guess: Guess }
    & Agreed
  )
  | ({ readonly at: "await-keys"; readonly scram: ScramExchange } & Agreed)
  | ({ readonly at: "sasl-final"; readonly scram: ScramExchange } & Agreed)
  | ({ readonly at: "sasl-complete"; readonly server: VerifiedServer } & Agreed)
  | AwaitGssToken
  | GssContinue
  | GssComplete
  | PrepareState
  | { readonly at: "finished" }
  | { readonly at: "failed"; readonly error: PgHandshakeError; readonly querySent: boolean };

/** A challenge that wants the password itself. */
export type PasswordChallenge = Extract<Challenge, { kind: "password" | "md5" | "crypt" }>;
/** The methods whose answer is one message, judged by the next. */
export type VerdictMethod = "password" | "md5" | "crypt" | "scm";
/** The states that wait for a message. */
export type ReadingState = Extract<State, { readonly at: ReadingPlace }>;

/** After AuthenticationOk. Only the gate makes an Admission, so no way past it leads here. */
export interface PrepareState extends Agreed {
  readonly at: "prepare";
  readonly admission: Admission;
  readonly parameters: ReadonlyMap<string, string>;
  readonly cancelKey: CancelKey | undefined;
}

/** Whether a state waits for a message. */
export function isReading(state: State): state is ReadingState {
  return state.at in PHASES;
}

/** The part of a state that every later one keeps. */
export function agreed(state: Agreed): Agreed {
  const { channel, version, offered, early } = state;
  return { channel, version, offered, early };
}

/** What was sent early and has not proved right yet. */
export function openGuess(state: State): Guess {
  return state.at === "await-authentication" || state.at === "sasl-continue"
    ? state.guess
    : NO_GUESS;
}

/** How far the conversation has come. */
export function phaseOf(state: State): Phase {
  switch (state.at) {
    case "idle":
    case "await-ssl-answer":
    case "await-gss-answer":
      return "negotiate";
    case "await-tls":
      return "tls";
    case "await-gss":
      return "gss";
    case "await-password":
    case "await-keys":
    case "await-token":
    case "await-gss-token":
      return "authenticate";
    case "finished":
      return "ready";
    case "failed":
      return state.error.phase;
    default:
      return PHASES[state.at].phase;
  }
}
