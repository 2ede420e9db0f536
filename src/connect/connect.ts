import {
  type AttemptReport,
  ConfigError,
  ConnectError,
  ConnectionError,
  PgHandshakeError,
} from "../errors.ts";
import { type AttemptTarget, ConnectionPlan, type ResolveTarget } from "../plan/attempts.ts";
import type { Settings } from "../settings/resolve.ts";
import { chooseAdapter } from "./adapters.ts";
import { abortError, Clock } from "./clock.ts";
import {
  addressOf,
  type Circumstances,
  establish,
  type Established,
  type Failure,
} from "./establish.ts";
import { host as machineHost } from "./host.ts";
import type { ConnectEventKind, ConnectOptions, Target } from "./options.ts";
import { type ConnectReport, Session } from "./session.ts";
import { settingsOf } from "./target.ts";
import { tlsPolicy } from "./tls_request.ts";

/**
 * Opens a PostgreSQL session: from a connection string to ReadyForQuery, as libpq does.
 *
 * @param target Where to and how; without it libpq's defaults.
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
  const { onEvent, signal } = options;
  const emit = onEvent === undefined
    ? undefined
    : (event: ConnectEventKind): void => onEvent({ at: performance.now() - began, ...event });
  if (signal?.aborted) throw abortError(signal, "settings");
  const settings = await settingsOf(target, machineHost);
  const tls = usesTls(settings) ? await tlsPolicy(settings, machineHost) : undefined;
  const adapter = await chooseAdapter(settings, tls, options.adapter);
  const circumstances: Circumstances = { settings, options, adapter, tls, emit };
  return await firstSession(circumstances, began);
}

/** Whether any attempt may use TLS; a Unix socket never does, whatever sslmode says. */
function usesTls(settings: Settings): boolean {
  return settings.sslmode !== "disable" && settings.hosts.some(({ kind }) => kind === "tcp");
}

/** Works off the plan until one attempt ends in a session. */
async function firstSession(circumstances: Circumstances, began: number): Promise<Session> {
  const { settings, options, emit } = circumstances;
  const plan = new ConnectionPlan(settings);
  const attempts: AttemptReport[] = [];
  const clocks = new Clocks(options.signal, settings.connectTimeoutMs);
  try {
    for (let target = plan.next(); target !== undefined; target = plan.next()) {
      if (target.do === "resolve") {
        await resolve(target, plan, { circumstances, clock: clocks.whole(), attempts });
        continue;
      }
      const started = performance.now();
      emit?.(attemptEvent(target, circumstances));
      const result = await establish(target, circumstances, clocks.of(target));
      const error = "error" in result ? result.error : undefined;
      attempts.push(attemptReport(target, performance.now() - started, error));
      if (!("error" in result)) {
        emit?.({ type: "ready" });
        return sessionOf(result, circumstances, {
          attempts,
          durationMs: performance.now() - began,
        });
      }
      emit?.({ type: "failed", error: result.error });
      if (isFinal(result, options.signal)) break;
      plan.failed(result.outcome);
    }
  } finally {
    clocks.stop();
  }
  throw failureOf(attempts);
}

/** Settings that cannot be honoured, and the caller's own signal, end everything. */
function isFinal(failure: Failure, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true || failure.error instanceof ConfigError;
}

async function resolve(
  target: ResolveTarget,
  plan: ConnectionPlan,
  context: {
    readonly circumstances: Circumstances;
    readonly clock: Clock;
    readonly attempts: AttemptReport[];
  },
): Promise<void> {
  const { adapter, emit } = context.circumstances;
  const { host, port } = target.host;
  if (adapter.resolve === undefined) {
    plan.resolved([host]);
    return;
  }
  const started = performance.now();
  try {
    const addresses = await context.clock.race(adapter.resolve(host), "resolve");
    if (addresses.length === 0) {
      throw new ConnectionError(
        "name-not-found",
        `Cannot translate host name "${host}" to an address: it has none`,
        { phase: "resolve" },
      );
    }
    emit?.({ type: "resolved", host, addresses });
    plan.resolved(addresses);
  } catch (error) {
    if (!(error instanceof PgHandshakeError)) throw error;
    emit?.({ type: "failed", error });
    context.attempts.push({
      host,
      address: host,
      port,
      encryption: "plain",
      phase: "resolve",
      durationMs: performance.now() - started,
      error,
    });
    const notFound = error instanceof ConnectionError && error.code === "name-not-found";
    plan.failed({
      phase: "resolve",
      error: notFound ? "resolve" : "other",
      tlsInUse: false,
      credentialsSent: false,
      sawAuthRequest: false,
    });
  }
}

/** connect_timeout runs per address and is not started anew for another encryption of the same address (libpq). */
class Clocks {
  readonly #signal: AbortSignal | undefined;
  readonly #timeoutMs: number | undefined;
  readonly #running: Clock[] = [];
  #place: Pick<AttemptTarget, "host" | "address"> | undefined;
  #current: Clock | undefined;

  constructor(signal: AbortSignal | undefined, timeoutMs: number | undefined) {
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
  }

  /** The clock of an address. */
  of(target: AttemptTarget): Clock {
    const { host, address } = target;
    // By identity: a host that is listed twice has two chances.
    const isSame = this.#place?.host === host && this.#place.address === address;
    if (this.#current !== undefined && isSame) return this.#current;
    this.#place = { host, address };
    return this.#current = this.#start(this.#timeoutMs);
  }

  /** A clock for what connect_timeout does not cover: only the caller's signal. */
  whole(): Clock {
    return this.#start(undefined);
  }

  stop(): void {
    for (const clock of this.#running) clock.stop();
  }

  #start(timeoutMs: number | undefined): Clock {
    const clock = new Clock(this.#signal, timeoutMs);
    this.#running.push(clock);
    return clock;
  }
}

function attemptEvent(target: AttemptTarget, circumstances: Circumstances): ConnectEventKind {
  const { host, address, port, encryption } = attemptReport(target, 0, undefined);
  return { type: "attempt", host, address, port, encryption, adapter: circumstances.adapter.name };
}

function attemptReport(
  target: AttemptTarget,
  durationMs: number,
  error: PgHandshakeError | undefined,
): AttemptReport {
  const address = addressOf(target);
  return {
    host: target.host.host,
    address: address.kind === "unix" ? address.path : address.host,
    port: target.host.port,
    encryption: target.encryption,
    phase: error?.phase ?? "ready",
    durationMs,
    error,
  };
}

/** One attempt throws its own error; several throw them all. */
function failureOf(attempts: readonly AttemptReport[]): PgHandshakeError | ConnectError {
  const [only, ...others] = attempts;
  if (only?.error === undefined || others.length > 0) return new ConnectError(attempts);
  Object.defineProperty(only.error, "attempts", {
    value: attempts,
    enumerable: false,
    // A callback may throw one error in two connects.
    configurable: true,
  });
  return only.error;
}

function sessionOf(
  established: Established,
  circumstances: Circumstances,
  report: ConnectReport,
): Session {
  return new Session(established, { ...circumstances, report });
}
