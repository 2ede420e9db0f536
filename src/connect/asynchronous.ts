import { keepParameter } from "../handshake/prepare.ts";
import type { BackendMessage } from "../wire/backend.ts";
import type { ConnectOptions } from "./options.ts";

/**
 * Takes messages that may come at any time (PostgreSQL manual, 54.2.7, "Asynchronous Operations").
 *
 * @param parameters The session's run-time parameters; a change is entered here.
 * @param options Who is told.
 * @returns A function that says of a message whether it was one of them.
 */
export function asynchronousTaker(
  parameters: Map<string, string>,
  options: Pick<ConnectOptions, "onNotice" | "onNotification" | "onParameter">,
): (message: BackendMessage) => boolean {
  return (message) => {
    switch (message.type) {
      case "ParameterStatus":
        keepParameter(parameters, message, "ready");
        options.onParameter?.(message.name, message.value);
        return true;
      case "NoticeResponse":
        options.onNotice?.(message.fields);
        return true;
      case "NotificationResponse": {
        const { processId, channel, payload } = message;
        options.onNotification?.({ processId, channel, payload });
        return true;
      }
      default:
        return false;
    }
  };
}
