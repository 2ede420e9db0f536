import { ConnectionError, PgHandshakeError, UsageError } from "../errors.ts";

/** How it stands with a session. */
export type SessionState =
  | { readonly at: "open" }
  /** Terminate is on its way. */
  | { readonly at: "closing" }
  | { readonly at: "closed" }
  | { readonly at: "detached" }
  /** It ended by itself. `told`: a query or its caller has had the reason. */
  | { readonly at: "ended"; readonly reason: unknown; readonly told: boolean };

export const OPEN: SessionState = { at: "open" };
export const CLOSING: SessionState = { at: "closing" };
export const CLOSED: SessionState = { at: "closed" };
export const DETACHED: SessionState = { at: "detached" };

/** Why a session ended by itself; undefined if its owner ended it. */
export type SessionEnd = PgHandshakeError | undefined;

/**
 * Why a session ended, as its owner is told. Otherwise than by an error of ours it ends if a callback of the caller's
 * throws, as its state can no longer be told to anybody.
 */
export function endOf(reason: unknown): PgHandshakeError {
  return reason instanceof PgHandshakeError ? reason : new UsageError(
    "the session was closed: a callback threw",
    { phase: "ready", cause: reason },
  );
}

/**
 * What a call on a session that is not open fails with.
 *
 * @param call Its name.
 */
export function whyNotOpen(state: Exclude<SessionState, { at: "open" }>, call: string): unknown {
  switch (state.at) {
    case "closing":
    case "closed":
      return notOpen(call, "it is closed");
    case "detached":
      return notOpen(call, "it was handed over by detach()");
    case "ended":
      return state.told ? notOpen(call, "it ended", state.reason) : state.reason;
  }
}

/** What a query fails with that still runs when its session is closed. */
export function closedWhileRunning(): ConnectionError {
  return new ConnectionError("aborted", "the session was closed while the query ran", {
    phase: "ready",
  });
}

function notOpen(call: string, why: string, cause?: unknown): UsageError {
  const because = cause instanceof PgHandshakeError ? ` (${cause.message})` : "";
  return new UsageError(`Cannot ${call} on this session: ${why}${because}`, {
    code: "session-closed",
    phase: "ready",
    ...(cause === undefined ? {} : { cause }),
  });
}
