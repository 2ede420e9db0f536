import {
  ConnectionError,
  type MessageFormatError,
  type PgHandshakeError,
  ProtocolError,
  UsageError,
} from "../errors.ts";
import type { ChannelFacts } from "../auth/channel.ts";
import type { BackendMessage } from "../wire/backend.ts";
import { PROTOCOL_3_0 } from "../wire/codes.ts";
import type { Deframer } from "../wire/deframer.ts";
import { adviceOnRefusal } from "./bearer.ts";
import type { NoticeFields } from "../wire/notice.ts";
import { phaseOf, type ReadingState } from "./client_state.ts";
import { AFTER_CREDENTIALS, PHASES } from "./phases.ts";
import { ServerError } from "./server_error.ts";

/** The error for a message that has no place in a state. */
export function outOfPlace(message: BackendMessage, state: ReadingState): ProtocolError {
  const { legal, phase } = PHASES[state.at];
  return new ProtocolError(
    `Cannot take ${message.type} now: expected ${legal.join(", ")}`,
    { phase },
  );
}

/** The error for a message that came before and may come once. */
export function repeated(message: BackendMessage, state: ReadingState): ProtocolError {
  return new ProtocolError(
    `Cannot take ${message.type} now: it has come before, once is the limit`,
    { phase: PHASES[state.at].phase },
  );
}

/**
 * Makes sure that a channel is what was to be set up: a plain one may be legal, but is nobody's answer to that.
 *
 * @throws {UsageError} If it is of another kind.
 */
export function checkSecured(channel: ChannelFacts, at: "await-tls" | "await-gss"): void {
  const kind = at === "await-tls" ? "tls" : "gss";
  if (channel.kind === kind) return;
  throw new UsageError(
    `Cannot call secured() with a channel of kind "${channel.kind}": at "${at}" it must be "${kind}"`,
  );
}

/** The error for a first message that cannot be one. */
export function notPostgresql(cause?: MessageFormatError): ProtocolError {
  return new ProtocolError(
    "Cannot read the server's first message: it is not PostgreSQL's protocol",
    {
      code: "not-postgresql",
      phase: "start-up",
      ...(cause === undefined ? {} : { cause }),
      hint: "Check host and port: this does not look like a PostgreSQL server",
    },
  );
}

/** The server's refusal, with advice where its text would puzzle. */
export function serverError(state: ReadingState, fields: NoticeFields): ServerError {
  return new ServerError(fields, phaseOf(state), adviceFor(state, fields.sqlState));
}

function adviceFor(state: ReadingState, sqlState: string | undefined): string | undefined {
  const isViolation = sqlState === "08P01";
  switch (state.at) {
    case "await-authentication":
      return state.version > PROTOCOL_3_0 && (isViolation || sqlState === "0A000")
        ? "This server or pooler may not know the protocol version that was asked for: try max_protocol_version=3.0"
        : undefined;
    case "await-verdict":
    case "sasl-continue":
    case "sasl-final":
      // PgBouncer says the same of a wrong password and of a user it does not know.
      return isViolation
        ? "Check user, password and database: poolers answer wrong ones like this"
        : undefined;
    case "bearer-refused":
      return adviceOnRefusal(state.status);
    case "bearer-discovery":
    case "bearer-found":
    case "bearer-sent":
    case "sasl-complete":
    case "gss-continue":
    case "gss-complete":
    case "prepare":
      return undefined;
  }
}

/** The error for a stream that ends in a state: an unterminated protocol-2 error, or no word at all. */
export function endedIn(state: ReadingState, deframer: Deframer): PgHandshakeError {
  const text = deframer.legacyErrorAtEnd();
  if (text !== undefined) {
    return new ServerError({ message: text }, phaseOf(state));
  }
  const rules = state.at === "await-verdict" && state.method === "scm"
    ? AFTER_CREDENTIALS
    : PHASES[state.at];
  const middle = deframer.held > 0 ? ", in the middle of a message" : "";
  return new ConnectionError(
    "connection-lost",
    `server closed the connection unexpectedly ${rules.atEnd}${middle}`,
    { phase: rules.phase, hint: rules.hintAtEnd },
  );
}
