import { legacyMethods } from "../auth/legacy.ts";
import { tokensOf } from "./bearer.ts";
import { abortError } from "./clock.ts";
import type { Circumstances } from "./establish.ts";
import { checkFirstQuery } from "./first_query.ts";
import { gssMode } from "./gss_mode.ts";
import { host } from "./host.ts";
import { Memory } from "./memory.ts";
import type { ConnectEventKind, ConnectOptions, Target } from "./options.ts";
import { Settling } from "./settled.ts";

/**
 * Brings together what stays the same over all attempts of one `connect()`.
 *
 * @param settling Settles the target.
 * @param options Those of this connection.
 * @param memory What connections before it learned.
 * @param began When it was asked for, as `performance.now()` tells.
 * @throws {ConfigError} The settings are wrong, or cannot be honoured here.
 * @throws {UsageError} The first query cannot be sent.
 */
export async function circumstancesOf(
  settling: Settling,
  options: ConnectOptions,
  { memory, began }: { readonly memory: Memory; readonly began: number },
): Promise<Circumstances> {
  const { onEvent, signal } = options;
  checkFirstQuery(options.firstQuery);
  legacyMethods(options.allowLegacyAuth ?? []);
  if (signal?.aborted) throw abortError(signal, "settings");
  const settled = await settling.settle(options);
  if (signal?.aborted) throw abortError(signal, "settings");
  const emit = onEvent === undefined
    ? undefined
    : (event: ConnectEventKind): void => onEvent({ at: performance.now() - began, ...event });
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
 */
export async function circumstancesOnce(
  target: Target | undefined,
  options: ConnectOptions,
): Promise<Circumstances> {
  const memory = new Memory("off", false);
  const began = performance.now();
  return await circumstancesOf(new Settling(target, options, host), options, { memory, began });
}
