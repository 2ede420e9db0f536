import type { HandshakeEvent } from "../handshake/step.ts";
import type { ConnectEventKind, ConnectOptions } from "./options.ts";

/** Hands what the server said to whom it concerns. */
export function deliver(
  event: HandshakeEvent,
  options: Pick<ConnectOptions, "onNotice" | "onNotification" | "onParameter">,
  emit: ((event: ConnectEventKind) => void) | undefined,
): void {
  switch (event.type) {
    case "notice":
      options.onNotice?.(event.notice);
      return;
    case "notification": {
      const { processId, channel, payload } = event;
      options.onNotification?.({ processId, channel, payload });
      return;
    }
    case "parameter":
      options.onParameter?.(event.name, event.value);
      return;
    case "message":
      emit?.(event);
      return;
  }
}
