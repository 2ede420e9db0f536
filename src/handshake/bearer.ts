import { showText } from "../auth/display.ts";
import type { Gate } from "../auth/gate.ts";
import {
  bearerDismissal,
  bearerResponse,
  readTokenStatus,
  type TokenStatus,
} from "../auth/oauthbearer.ts";
import { type Agreed, agreed, type State } from "./client_state.ts";
import type { Outbox } from "./outbox.ts";

/** The states of OAUTHBEARER after SASLInitialResponse (RFC 7628), as `client_state.ts` has them. */
export type BearerState = Extract<
  State,
  { at: "bearer-sent" | "bearer-discovery" | "bearer-refused" | "bearer-found" }
>;

/**
 * Answers AuthenticationSASL with a token or, if there is none yet, asks where to get one.
 *
 * @param token Copied; undefined asks.
 */
export function sendBearer(
  state: Agreed,
  token: Uint8Array | undefined,
  outbox: Outbox,
): Extract<BearerState, { at: "bearer-sent" | "bearer-discovery" }> {
  const data = bearerResponse(token);
  outbox.send({ type: "SASLInitialResponse", mechanism: "OAUTHBEARER", data });
  data.fill(0);
  return { ...agreed(state), at: token === undefined ? "bearer-discovery" : "bearer-sent" };
}

/**
 * Takes the server's status, and lets it end the exchange with its own error.
 *
 * @throws {MessageFormatError} If it is none.
 * @throws {PolicyError} `issuer-mismatch` or `token-unavailable`, if it names no source of tokens that may be used.
 */
export function onTokenStatus(
  state: BearerState,
  data: Uint8Array,
  { gate, outbox }: { readonly gate: Gate; readonly outbox: Outbox },
): BearerState {
  const status = readTokenStatus(data);
  const next: BearerState = state.at === "bearer-discovery"
    ? { ...agreed(state), at: "bearer-found", discovery: gate.judgeTokenSource(status) }
    : { ...agreed(state), at: "bearer-refused", status };
  outbox.send({ type: "SASLResponse", data: bearerDismissal() });
  return next;
}

/** What is known of a token that was refused; the server's own error says only that it was. */
export function adviceOnRefusal({ status, openidConfiguration, scope }: TokenStatus): string {
  const wants = [
    ...(openidConfiguration === undefined ? [] : [`of "${showText(openidConfiguration, 255)}"`]),
    ...(scope === undefined ? [] : [`with scope "${showText(scope, 255)}"`]),
  ];
  const wanted = wants.length === 0 ? "" : `; it wants one ${wants.join(" ")}`;
  return `The server refused the bearer token ("${showText(status)}")${wanted}`;
}
