import {
  type AttemptReport,
  type ErrorCode,
  type PgHandshakeError,
  type Phase,
  sqlStateOf,
} from "../errors.ts";
import { ServerError } from "../handshake/server_error.ts";

/**
 * Several addresses were tried and none would do. `errors` holds one error an attempt, `attempts` the whole story; `cause`
 * is the error of the attempt that ended it, the last, and `code`, `sqlState` and `phase` are that error's.
 */
export class ConnectError extends AggregateError {
  /** The stable name of what ended the last attempt. */
  readonly code: ErrorCode;
  /** The SQLSTATE of the last attempt. */
  readonly sqlState: string;
  /** How far the last attempt had come. */
  readonly phase: Phase;
  /** What was tried, in order, each with its error. */
  readonly attempts: readonly AttemptReport[];

  /**
   * Makes one error of many.
   *
   * @param attempts What was tried, in order, each with its error; at least one.
   */
  constructor(attempts: readonly AttemptReport[]) {
    const errors = attempts.flatMap(({ error }) => error === undefined ? [] : [error]);
    const last = errors.at(-1);
    super(errors, attempts.map(attemptText).join("\n"), { cause: last });
    this.name = "ConnectError";
    this.code = last?.code ?? "all-failed";
    this.sqlState = last?.sqlState ?? sqlStateOf("all-failed");
    this.phase = last?.phase ?? "settings";
    this.attempts = attempts;
  }
}

/** One attempt as libpq words it: where, then why it failed. */
export function attemptText(attempt: AttemptReport): string {
  const { host, address, port, error, durationMs } = attempt;
  const where = address.startsWith("/") || address.startsWith("@")
    ? `connection to server on socket "${address}"`
    : `connection to server at "${host}"${address === host ? "" : ` (${address})`}, port ${port}`;
  return error === undefined
    ? `${where} succeeded after ${durationMs.toFixed(1)} ms`
    : `${where} failed: ${severityOf(error)}${error.message}`;
}

/** libpq puts the server's severity in front of its words. */
function severityOf(error: PgHandshakeError): string {
  return error instanceof ServerError && error.severity !== undefined ? `${error.severity}:  ` : "";
}
