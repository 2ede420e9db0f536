import type { Settings } from "../settings/resolve.ts";
import { chooseAdapter } from "./adapters.ts";
import { abortError } from "./clock.ts";
import { type Circumstances, establish } from "./establish.ts";
import { gssMode } from "./gss_mode.ts";
import { host } from "./host.ts";
import { Journey } from "./journey.ts";
import type { ConnectEventKind, ConnectOptions, Target } from "./options.ts";
import { ConnectReport } from "./report.ts";
import { Session } from "./session.ts";
import { settingsOf } from "./target.ts";
import { tlsPolicy } from "./tls_request.ts";
import { refuseUnsupported } from "./unsupported.ts";

/**
 * Opens a PostgreSQL session: from a connection string to ReadyForQuery, as libpq does.
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
  const began = performance.now();
  const circumstances = await circumstancesOf(target, options, began);
  const journey = new Journey(circumstances, establish);
  const result = await journey.run();
  if ("error" in result) throw result.error;
  try {
    circumstances.emit?.({ type: "ready" });
  } catch (error) {
    // A listener that throws gets its error, and nobody gets the session.
    result.transport.close();
    throw error;
  }
  const report = new ConnectReport(journey.attempts, performance.now() - began);
  return new Session(result, { ...circumstances, report });
}

/**
 * Settles everything that is settled before anything is dialed.
 *
 * @throws {ConfigError} The settings are wrong, or cannot be honoured here.
 */
export async function circumstancesOf(
  target: Target | undefined,
  options: ConnectOptions,
  began: number,
): Promise<Circumstances> {
  const { onEvent, signal } = options;
  if (signal?.aborted) throw abortError(signal, "settings");
  const settings = await settingsOf(target, host, options.parameters);
  refuseUnsupported(settings, options.gss !== undefined);
  const tls = usesTls(settings) ? await tlsPolicy(settings, host) : undefined;
  const adapter = await chooseAdapter(settings, tls, options.adapter);
  const gss = await gssMode(settings, options.gss, signal);
  const emit = onEvent === undefined
    ? undefined
    : (event: ConnectEventKind): void => onEvent({ at: performance.now() - began, ...event });
  return { settings, options, adapter, host, tls, gss, emit };
}

/** Whether any attempt may use TLS; a Unix socket never does, whatever sslmode says. */
function usesTls(settings: Settings): boolean {
  return settings.sslmode !== "disable" && settings.hosts.some(({ kind }) => kind === "tcp");
}
