import type { Gate, GssEvidence } from "../auth/gate.ts";
import { PolicyError, ProtocolError } from "../errors.ts";
import { MAX_TOKEN_LENGTH } from "../wire/codes.ts";
import { type Agreed, agreed } from "./client_state.ts";
import type { Outbox } from "./outbox.ts";
import type { Answer, AnswerRequest } from "./step.ts";

/** Kerberos takes one token of the server, SPNEGO two or three; beyond this bound of ours nothing sensible is going on. */
const MAX_ROUNDS = 16;
/** The token's share of a GSSResponse: its length word counts itself. */
const MAX_TOKEN: number = MAX_TOKEN_LENGTH - 4;

/** Our library makes a token. `round` counts those it has made. */
export interface AwaitGssToken extends Agreed {
  readonly at: "await-gss-token";
  readonly method: GssEvidence["method"];
  readonly round: number;
}

/** The server is to send its next token. */
export interface GssContinue extends Agreed {
  readonly at: "gss-continue";
  readonly method: GssEvidence["method"];
  readonly round: number;
}

/** The context is complete on our side: AuthenticationOk is what may come. */
export interface GssComplete extends Agreed {
  readonly at: "gss-complete";
  readonly evidence: GssEvidence;
}

/** Begins the exchange that AuthenticationGSS or AuthenticationSSPI asked for. */
export function beginGss(state: Agreed, method: GssEvidence["method"]): AwaitGssToken {
  return { ...agreed(state), at: "await-gss-token", method, round: 0 };
}

/** Takes the server's token. */
export function continueGss(state: GssContinue): AwaitGssToken {
  const { method, round } = state;
  if (round >= MAX_ROUNDS) {
    throw new ProtocolError(
      `Cannot go on with GSSAPI: the server has sent ${MAX_ROUNDS} tokens without an end`,
      { phase: "authenticate" },
    );
  }
  return { ...agreed(state), at: "await-gss-token", method, round };
}

/** What our library is asked for. */
export function tokenRequest(
  state: AwaitGssToken,
  token: Uint8Array | undefined,
): Extract<AnswerRequest, { want: "gss-token" }> {
  const { method } = state;
  return {
    want: "gss-token",
    method,
    mechanism: method === "sspi" ? "negotiate" : "kerberos",
    token,
  };
}

/**
 * Sends our library's token. A complete context with nothing to say says nothing (libpq, pg_GSS_continue).
 *
 * @throws {PolicyError} `server-not-verified` if the context is complete and the server has not proved itself.
 * @throws {ProtocolError} If neither side has anything to say though the context is not complete.
 */
export function sendToken(
  state: AwaitGssToken,
  answer: Extract<Answer, { kind: "gss-token" }>,
  { gate, outbox }: { readonly gate: Gate; readonly outbox: Outbox },
): GssContinue | GssComplete {
  const { method, round } = state;
  const { token, complete, mutual } = answer;
  if (complete) gate.judgeContext({ method, complete, mutual });
  if (token.length === 0 && !complete) {
    throw new ProtocolError(
      "Cannot go on with GSSAPI: the context is not complete, and there is no token to send",
      { phase: "authenticate" },
    );
  }
  if (token.length > MAX_TOKEN) {
    throw new PolicyError(
      "auth-unsupported",
      `Cannot send the GSSAPI token: it has ${token.length} octets, a server takes ${MAX_TOKEN}`,
      { hint: "A ticket may hold too many groups of a Windows domain" },
    );
  }
  if (token.length > 0) outbox.send({ type: "GSSResponse", data: token });
  return complete
    ? { ...agreed(state), at: "gss-complete", evidence: { method, complete, mutual } }
    : { ...agreed(state), at: "gss-continue", method, round: round + 1 };
}
