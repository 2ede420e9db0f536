/**
 * One family of errors, split by whose fault it is: the settings, the calling code, the octets of the
 * peer, our own policy, the way to the server, or the server's own word.
 *
 * @module
 */

import { printable } from "./printable.ts";

/**
 * How far a connection had come.
 *
 * `settings` nothing was sent or resolved; `resolve` looking up a name; `dial` opening the socket;
 * `negotiate` waiting for the answer to SSLRequest or GSSENCRequest; `tls` in the TLS handshake; `gss` setting
 * up GSSAPI encryption; `start-up` StartupMessage sent; `authenticate` an authentication request came; `prepare` AuthenticationOk came;
 * `ready` ReadyForQuery came; `cancel` a cancel request of its own connection.
 */
export type Phase =
  | "settings"
  | "resolve"
  | "dial"
  | "negotiate"
  | "tls"
  | "gss"
  | "start-up"
  | "authenticate"
  | "prepare"
  | "ready"
  | "cancel";

/**
 * The stable codes and the SQLSTATE each carries (class 08 connection exceptions, class 28 invalid
 * authorization; PostgreSQL manual, appendix A). The README explains each.
 */
const SQLSTATE_OF: Readonly<Record<ErrorCode, string>> = {
  "invalid-setting": "08001",
  "unsupported-setting": "08001",
  "missing-permission": "08001",
  "misuse": "08000",
  "session-closed": "08003",
  "malformed-message": "08P01",
  "protocol-violation": "08P01",
  "not-postgresql": "08P01",
  "protocol-version": "08P01",
  "auth-forbidden": "28000",
  "auth-unsupported": "28000",
  "cleartext-forbidden": "28000",
  "channel-binding": "28000",
  "server-not-verified": "28000",
  "scram-limit": "28000",
  "password-missing": "28000",
  "password-unavailable": "28000",
  "token-missing": "28000",
  "token-unavailable": "28000",
  "issuer-mismatch": "28000",
  "name-not-found": "08001",
  "dial-failed": "08001",
  "tls-refused": "08004",
  "tls-failed": "08001",
  "certificate-untrusted": "08001",
  "certificate-name": "08001",
  "alpn-missing": "08001",
  "gss-refused": "08004",
  "gss-failed": "28000",
  "connection-lost": "08006",
  "session-attrs": "08004",
  "timeout": "08001",
  "aborted": "08000",
  "server-error": "08004",
  "all-failed": "08001",
};

/** The stable name of what went wrong; the README lists them. */
export type ErrorCode =
  | "invalid-setting"
  | "unsupported-setting"
  | "missing-permission"
  | "misuse"
  | "session-closed"
  | "malformed-message"
  | "protocol-violation"
  | "not-postgresql"
  | "protocol-version"
  | "auth-forbidden"
  | "auth-unsupported"
  | "cleartext-forbidden"
  | "channel-binding"
  | "server-not-verified"
  | "scram-limit"
  | "password-missing"
  | "password-unavailable"
  | "token-missing"
  | "token-unavailable"
  | "issuer-mismatch"
  | "name-not-found"
  | "dial-failed"
  | "tls-refused"
  | "tls-failed"
  | "certificate-untrusted"
  | "certificate-name"
  | "alpn-missing"
  | "gss-refused"
  | "gss-failed"
  | "connection-lost"
  | "session-attrs"
  | "timeout"
  | "aborted"
  | "server-error"
  | "all-failed";

/**
 * How a connection becomes encrypted: not at all, by SSLRequest, with TLS from its first octet, or by GSSENCRequest.
 */
export type Encryption = "plain" | "ssl-request" | "direct-tls" | "gss-request";

/** One try to reach one address, as reports and errors tell it. */
export interface AttemptReport {
  /** The host as the settings name it; a directory or "@name" for Unix sockets. */
  readonly host: string;
  /** The address dialed: an IP address, or the name where the runtime resolves while dialing; a socket's path. */
  readonly address: string;
  /** The port; for Unix sockets the number in the name of the socket. */
  readonly port: number;
  /** How the connection was to become encrypted. */
  readonly encryption: Encryption;
  /** How far it came. */
  readonly phase: Phase;
  /** Milliseconds from dialing to success or failure. */
  readonly durationMs: number;
  /** Why it failed; undefined for the one that succeeded. */
  readonly error: PgHandshakeError | undefined;
}

/** What every error of this package can be given. */
export interface ErrorDetails {
  /** How far the connection had come; `settings` unless said. */
  readonly phase?: Phase;
  /** The error underneath. */
  readonly cause?: unknown;
  /** What the reader may try; appended to the message as a sentence of its own. */
  readonly hint?: string;
}

/** What all errors of this package have in common. */
export abstract class PgHandshakeError extends Error {
  /** The stable name of what went wrong. */
  readonly code: ErrorCode;
  /** The five characters of SQLSTATE: the server's own where it sent one. */
  readonly sqlState: string;
  /** How far the connection had come. */
  readonly phase: Phase;
  /** What `connect()` tried before it gave up with this error; undefined for errors from elsewhere. */
  declare readonly attempts?: readonly AttemptReport[];

