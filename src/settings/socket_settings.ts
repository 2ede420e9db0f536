import type { ConnectionParameters } from "./parameters.ts";
import { integerSetting } from "./values.ts";

/** What the parameters say about sockets. TCP settings mean nothing to a Unix socket, `requirepeer` nothing to TCP. */
export interface SocketSettings {
  /** For each address; undefined waits for ever. */
  readonly connectTimeoutMs: number | undefined;
  /** Whether TCP keepalives are sent. */
  readonly keepalives: boolean;
  /** Seconds of silence before the first; undefined leaves it to the system. */
  readonly keepalivesIdleS: number | undefined;
  /** Seconds between two; undefined leaves it to the system. */
  readonly keepalivesIntervalS: number | undefined;
  /** How many may be lost; undefined leaves it to the system. */
  readonly keepalivesCount: number | undefined;
  /** How long octets may stay unacknowledged; undefined leaves it to the system. */
  readonly tcpUserTimeoutMs: number | undefined;
  /** The account the server at a Unix socket must run as. */
  readonly requirepeer: string | undefined;
}

/** What timers of every runtime can hold, 24 days; above it they fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Judges the parameters about sockets. 0 and less stand for the system's default, as the manual has it; libpq hands a
 * 0 to systems that refuse it. tcp_user_timeout does not depend on keepalives, again as in the manual.
 *
 * @throws {ConfigError} For a value that is no whole number.
 */
export function resolveSocket(parameters: ConnectionParameters): SocketSettings {
  const seconds = positive(integerSetting("connect_timeout", parameters, "seconds"));
  return {
    connectTimeoutMs: seconds && Math.min(seconds * 1000, MAX_TIMER_MS),
    keepalives: integerSetting("keepalives", parameters) !== 0,
    keepalivesIdleS: positive(integerSetting("keepalives_idle", parameters, "seconds")),
    keepalivesIntervalS: positive(integerSetting("keepalives_interval", parameters, "seconds")),
    keepalivesCount: positive(integerSetting("keepalives_count", parameters)),
    tcpUserTimeoutMs: positive(integerSetting("tcp_user_timeout", parameters, "milliseconds")),
    requirepeer: parameters.requirepeer || undefined,
  };
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}
