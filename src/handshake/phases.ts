import type { Phase } from "../errors.ts";
import type { BackendMessage } from "../wire/backend.ts";
import { BEFORE_OK_LIMITS, type FrameLimits, PREPARE_LIMITS } from "../wire/deframer.ts";

/** The states of the client in which it waits for a message of the server. */
export type ReadingPlace =
  | "await-authentication"
  | "await-verdict"
  | "sasl-continue"
  | "sasl-final"
  | "sasl-complete"
  | "bearer-discovery"
  | "bearer-found"
  | "bearer-sent"
  | "bearer-refused"
  | "gss-continue"
  | "gss-complete"
  | "prepare";

/** What may come in one state, and how it is spoken about. */
export interface PhaseRules {
  /** The phase errors of this state carry. */
  readonly phase: Phase;
  /** The messages that have a place here; any other ends the connection. */
  readonly legal: readonly BackendMessage["type"][];
  /** How long a message may be here. */
  readonly limits: FrameLimits;
  /** What the end of the stream means here, as the second half of a sentence. */
  readonly atEnd: string;
  /** What to try when the stream ends here. */
  readonly hintAtEnd: string;
}

const FIRST_REQUESTS: readonly BackendMessage["type"][] = [
  "AuthenticationOk",
  "AuthenticationKerberosV4",
  "AuthenticationKerberosV5",
  "AuthenticationCleartextPassword",
  "AuthenticationCryptPassword",
  "AuthenticationMD5Password",
  "AuthenticationSCMCredential",
  "AuthenticationGSS",
  "AuthenticationSSPI",
  "AuthenticationSASL",
  "AuthenticationUnknown",
];

const SEE_LOG = "The server's log says why it closed the connection";
const MAYBE_WRONG_PASSWORD =
  "Check the password: some poolers close the connection instead of refusing it";

/**
 * Every state that reads, and what it accepts (protocol flow, "Start-Up", PostgreSQL manual 54.2.1; stricter than
 * libpq where design.md section 5 says so: one exchange a connection, nothing skipped).
 */
export const PHASES: Readonly<Record<ReadingPlace, PhaseRules>> = {
  "await-authentication": {
    phase: "start-up",
    legal: [...FIRST_REQUESTS, "NegotiateProtocolVersion", "ErrorResponse"],
    limits: BEFORE_OK_LIMITS,
    atEnd: "before it asked for authentication",
    hintAtEnd:
      "The server may have crashed or be out of resources, or something that is not PostgreSQL answers there",
  },
  "await-verdict": {
    phase: "authenticate",
    legal: ["AuthenticationOk", "ErrorResponse"],
    limits: BEFORE_OK_LIMITS,
    atEnd: "after the password was sent",
    hintAtEnd: MAYBE_WRONG_PASSWORD,
  },
  "sasl-continue": {
    phase: "authenticate",
    legal: ["AuthenticationSASLContinue", "ErrorResponse"],
    limits: BEFORE_OK_LIMITS,
    atEnd: "in the middle of the SASL exchange",
    hintAtEnd: MAYBE_WRONG_PASSWORD,
  },
  "sasl-final": {
    phase: "authenticate",
    legal: ["AuthenticationSASLFinal", "ErrorResponse"],
    limits: BEFORE_OK_LIMITS,
    atEnd: "after the proof of the password was sent",
    hintAtEnd: MAYBE_WRONG_PASSWORD,
  },
  "sasl-complete": {
    phase: "authenticate",
    legal: ["AuthenticationOk", "ErrorResponse"],
    limits: BEFORE_OK_LIMITS,
    atEnd: "after the SASL exchange, before AuthenticationOk",
    hintAtEnd: SEE_LOG,
  },
  // A server that lets us in without a token has checked nothing.
  "bearer-discovery": {
    phase: "authenticate",
    legal: ["AuthenticationSASLContinue", "ErrorResponse"],
    limits: BEFORE_OK_LIMITS,
    atEnd: "when it was asked where bearer tokens come from",
    hintAtEnd: SEE_LOG,
  },
  "bearer-found": {
    phase: "authenticate",
    legal: ["ErrorResponse"],
    limits: BEFORE_OK_LIMITS,
    atEnd: "after it had said where bearer tokens come from",
    hintAtEnd: SEE_LOG,
  },
  "bearer-sent": {
    phase: "authenticate",
    legal: ["AuthenticationOk", "AuthenticationSASLContinue", "ErrorResponse"],
    limits: BEFORE_OK_LIMITS,
    atEnd: "after the bearer token was sent",
    hintAtEnd: SEE_LOG,
  },
  "bearer-refused": {
    phase: "authenticate",
    legal: ["ErrorResponse"],
    limits: BEFORE_OK_LIMITS,
    atEnd: "after it refused the bearer token",
    hintAtEnd: "It was not the right one, or is no longer valid",
  },
  "gss-continue": {
    phase: "authenticate",
    legal: ["AuthenticationGSSContinue", "ErrorResponse"],
    limits: BEFORE_OK_LIMITS,
    atEnd: "in the middle of the GSSAPI exchange",
    hintAtEnd: SEE_LOG,
  },
  "gss-complete": {
    phase: "authenticate",
    legal: ["AuthenticationOk", "ErrorResponse"],
    limits: BEFORE_OK_LIMITS,
    atEnd: "after the GSSAPI exchange, before AuthenticationOk",
    hintAtEnd: SEE_LOG,
  },
  "prepare": {
    phase: "prepare",
    legal: [
      "ParameterStatus",
      "BackendKeyData",
      "NoticeResponse",
      "NotificationResponse",
      "ErrorResponse",
      "ReadyForQuery",
    ],
    limits: PREPARE_LIMITS,
    atEnd: "after authentication, before ReadyForQuery",
    hintAtEnd: SEE_LOG,
  },
};

/** The state `await-verdict` after the kernel's credentials were sent in place of a password. */
export const AFTER_CREDENTIALS: PhaseRules = {
  ...PHASES["await-verdict"],
  atEnd: "after the credentials of this process were sent",
  hintAtEnd: SEE_LOG,
};

/**
 * The most octets a server may send before ReadyForQuery. PostgreSQL sends below 2 kB; a login trigger may add
 * notices; beyond this bound of our own it is an attack on memory.
 */
export const MAX_START_OCTETS: number = 8 * 1024 * 1024;
