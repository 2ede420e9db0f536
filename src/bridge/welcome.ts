import type { SessionFacts } from "../connect/detached.ts";
import { type BackendMessage, encodeBackend } from "../wire/backend.ts";
import { PROTOCOL_3_0 } from "../wire/codes.ts";
import { joinOctets } from "../wire/join.ts";
import type { NoticeFields } from "../wire/notice.ts";
import type { StartupMessage } from "../wire/startup.ts";

/** What a server says to a driver at the end of start-up. */
export interface Welcome {
  /** What the driver asked for. */
  readonly startup: StartupMessage;
  readonly facts: Pick<SessionFacts, "parameters" | "processId" | "transactionStatus">;
  /** In place of the real key; undefined if the server gave none. */
  readonly secretKey: Uint8Array | undefined;
  /** What the server remarked during start-up. */
  readonly notices: readonly NoticeFields[];
  /** What the server sent behind ReadyForQuery. */
  readonly leftover: Uint8Array;
}

/** The end of start-up as a server tells it, in one piece: no authentication is asked for. */
export function encodeWelcome(welcome: Welcome): Uint8Array {
  const { startup, facts, secretKey, notices, leftover } = welcome;
  const { parameters, processId, transactionStatus } = facts;
  const unrecognized = startup.parameters.map(([name]) => name).filter((name) =>
    name.startsWith("_pq_.")
  );
  const messages: BackendMessage[] = [];
  if (startup.version !== PROTOCOL_3_0 || unrecognized.length > 0) {
    messages.push({ type: "NegotiateProtocolVersion", version: PROTOCOL_3_0, unrecognized });
  }
  messages.push({ type: "AuthenticationOk" });
  for (const [name, value] of parameters) messages.push({ type: "ParameterStatus", name, value });
  if (processId !== undefined && secretKey !== undefined) {
    messages.push({ type: "BackendKeyData", processId, secretKey });
  }
  for (const fields of notices) messages.push({ type: "NoticeResponse", fields });
  messages.push({ type: "ReadyForQuery", status: transactionStatus });
  return joinOctets([...messages.map(encodeBackend), leftover]);
}
