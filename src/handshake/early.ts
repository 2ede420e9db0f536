import type { ChannelFacts } from "../auth/channel.ts";
import type { Challenge, Gate, ScramChallenge } from "../auth/gate.ts";
import { equalOctets } from "../auth/constant_time.ts";
import { ScramExchange } from "../auth/scram.ts";
import { type PgHandshakeError, ProtocolError } from "../errors.ts";
import type { FrontendMessage } from "../wire/frontend.ts";
import type { ServerError } from "./server_error.ts";

/**
 * What a server asked for when the same user last came to the same database the same way. Never more than a guess about
 * what it asks for next: the gate judges what really comes.
 */
export interface ExpectedRequest {
  /** The channel it was asked over; over another one nothing is guessed. */
  readonly channel: ChannelFacts["kind"];
  /** What AuthenticationSASL offered; empty if nothing was asked for (`trust`, `cert`, `peer`). */
  readonly mechanisms: readonly string[];
}

/** A statement that may leave before the server has said that it is ready. */
export interface EarlyQuery {
  /** One or more statements, as Query takes them. */
  readonly text: string;
  /**
   * Over which channel it may leave before the server has proved that it knows the password: one that tells who is at
   * its end (TLS verified up to the name, a Unix socket, loopback), or any.
   */
  readonly over: "trusted-channel" | "any-channel";
}

/** What is sent before the server asks for it. */
export type Guess =
  | { readonly kind: "none" }
  /** Query, right behind StartupMessage: the server will ask for nothing. */
  | { readonly kind: "no-request" }
  /** SASLInitialResponse, right behind StartupMessage. */
  | { readonly kind: "scram"; readonly challenge: ScramChallenge; readonly scram: ScramExchange };

/** Nothing was guessed, or the guess has proved right. */
export const NO_GUESS: Guess = { kind: "none" };

/**
 * The server did not ask for what it asked for last time. Neither side is at fault and nothing secret was sent, but
 * this connection is of no use: connect again, without a guess.
 */
export class WrongGuess extends ProtocolError {
  /**
   * Says what was expected and what came.
   *
   * @param guess What was sent early.
   * @param came What the server did, as the second half of a sentence.
   * @param cause The error it would have been without a guess.
   */
  constructor(guess: Guess, came: string, cause?: PgHandshakeError) {
    super(
      `Cannot go on with this connection: as the last time, the server was expected to ask for ${
        guess.kind === "scram" ? guess.challenge.mechanism : "nothing"
      }, but ${came}`,
      cause === undefined ? {} : { cause },
    );
  }
}

/** What can be sent together with StartupMessage. */
export function guessAt(
  channel: ChannelFacts,
  expected: ExpectedRequest | undefined,
  means: { readonly gate: Gate; readonly nonce: () => string; readonly withQuery: boolean },
): Guess {
  if (expected === undefined || expected.channel !== channel.kind) return NO_GUESS;
  const { mechanisms } = expected;
  if (mechanisms.length === 0) return means.withQuery ? { kind: "no-request" } : NO_GUESS;
  const challenge = means.gate.foresee({ type: "AuthenticationSASL", mechanisms });
  if (challenge?.kind !== "scram") return NO_GUESS;
  const scram = new ScramExchange({ ...challenge, nonce: means.nonce() });
  return { kind: "scram", challenge, scram };
}

/** The answer to AuthenticationSASL. */
export function initialResponse(
  { mechanism }: Pick<ScramChallenge, "mechanism">,
  scram: ScramExchange,
): FrontendMessage {
  return { type: "SASLInitialResponse", mechanism, data: scram.clientFirst() };
}

/** Whether what was sent early answers what the server then asked for, to the last octet. */
export function answers(
  guess: Guess,
  challenge: Challenge,
): guess is Extract<Guess, { kind: "scram" }> {
  return guess.kind === "scram" && challenge.kind === "scram" &&
    guess.challenge.mechanism === challenge.mechanism &&
    guess.challenge.gs2Header === challenge.gs2Header &&
    equalOctets(guess.challenge.bindingData, challenge.bindingData);
}

/**
 * The error of a refusal while a guess is open: what PostgreSQL and its poolers say of a message they did not expect
 * (class 08, connection exceptions), or of a mechanism they do not have (0A000), may be about the guess.
 */
export function refusedGuess(guess: Guess, refusal: ServerError): PgHandshakeError {
  const mayBeAboutIt = /^(08...|0A000)$/.test(refusal.sqlState);
  return guess.kind === "none" || !mayBeAboutIt
    ? refusal
    : new WrongGuess(guess, "it refused to go on", refusal);
}

/**
 * The error of a stream that ends while a guess is open. A statement that was sent early may have been run before the
 * end, so then the guess is no excuse to try again.
 */
export function endedGuess(guess: Guess, end: PgHandshakeError): PgHandshakeError {
  return guess.kind === "scram" ? new WrongGuess(guess, "the connection ended", end) : end;
}
