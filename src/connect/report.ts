import type { AttemptReport } from "../errors.ts";
import { attemptText } from "./connect_error.ts";

/** How a connection came about. Printed, it reads like libpq's message of several lines. */
export class ConnectReport {
  /** Every attempt in order; the last one is the session. */
  readonly attempts: readonly AttemptReport[];
  /** Milliseconds from the call of `connect()` to the session. */
  readonly durationMs: number;

  /**
   * Called by `connect()`.
   *
   * @param attempts Every attempt in order.
   * @param durationMs How long all of it took.
   */
  constructor(attempts: readonly AttemptReport[], durationMs: number) {
    this.attempts = attempts;
    this.durationMs = durationMs;
  }

  /** One line an attempt: where, then why it failed or how long it took. */
  toString(): string {
    return this.attempts.map(attemptText).join("\n");
  }
}
