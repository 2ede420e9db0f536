import { now } from "../transport/runtime.ts";
import { circumstancesOnce } from "./circumstances.ts";
import { openSession } from "./open_session.ts";
import type { ConnectOptions, Target } from "./options.ts";
import type { Session } from "./session.ts";

/**
 * Opens a PostgreSQL session: from a connection string to ReadyForQuery, as libpq does. Nothing is remembered for the
 * next one; whoever opens several to the same place is served better by {@link createConnector}.
 *
 * @param target Where to and how; without it the environment and libpq's defaults.
 * @param options What a string cannot say: callbacks, a signal, a password provider.
 * @returns The open session; its owner closes it (`await using`, or `close()`).
 * @throws {ConfigError} The settings are wrong, or this runtime cannot honour them; nothing was sent.
 * @throws {ServerError} The server said no, with its own SQLSTATE.
 * @throws {PolicyError} Our side refused to go on, for example because no password was given.
 * @throws {ConnectionError} Name, socket, TLS, end of stream, `timeout` or `aborted`.
 * @throws {ProtocolError} Or {@link MessageFormatError}: what answers does not speak PostgreSQL's protocol.
 * @throws {ConnectError} Several attempts failed; `attempts` has the whole story.
 *
 * @example
 * ```ts
 * await using session = await connect("postgres://app@db.example/app?sslmode=verify-full&sslrootcert=system", {
 *   password: () => fetchToken(),
 *   signal: AbortSignal.timeout(5_000),
 * });
 * const [result] = await session.query("select 1 as one");
 * ```
 */
export async function connect(target?: Target, options: ConnectOptions = {}): Promise<Session> {
  const began = now();
  return await openSession(await circumstancesOnce(target, options, began), began);
}
