import { ConfigError, ConnectionError, type PgHandshakeError } from "../errors.ts";
import { TokenWanted } from "../handshake/token_wanted.ts";
import { WrongGuess } from "../handshake/early.ts";
import type { Outcome } from "../plan/moves.ts";

/** What the plan must know of an attempt that failed. */
export function outcomeOf(
  error: PgHandshakeError,
  facts: Pick<
    Outcome,
    | "tlsInUse"
    | "gssInUse"
    | "gssRefused"
    | "credentialsSent"
    | "sawAuthRequest"
    | "statementSent"
  >,
): Outcome {
  const known = { phase: error.phase, ...facts };
  if (error instanceof TokenWanted) return { ...known, error: "token-wanted" };
  if (error instanceof WrongGuess) return { ...known, error: "wrong-guess" };
  if (error.code === "server-error") {
    return { ...known, error: "server", sqlState: error.sqlState };
  }
  if (error instanceof ConfigError || !(error instanceof ConnectionError)) {
    return { ...known, error: "other" };
  }
  switch (error.code) {
    case "name-not-found":
      return { ...known, error: "resolve" };
    case "dial-failed":
      return { ...known, error: "dial" };
    case "timeout":
      return { ...known, error: "timeout" };
    case "tls-failed":
      // An alert after the handshake ends the connection like any other end: plaintext is no answer to it (as in libpq).
      return { ...known, error: facts.tlsInUse ? "closed" : "tls-failed" };
    case "connection-lost":
      return { ...known, error: "closed" };
    case "gss-refused":
      return { ...known, error: "gss-refused" };
    case "gss-failed":
      // In authentication it is an end like any other: no channel makes up for a missing ticket.
      return { ...known, error: error.phase === "gss" ? "gss-failed" : "other" };
    case "session-attrs":
      return { ...known, error: "session-attrs" };
    // `tls-refused` among them: under prefer `N` goes on on the same socket, so what ends here is an error in place of
    // an answer, after which libpq does not try plaintext either.
    default:
      return { ...known, error: "other" };
  }
}