  /**
   * Called by the classes below.
   *
   * @param code The stable name of what went wrong.
   * @param message Action first, quotes around values, no secret.
   * @param details Phase, cause and hint.
   */
  constructor(
    code: ErrorCode,
    message: string,
    details: ErrorDetails & { sqlState?: string } = {},
  ) {
    const text = details.hint === undefined ? message : `${message}. ${details.hint}`;
    super(text, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.sqlState = details.sqlState ?? SQLSTATE_OF[code];
    this.phase = details.phase ?? "settings";
  }
}

/** The most characters of a message that quotes what a user or a file gave. */
const MAX_QUOTING_MESSAGE = 1_000;

/** Settings and arguments stand in messages as they were given: no control character, and no novel, of theirs gets out. */
function quotable(message: string): string {
  return printable(message, { keepLines: false, max: MAX_QUOTING_MESSAGE });
}

/** The settings are at fault: a value, a combination, or something this runtime cannot honour. */
export class ConfigError extends PgHandshakeError {
  /** libpq's keyword of the setting, where one is to blame. */
  readonly keyword: string | undefined;

  /**
   * Blames a setting.
   *
   * @param message What was wrong and what was expected.
   * @param details The keyword to blame, and the code where it is not `invalid-setting`.
   */
  constructor(
    message: string,
    details: ErrorDetails & {
      keyword?: string;
      code?: "invalid-setting" | "unsupported-setting" | "missing-permission";
    } = {},
  ) {
    super(details.code ?? "invalid-setting", quotable(message), details);
    this.keyword = details.keyword;
  }
}

/** The calling code is at fault: calls in the wrong order, an argument out of range. */
export class UsageError extends PgHandshakeError {
  /** Says what the calling code did, and what it may do instead. */
  constructor(
    message: string,
    details: ErrorDetails & { code?: "misuse" | "session-closed" } = {},
  ) {
    super(details.code ?? "misuse", quotable(message), details);
  }
}

/** Octets of the peer are not the message they claim to be. */
export class MessageFormatError extends PgHandshakeError {
  /** The message's name, as in PostgreSQL's manual. */
  readonly messageName: string;

  /** Names the message and what is wrong with it; the octets themselves are not shown. */
  constructor(messageName: string, problem: string, details: ErrorDetails = {}) {
    super("malformed-message", `Cannot read ${messageName}: ${problem}`, details);
    this.messageName = messageName;
  }
}

/** The peer sent a well-formed message that has no place here. */
export class ProtocolError extends PgHandshakeError {
  /** Says what came, and what could have come. */
  constructor(
    message: string,
    details: ErrorDetails & {
      code?: "protocol-violation" | "not-postgresql" | "protocol-version";
    } = {},
  ) {
    super(details.code ?? "protocol-violation", message, details);
  }
}

/** The codes of {@link PolicyError}. */
export type PolicyCode =
  | "auth-forbidden"
  | "auth-unsupported"
  | "cleartext-forbidden"
  | "channel-binding"
  | "server-not-verified"
  | "scram-limit"
  | "password-missing"
  | "password-unavailable"
  | "token-missing"
  | "token-unavailable"
  | "issuer-mismatch";

/** Our side refused to go on: what the server asked for may not, or cannot, be answered. */
export class PolicyError extends PgHandshakeError {
  /** Says what was asked for, and why it is not answered. */
  constructor(code: PolicyCode, message: string, details: ErrorDetails = {}) {
    super(code, message, { phase: "authenticate", ...details });
  }
}

/** The codes of {@link ConnectionError}. */
export type ConnectionCode =
  | "name-not-found"
  | "dial-failed"
  | "tls-refused"
  | "tls-failed"
  | "certificate-untrusted"
  | "certificate-name"
  | "alpn-missing"
  | "gss-refused"
  | "gss-failed"
  | "connection-lost"
  | "session-attrs"
  | "timeout"
  | "aborted";

/** The way to the server failed: name, socket, TLS, end of stream, deadline. */
export class ConnectionError extends PgHandshakeError {
  /** Says where the way broke, and what to check. */
  constructor(code: ConnectionCode, message: string, details: ErrorDetails = {}) {
    super(code, message, { phase: "dial", ...details });
  }
}

/**
 * Says how far the connection had come in an error thrown by a room that cannot know it (a codec does not know
 * who uses it).
 *
 * @param error Changed in place.
 * @param phase What its `phase` is from now on.
 */
export function locate(error: PgHandshakeError, phase: Phase): void {
  (error as { phase: Phase }).phase = phase;
}

/**
 * The SQLSTATE that goes with a code, for errors that are made of others.
 *
 * @param code The stable name of what went wrong.
 */
export function sqlStateOf(code: ErrorCode): string {
  return SQLSTATE_OF[code];
}
