import { keepParameter } from "../handshake/prepare.ts";
import type { BackendMessage } from "../wire/backend.ts";
import type { ConnectOptions } from "./options.ts";
import type { SessionParameters } from "./session_parameters.ts";

/**
 * Takes a message if it is one that may come at any time (PostgreSQL manual, 54.2.7, "Asynchronous Operations").
 *
 * @param message What came.
 * @param parameters The session's run-time parameters; a change is entered here.
 * @param listener Who is told.
 * @returns Whether it was one of them.
 */
export function takeAsynchronous(
  message: BackendMessage,
  parameters: Pick<SessionParameters, "own">,
  listener: Pick<ConnectOptions, "onNotice" | "onNotification" | "onParameter">,
): boolean {
  switch (message.type) {
    case "ParameterStatus":
      keepParameter(parameters.own(), message, "ready");
      listener.onParameter?.(message.name, message.value);
      return true;
    case "NoticeResponse":
      listener.onNotice?.(message.fields);
      return true;
    case "NotificationResponse": {
      const { processId, channel, payload } = message;
      listener.onNotification?.({ processId, channel, payload });
      return true;
    }
    default:
      return false;
  }
}
