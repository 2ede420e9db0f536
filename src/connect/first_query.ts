import type { EarlyQuery } from "../handshake/early.ts";
import type { ConnectOptions } from "./options.ts";
import { encodeQuery } from "./run_query.ts";

type Option = ConnectOptions["firstQuery"];

/** The statements; undefined if there are none. */
export function firstQueryText(option: Option): string | undefined {
  return typeof option === "string" ? option : option?.text;
}

/** What of it may leave before the server is ready; undefined if nothing may. */
export function earlyQueryOf(option: Option): EarlyQuery | undefined {
  const text = firstQueryText(option);
  const earlyOn = typeof option === "object" ? option.earlyOn : undefined;
  return text === undefined || earlyOn === "none"
    ? undefined
    : { text, over: earlyOn ?? "trusted-channel" };
}

/**
 * Refuses a first query that cannot be sent, before anything is dialed.
 *
 * @throws {UsageError} If the text holds a zero octet or half a surrogate pair.
 */
export function checkFirstQuery(option: Option): void {
  const text = firstQueryText(option);
  if (text !== undefined) encodeQuery(text);
}
