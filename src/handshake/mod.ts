/**
 * Start-up as state machines: feed them octets, do what they say. No sockets, no clock, no chance.
 *
 * @example
 * ```ts
 * import { ClientHandshake } from "pg-handshake/handshake";
 *
 * const machine = new ClientHandshake(config);
 * let step = machine.start();
 * for (;;) {
 *   if (step.send.length > 0) await socket.write(step.send);
 *   const { next } = step;
 *   if (next.do === "finish") break; // next.result knows the session
 *   if (next.do === "fail") throw next.error;
 *   if (next.do === "start-tls") step = machine.secured(await socket.startTls());
 *   else if (next.do === "start-gss") step = machine.secured(await socket.startGss());
 *   else if (next.do === "answer") step = machine.answer(await secretFor(next.request));
 *   else {
 *     const octets = await socket.read();
 *     step = octets === undefined ? machine.receiveEnd() : machine.receive(octets);
 *   }
 * }
 * ```
 *
 * @module
 */

export { ClientHandshake } from "./client.ts";
export type { ClientConfig, Early, SessionStart } from "./client_state.ts";
export { WrongGuess } from "./early.ts";
export type { EarlyQuery, ExpectedRequest, Guess } from "./early.ts";
export { TokenWanted } from "./token_wanted.ts";
export { CancelHandshake } from "./cancel.ts";
export type { CancelConfig } from "./cancel.ts";
export { CancelKey } from "./cancel_key.ts";
export { MAX_START_OCTETS, PHASES } from "./phases.ts";
export type { PhaseRules, ReadingPlace } from "./phases.ts";
export { readServerVersion } from "./server_version.ts";
export type { ServerVersion } from "./server_version.ts";
export { ServerError } from "./server_error.ts";
export type {
  Answer,
  AnswerRequest,
  HandshakeEvent,
  Machine,
  MessageEvent,
  Next,
  Step,
} from "./step.ts";
