import { MessageFormatError, type Phase, ProtocolError } from "../errors.ts";
import type { BackendMessage } from "../wire/backend.ts";
import type { ParameterStatus } from "../wire/parameters.ts";
import { PROTOCOL_3_0 } from "../wire/codes.ts";
import type { AuthenticationMeans } from "./authentication.ts";
import { CancelKey } from "./cancel_key.ts";
import type { PrepareState } from "./client_state.ts";
import { outOfPlace, repeated } from "./refusals.ts";

/**
 * Takes one message between AuthenticationOk and ReadyForQuery: any number of them, in any order, the key at most
 * once.
 *
 * @throws {ProtocolError} For a message that has no place there.
 * @throws {MessageFormatError} For a key this protocol version does not have.
 */
export function prepare(
  state: PrepareState,
  message: BackendMessage,
  { outbox, config }: Pick<AuthenticationMeans, "outbox" | "config">,
): PrepareState {
  switch (message.type) {
    case "ParameterStatus":
      // The map is this state's own until ReadyForQuery, so it grows in place.
      keepParameter(state.parameters as Map<string, string>, message, "prepare");
      if (config.parametersUnheard !== true) {
        outbox.report({ type: "parameter", name: message.name, value: message.value });
      }
      return state;
    case "BackendKeyData":
      if (state.cancelKey !== undefined) throw repeated(message, state);
      return { ...state, cancelKey: judgeKey(message, state.version) };
    case "NoticeResponse":
      outbox.report({ type: "notice", notice: message.fields });
      return state;
    case "NotificationResponse": {
      const { processId, channel, payload } = message;
      outbox.report({ type: "notification", processId, channel, payload });
      return state;
    }
    default:
      throw outOfPlace(message, state);
  }
}

/** PostgreSQL 18 reports 15 parameters and knows below 400; beyond this it is an attack on memory. */
const MAX_PARAMETERS = 1_000;

/**
 * Keeps the last value of a parameter.
 *
 * @throws {ProtocolError} If the server reports more different ones than any server has.
 */
export function keepParameter(
  parameters: Map<string, string>,
  status: ParameterStatus,
  phase: Phase,
): void {
  if (parameters.size >= MAX_PARAMETERS && !parameters.has(status.name)) {
    throw new ProtocolError(
      `Cannot take another ParameterStatus: the server has reported ${MAX_PARAMETERS} parameters`,
      { phase },
    );
  }
  parameters.set(status.name, status.value);
}

/** BackendKeyData as libpq 18 takes it: 4 octets on protocol 3.0, 4 to 256 on 3.2 (getBackendKeyData). */
function judgeKey(
  message: Extract<BackendMessage, { type: "BackendKeyData" }>,
  version: number,
): CancelKey {
  const { processId, secretKey } = message;
  if (version === PROTOCOL_3_0 && secretKey.length !== 4) {
    throw new MessageFormatError(
      "BackendKeyData",
      `its key has ${secretKey.length} octets where protocol 3.0 has 4`,
    );
  }
  return new CancelKey(processId, secretKey);
}
