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
 *   if (step.next.do === "finish") break; // step.next.result knows the session
 *   if (step.next.do === "fail") throw step.next.error;
 *   if (step.next.do === "start-tls") step = machine.secured(await socket.startTls());
 *   else if (step.next.do === "answer") step = machine.answer(await secretFor(step.next.request));
 *   else step = machine.receive(await socket.read());
 * }
 * ```
 *
 * @module
 */

export { ClientHandshake } from "./client.ts";
export type { ClientConfig, Early, SessionStart } from "./client_state.ts";
export { WrongGuess } from "./early.ts";
export type { EarlyQuery, ExpectedRequest, Guess } from "./early.ts";
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
