import { ConnectionError, PgHandshakeError } from "../errors.ts";
import { readServerVersion } from "../handshake/server_version.ts";
import type { SessionStart } from "../handshake/client_state.ts";
import { judgeSession, type SessionVerdict, type WantedSession } from "../plan/session_attrs.ts";
import type { Transport } from "../transport/transport.ts";
import type { Clock } from "./clock.ts";
import { MessageStream } from "./message_stream.ts";
import type { ConnectEventKind } from "./options.ts";
import { SimpleQuery } from "./simple_query.ts";

/**
 * Sees to it that a fresh session is what `target_session_attrs` wants; asks the server where what it reported does
 * not tell.
 *
 * @returns Octets read beyond the answer; they take the place of the start-up's leftover.
 * @throws {ConnectionError} `session-attrs` if it is not; Terminate has been sent then.
 */
export async function checkSession(
  transport: Transport,
  start: SessionStart,
  wants: WantedSession,
  options: {
    readonly clock: Clock;
    readonly emit: ((event: ConnectEventKind) => void) | undefined;
  },
): Promise<Uint8Array> {
  const { clock, emit } = options;
  const version = readServerVersion(start.parameters.get("server_version")).number;
  let verdict = judgeSession(wants, start.parameters, version);
  if (verdict.is === "accepted") return start.leftover;
  const release = (): void => transport.close();
  clock.signal.addEventListener("abort", release);
  try {
    const stream = new MessageStream(transport, start.leftover, emit);
    if (verdict.is === "unknown") verdict = verdict.judge(await oneValue(stream, verdict.query));
    if (verdict.is === "accepted") return stream.take();
    await stream.send({ type: "Terminate" });
    throw notWanted(verdict, wants);
  } catch (error) {
    if (clock.signal.aborted) throw clock.error("ready");
    throw error;
  } finally {
    clock.signal.removeEventListener("abort", release);
  }
}

/** The one value of a query; undefined if it failed or gave anything else. */
async function oneValue(stream: MessageStream, text: string): Promise<string | undefined> {
  const query = new SimpleQuery();
  await stream.send({ type: "Query", text });
  for (;;) {
    const message = await stream.next();
    // What may come at any time is of no interest to a session nobody has yet.
    if (ASYNCHRONOUS.has(message.type)) continue;
    if (query.onMessage(message).do === "finish") break;
  }
  try {
    const [result, ...others] = query.results();
    const value = result?.rows.length === 1 && others.length === 0 ? result.rows[0]?.[0] : null;
    return value ?? undefined;
  } catch (error) {
    // A query that fails does not tell; libpq goes on to the next host as well.
    if (error instanceof PgHandshakeError) return undefined;
    throw error;
  }
}

const ASYNCHRONOUS: ReadonlySet<string> = new Set([
  "ParameterStatus",
  "NoticeResponse",
  "NotificationResponse",
]);

function notWanted(verdict: SessionVerdict, wants: WantedSession): ConnectionError {
  const because = verdict.is === "refused" ? verdict.because : "it did not tell";
  return new ConnectionError(
    "session-attrs",
    `Cannot use this server: ${because}, target_session_attrs wants "${wants}"`,
    { phase: "ready" },
  );
}
