import { abortError } from "./clock.ts";
import type { Circumstances } from "./establish.ts";
import type { Memory } from "./memory.ts";
import type { ConnectEventKind, ConnectOptions } from "./options.ts";
import type { Settling } from "./settled.ts";

/**
 * Brings together what stays the same over all attempts of one `connect()`.
 *
 * @param settling Settles the target.
 * @param options Those of this connection.
 * @param memory What connections before it learned.
 * @param began When it was asked for, as `performance.now()` tells.
 * @throws {ConfigError} The settings are wrong, or cannot be honoured here.
 */
export async function circumstancesOf(
  settling: Settling,
  options: ConnectOptions,
  { memory, began }: { readonly memory: Memory; readonly began: number },
): Promise<Circumstances> {
  const { onEvent, signal } = options;
  if (signal?.aborted) throw abortError(signal, "settings");
  const settled = await settling.settle(options);
  if (signal?.aborted) throw abortError(signal, "settings");
  const emit = onEvent === undefined
    ? undefined
    : (event: ConnectEventKind): void => onEvent({ at: performance.now() - began, ...event });
  return { ...settled, options, memory, emit };
}
