import type { AttemptReport } from "../errors.ts";
import { attemptText } from "./connect_error.ts";

/** What a connection was spared by what those before it had learned. */
export interface Savings {
  /** SASLInitialResponse left together with StartupMessage, and that was right. */
  readonly earlySasl: boolean;
  /** The first query left before the server was ready for it. */
  readonly earlyQuery: boolean;
  /** SCRAM keys were there, or on their way for another connection, already. */
  readonly keysReused: boolean;
  /** Round trips fewer than without: to ReadyForQuery, or with a first query to its result. */
  readonly roundTrips: number;
}

/** One object for all sessions that were spared the same, by which of three things that is. */
const SAVINGS: Savings[] = [];

/** What a connection was spared. */
export function savings(earlySasl: boolean, earlyQuery: boolean, keysReused: boolean): Savings {
  const which = Number(earlySasl) + 2 * Number(earlyQuery) + 4 * Number(keysReused);
  return SAVINGS[which] ??= Object.freeze({
    earlySasl,
    earlyQuery,
    keysReused,
    roundTrips: Number(earlySasl) + Number(earlyQuery),
  });
}

/** How a connection came about. Printed, it reads like libpq's message of several lines. */
export class ConnectReport {
  /** Every attempt in order; the last one is the session. */
  readonly attempts: readonly AttemptReport[];
  /** Milliseconds from the call of `connect()` to the session. */
  readonly durationMs: number;
  /** What this connection was spared. */
  readonly saved: Savings;

  /**
   * Called by `connect()`.
   *
   * @param attempts Every attempt in order.
   * @param durationMs How long all of it took.
   * @param saved What it was spared; nothing unless given.
   */
  constructor(
    attempts: readonly AttemptReport[],
    durationMs: number,
    saved: Savings = savings(false, false, false),
  ) {
    // A list that was filled one by one has room for more.
    this.attempts = [...attempts];
    this.durationMs = durationMs;
    this.saved = saved;
  }

  /** One line an attempt: where, then why it failed or how long it took. */
  toString(): string {
    return this.attempts.map(attemptText).join("\n");
  }
}
