import { CancelHandshake } from "../handshake/cancel.ts";
import type { CancelKey } from "../handshake/cancel_key.ts";
import { UsageError } from "../errors.ts";
import { Clock } from "./clock.ts";
import { drive } from "./drive.ts";
import type { Circumstances, Route } from "./establish.ts";
import { startGss } from "./start_gss.ts";

/** How long a cancel may take if nothing else bounds it: it must not outlive the patience of whoever cancels. */
const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Brings a CancelRequest to where the session is, encrypted as the session is, and waits for the server's close, so
 * that a query sent afterwards is not hit.
 *
 * @throws {ConnectionError} If the way there fails, `timeout` and `aborted` among it.
 */
export async function cancelOver(
  route: Route,
  key: CancelKey,
  options: {
    readonly remoteAddress: string | undefined;
    readonly signal: AbortSignal | undefined;
    readonly timeoutMs: number | undefined;
    readonly emit: Circumstances["emit"];
  },
): Promise<void> {
  const { address, adapter, encryption, policy, tls, gss } = route;
  const clock = new Clock(options.signal, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  try {
    // The session's own address: another one of the same name may be another server.
    const same = address.kind === "tcp"
      ? { ...address, host: options.remoteAddress ?? address.host }
      : address;
    let transport = await adapter.dial(same, clock.signal);
    try {
      const machine = new CancelHandshake({
        encryption,
        key,
        policy: { ...policy, channelBinding: "disable" },
        channel: { kind: "plain", local: transport.endpoint.local },
        traced: options.emit !== undefined,
      });
      await drive(machine, transport, {
        tls,
        clock,
        phase: () => machine.phase,
        startGss: async (plain) => {
          if (gss === undefined) throw new TypeError("A session with GSSAPI has no provider");
          const secured = await startGss(plain, gss, clock);
          transport = secured.transport;
          return secured;
        },
        answer: (request) => {
          throw new UsageError(`Cannot answer "${request.want}": a cancel asks for nothing`);
        },
        report: (event) => {
          if (event.type === "message" || event.type === "secured") options.emit?.(event);
        },
      });
    } finally {
      transport.close();
    }
  } catch (error) {
    if (clock.signal.aborted) throw clock.error("cancel");
    throw error;
  } finally {
    clock.stop();
  }
}
