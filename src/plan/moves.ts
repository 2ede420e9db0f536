import type { Encryption, Phase } from "../errors.ts";
import type { HostEntry } from "../settings/hosts.ts";
import type { Settings } from "../settings/resolve.ts";

/** How a target failed; the reason alone decides what comes next. */
export interface Outcome {
  /** How far the attempt had come. */
  readonly phase: Phase;
  /**
   * `resolve` the name has no address; `dial` the socket could not be opened; `unreachable` no socket to any of the
   * host's addresses could be opened, where several were dialed at once; `timeout` connect_timeout passed, at
   * any phase; `tls-refused` the server said `N` and plaintext was not allowed; `tls-failed` the TLS handshake itself
   * broke, which does **not** include a certificate, name or ALPN check that the settings asked for; `gss-refused` the
   * server does not encrypt by GSSAPI; `gss-failed` GSSAPI encryption could not be set up; `closed` the peer
   * ended or reset the stream; `server` an ErrorResponse; `session-attrs` the session is not what target_session_attrs
   * wants, or did not tell; `wrong-guess` the server did not ask for what was answered before it asked; `token-wanted`
   * the server said where bearer tokens come from, and one is at hand now; `other` everything else, those checks
   * included.
   */
  readonly error:
    | "resolve"
    | "dial"
    | "unreachable"
    | "timeout"
    | "tls-refused"
    | "tls-failed"
    | "gss-refused"
    | "gss-failed"
    | "closed"
    | "server"
    | "session-attrs"
    | "token-wanted"
    | "wrong-guess"
    | "other";
  /** The five characters of the ErrorResponse. */
  readonly sqlState?: string;
  /** Whether the connection was inside TLS when it failed. */
  readonly tlsInUse: boolean;
  /** Whether it was inside GSSAPI encryption. */
  readonly gssInUse?: boolean;
  /** Whether the server had answered `N` to GSSENCRequest, and the next kind was tried on the same socket. */
  readonly gssRefused?: boolean;
  /** Whether a password, a proof or a token had been written on this connection. */
  readonly credentialsSent: boolean;
  /** Whether the server had asked for an authentication (AuthenticationOk is no question). */
  readonly sawAuthRequest: boolean;
  /** Whether a statement of the user's had been written on this connection; not if absent. */
  readonly statementSent?: boolean;
}

/**
 * Where a failure leads: libpq's RECON, ADDR, HOST and FAIL, once more without application_name, and once more without
 * a guess or with a token.
 */
export type Move =
  | "encryption"
  | "same-without-name"
  | "same-without-guess"
  | "same-with-token"
  | "address"
  | "host"
  | "stop";

/** Whether attempts begin with GSSENCRequest: never, if the server likes, or always. */
export type GssMode = "never" | "prefer" | "require";

/** libpq's order; a Unix socket is never encrypted, whatever sslmode says. */
export function encryptionsOf(
  host: HostEntry,
  settings: Pick<Settings, "sslmode" | "sslnegotiation"> & { readonly gss?: GssMode },
): readonly Encryption[] {
  if (host.kind === "unix") return ["plain"];
  if (settings.gss === "require") return ["gss-request"];
  if (settings.gss === "prefer") {
    return ["gss-request", ...encryptionsOf(host, { ...settings, gss: "never" })];
  }
  const tls = settings.sslnegotiation === "direct" ? "direct-tls" : "ssl-request";
  switch (settings.sslmode) {
    case "disable":
      return ["plain"];
    case "allow":
      return ["plain", tls];
    case "prefer":
      return [tls, "plain"];
    case "require":
    case "verify-ca":
    case "verify-full":
      return [tls];
  }
}

/**
 * Where a failure leads.
 *
 * @param outcome How the attempt failed.
 * @param tried The encryption it was made with.
 * @param other The next encryption of the same address, if there is one.
 */
export function moveAfter(
  outcome: Outcome,
  tried: Encryption | undefined,
  other: Encryption | undefined,
): Move {
  if (mayHaveRun(outcome)) return "stop";
  switch (outcome.error) {
    case "wrong-guess":
      return "same-without-guess";
    case "resolve":
    case "unreachable":
      return "host";
    case "dial":
    case "timeout":
      return "address";
    case "tls-refused":
    case "tls-failed":
    case "gss-refused":
    case "gss-failed":
      return other === undefined || outcome.credentialsSent ? "stop" : "encryption";
    case "closed":
      // Nothing but names was sent: asking another host is safe. libpq would end here.
      return isBeforeOk(outcome) && !outcome.sawAuthRequest ? "host" : "stop";
    case "session-attrs":
      return "host";
    case "token-wanted":
      return "same-with-token";
    case "server":
      return afterServerError(outcome, tried, other);
    case "other":
      return "stop";
  }
}

/**
 * Whether a statement may have been run although we did not hear of it: then nothing may be tried again. A server that
 * refuses us before it is ready, or asks for what was not expected, has not run it.
 */
function mayHaveRun(outcome: Outcome): boolean {
  return outcome.statementSent === true && outcome.error !== "server" &&
    outcome.error !== "wrong-guess";
}

function afterServerError(
  outcome: Outcome,
  tried: Encryption | undefined,
  other: Encryption | undefined,
): Move {
  // Servers before 9.0 know no application_name and say so once they apply settings (libpq, PQconnectPoll).
  if (outcome.phase === "prepare" && outcome.sqlState === "42704") return "same-without-name";
  // An ErrorResponse that answers SSLRequest was not protected by anything: it decides nothing.
  if (outcome.phase !== "start-up" && outcome.phase !== "authenticate") return "stop";
  if (outcome.sqlState === "57P03") return "host";
  const fromHba = outcome.sqlState === "28000" && !outcome.sawAuthRequest &&
    !outcome.credentialsSent;
  // After `N` the same socket went on in plaintext: the other method would be the same again.
  const changes = tried === "gss-request"
    ? outcome.gssInUse === true
    : outcome.tlsInUse === (tried !== "plain");
  return fromHba && changes && other !== undefined ? "encryption" : "stop";
}

function isBeforeOk(outcome: Outcome): boolean {
  switch (outcome.phase) {
    case "dial":
    case "negotiate":
    case "tls":
    case "gss":
    case "start-up":
    case "authenticate":
      return true;
    default:
      return false;
  }
}
