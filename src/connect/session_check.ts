import { ConnectionError, PgHandshakeError } from "../errors.ts";
import type { SessionStart } from "../handshake/client_state.ts";
import { readServerVersion } from "../handshake/server_version.ts";
import { ServerError } from "../handshake/server_error.ts";
import { judgeSession, type SessionVerdict, type WantedSession } from "../plan/session_attrs.ts";
import type { Transport } from "../transport/transport.ts";
import { takeAsynchronous } from "./asynchronous.ts";
import type { Clock } from "./clock.ts";
import { MessageStream } from "./message_stream.ts";
import type { ConnectEventKind, ConnectOptions } from "./options.ts";
import { encodeQuery, type QueryEnd, runQuery } from "./run_query.ts";

/** What checking a session needs besides the session. */
export interface SessionCheckOptions {
  readonly clock: Clock;
  readonly options: ConnectOptions;
  readonly emit: ((event: ConnectEventKind) => void) | undefined;
}

/**
 * Sees to it that a fresh session is what `target_session_attrs` wants; asks the server where what it reported does
 * not tell.
 *
 * @returns The session as it is after the question, if one was asked.
 * @throws {ConnectionError} `session-attrs` if it is not what is wanted; Terminate has been sent then.
 */
export async function checkSession(
  transport: Transport,
  start: SessionStart,
  wants: WantedSession,
  surroundings: SessionCheckOptions,
): Promise<SessionStart> {
  if (wants === "any") return start;
  const version = readServerVersion(start.parameters.get("server_version")).number;
  const verdict = judgeSession(wants, start.parameters, version);
  if (verdict.is === "accepted") return start;
  const { clock, emit } = surroundings;
  const release = clock.onExpire(() => transport.close());
  try {
    const stream = new MessageStream(transport, start.leftover, emit);
    const settled = await settle(stream, start, { wants, verdict, ...surroundings });
    if (clock.expired) throw clock.error("ready");
    return settled;
  } catch (error) {
    if (clock.expired) throw clock.error("ready");
    throw error;
  } finally {
    release();
  }
}

async function settle(
  stream: MessageStream,
  start: SessionStart,
  context: SessionCheckOptions & {
    readonly wants: WantedSession;
    readonly verdict: SessionVerdict;
  },
): Promise<SessionStart> {
  const { wants } = context;
  const parameters = new Map(start.parameters);
  let { verdict } = context;
  let { transactionStatus } = start;
  if (verdict.is === "unknown") {
    const end = await runQuery(
      stream,
      encodeQuery(verdict.query),
      (message) => takeAsynchronous(message, { own: () => parameters }, context.options),
    ).catch((error: unknown) => {
      // A server that shuts down during the question is not what is wanted, whatever it says; the next host may be.
      if (!(error instanceof ServerError)) throw error;
      throw unusable(wants, `it ended the session with "${error.serverMessage}"`, error);
    });
    transactionStatus = end.status;
    verdict = verdict.judge(oneValue(end));
  }
  if (verdict.is === "accepted") {
    return { ...start, parameters, transactionStatus, leftover: stream.take().leftover };
  }
  await stream.send({ type: "Terminate" });
  throw unusable(wants, verdict.is === "refused" ? verdict.because : "it did not tell");
}

/** The one value of a query; undefined if it failed, which does not tell either, or gave anything else. */
function oneValue(end: QueryEnd): string | undefined {
  try {
    const [result, ...others] = end.results();
    const value = result?.rows.length === 1 && others.length === 0 ? result.rows[0]?.[0] : null;
    return value ?? undefined;
  } catch (error) {
    if (error instanceof PgHandshakeError) return undefined;
    throw error;
  }
}

function unusable(wants: WantedSession, because: string, cause?: unknown): ConnectionError {
  return new ConnectionError(
    "session-attrs",
    `Cannot use this server: ${because}, target_session_attrs wants "${wants}"`,
    { phase: "ready", ...(cause === undefined ? {} : { cause }) },
  );
}
