import { ConfigError, PgHandshakeError, UsageError } from "../errors.ts";
import { CancelKey } from "../handshake/cancel_key.ts";
import type { AttemptTarget } from "../plan/targets.ts";
import { bringCancel, CANCEL_TIMEOUT_MS } from "./cancel_over.ts";
import { circumstancesOnce } from "./circumstances.ts";
import type { Clock } from "./clock.ts";
import { addressesOf } from "./dialed_addresses.ts";
import type { Circumstances, Failure, Route } from "./establish.ts";
import { gssSetup } from "./gss_answers.ts";
import { type Arrival, Journey } from "./journey.ts";
import type { ConnectOptions, Target } from "./options.ts";
import { outcomeOf } from "./outcome.ts";
import { policyFor } from "./policy.ts";
import { tlsRequestFor } from "./tls_request.ts";

/** Whose query to cancel, and where. */
export interface CancelOptions
  extends Pick<ConnectOptions, "signal" | "resolve" | "adapter" | "gss" | "onEvent"> {
  /** The server, as for `connect()`; one host, as only the server of the session knows it. */
  readonly target?: Target;
  /** The process ID of BackendKeyData, as `pg_backend_pid()` tells it; a signed 32-bit integer behind poolers. */
  readonly processId: number;
  /** The key of BackendKeyData: 4 octets on protocol 3.0, up to 256 on 3.2; or those 4 octets as an integer, as drivers keep them. */
  readonly secretKey: Uint8Array | number;
}

/**
 * Cancels what a session of another connection, driver or process is doing, by its key (PostgreSQL manual, 54.2.8).
 * Encrypted as the target says, and over when the server has closed the connection. Whether there was anything to
 * cancel, no server tells.
 *
 * @param options Whose query, and where.
 * @throws {ConfigError} If the settings are wrong, or name more than one host.
 * @throws {UsageError} If process ID or key are none.
 * @throws {ConnectionError} If the way there fails; `timeout` after `connect_timeout`, else ten seconds an address.
 *
 * @example
 * ```ts
 * await cancel({ target: "postgres://db.example?sslmode=verify-full&sslrootcert=system", processId: 4711, secretKey });
 * ```
 */
export async function cancel(options: CancelOptions): Promise<void> {
  const key = keyOf(options);
  const circumstances = await circumstancesOnce(options.target, options);
  const { settings } = circumstances;
  if (settings.hosts.length !== 1) {
    throw new ConfigError(
      `Cannot cancel at ${settings.hosts.length} hosts: the key means something on the session's own server only`,
      { keyword: "host", hint: "Give the one host the session is connected to" },
    );
  }
  const journey = new Journey(
    {
      ...circumstances,
      settings: {
        ...settings,
        targetSessionAttrs: "any",
        connectTimeoutMs: settings.connectTimeoutMs ?? CANCEL_TIMEOUT_MS,
      },
    },
    (target, { adapter, emit }, clock) =>
      attempt(routeOf(target, circumstances), key, {
        plaintextAfterRefusal: target.plaintextAfterRefusal,
        adapter,
        emit,
        clock,
      }),
  );
  const result = await journey.run();
  if ("error" in result) throw result.error;
}

async function attempt(
  route: Route,
  key: CancelKey,
  options: Pick<Circumstances, "adapter" | "emit"> & {
    readonly plaintextAfterRefusal: boolean;
    readonly clock: Clock;
  },
): Promise<Arrival | Failure> {
  try {
    await bringCancel(route, key, options);
    return { route, undialed: [] };
  } catch (error) {
    if (!(error instanceof PgHandshakeError)) throw error;
    const outcome = outcomeOf(error, {
      tlsInUse: false,
      credentialsSent: false,
      sawAuthRequest: false,
    });
    return {
      error,
      address: route.address,
      undialed: [],
      // Once the key was sent nothing is tried again: another address may be another server.
      outcome: error.phase === "cancel" ? { ...outcome, error: "other" } : outcome,
    };
  }
}

function routeOf(target: AttemptTarget, circumstances: Circumstances): Route {
  const { settings, tls, adapter, options } = circumstances;
  const { encryption, host } = target;
  const [address] = addressesOf(target, false);
  if (address === undefined) throw new TypeError("An attempt without an address was planned");
  return {
    address,
    encryption,
    tls: encryption === "plain" || tls === undefined
      ? undefined
      : tlsRequestFor(tls, host, settings),
    gss: gssSetup(target, settings, options.gss),
    policy: policyFor(target, circumstances),
    adapter,
  };
}

function keyOf({ processId, secretKey }: CancelOptions): CancelKey {
  if (!isInt32(processId)) {
    throw new UsageError(
      `Cannot cancel process "${processId}": it must be a signed 32-bit integer`,
      { phase: "cancel" },
    );
  }
  if (secretKey instanceof Uint8Array) {
    if (secretKey.length >= 4 && secretKey.length <= 256) {
      return new CancelKey(processId, secretKey);
    }
    throw new UsageError(
      `Cannot cancel with a key of ${secretKey.length} octets: it must have 4 to 256`,
      { phase: "cancel" },
    );
  }
  if (!isInt32(secretKey)) {
    // The key itself is not shown.
    throw new UsageError("Cannot cancel with this key: it must be octets or a 32-bit integer", {
      phase: "cancel",
    });
  }
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setInt32(0, secretKey);
  return new CancelKey(processId, octets);
}

function isInt32(value: unknown): value is number {
  return Number.isInteger(value) && value === ((value as number) | 0);
}
