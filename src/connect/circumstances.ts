import { legacyMethods } from "../auth/legacy.ts";
import { now } from "../transport/runtime.ts";
import { tokensOf } from "./bearer.ts";
import { abortError, Clock } from "./clock.ts";
import type { Circumstances } from "./establish.ts";
import { checkFirstQuery } from "./first_query.ts";
import { gssMode } from "./gss_mode.ts";
import { host } from "./host.ts";
import { Memory } from "./memory.ts";
import type { ConnectEventKind, ConnectOptions, Target } from "./options.ts";
import { type Settled, settleOnce } from "./settled.ts";

/**
 * Settles a target for one connection, after a look at what nothing else judges.
 *
 * @param options Those of this connection.
 * @param settle Settles the target.
 * @throws {ConfigError} The settings are wrong, or cannot be honoured here.
 * @throws {UsageError} The first query cannot be sent.
 */
export async function settledFor(
  options: ConnectOptions,
  settle: () => Promise<Settled>,
): Promise<Settled> {
  const { signal } = options;
  checkFirstQuery(options.firstQuery);
  legacyMethods(options.allowLegacyAuth ?? []);
  if (signal?.aborted) throw abortError(signal, "settings");
  if (signal === undefined) return await settle();
  const clock = new Clock(signal, undefined);
  try {
    const settled = await clock.race(settle(), "settings");
    if (clock.expired) throw clock.error("settings");
    return settled;
  } finally {
    clock.stop();
  }
}

/**
 * Brings together what stays the same over all attempts of one `connect()`.
 *
 * @param settled What was settled before.
 * @param options Those of this connection.
 * @param memory What connections before it learned.
 * @param began When it was asked for, as `now()` tells.
 * @throws {ConfigError} GSSAPI cannot be had.
 */
export async function circumstancesOf(
  settled: Settled,
  options: ConnectOptions,
  memory: Memory,
  began: number,
): Promise<Circumstances> {
  const { onEvent, signal } = options;
  const emit = onEvent === undefined
    ? undefined
    : (event: ConnectEventKind): void => onEvent({ at: now() - began, ...event });
  const gss = options.gss === undefined
    ? "never"
    : await gssMode(settled.settings, options.gss, signal);
  const tokens = tokensOf(options.bearerToken, settled.settings, host);
  return { ...settled, options, memory, tokens, gss, emit };
}

/**
 * The same for one connection that learns from none and teaches none.
 *
 * @throws {ConfigError} The settings are wrong, or cannot be honoured here.
 * @throws {UsageError} The first query cannot be sent.
 */
export async function circumstancesOnce(
  target: Target | undefined,
  options: ConnectOptions,
  began: number = now(),
): Promise<Circumstances> {
  const settled = await settledFor(options, () => settleOnce(target, options, host));
  return await circumstancesOf(settled, options, Memory.ofOne(), began);
}
