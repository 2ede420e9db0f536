import { CancelHandshake } from "../handshake/cancel.ts";
import type { CancelKey } from "../handshake/cancel_key.ts";
import { UsageError } from "../errors.ts";
import type { Address, Transport } from "../transport/transport.ts";
import { Clock } from "./clock.ts";
import { drive } from "./drive.ts";
import type { Circumstances, Route } from "./establish.ts";
import { mayDial } from "./host.ts";
import { startGss } from "./start_gss.ts";

/** How long a cancel may take if nothing else bounds it: it must not outlive the patience of whoever cancels. */
export const CANCEL_TIMEOUT_MS = 10_000;

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
  const { address } = route;
  const clock = new Clock(options.signal, options.timeoutMs ?? CANCEL_TIMEOUT_MS);
  try {
    await bringCancel({ ...route, address: sameAddress(address, options.remoteAddress) }, key, {
      plaintextAfterRefusal: false,
      clock,
      emit: options.emit,
    });
  } finally {
    clock.stop();
  }
}

/**
 * The session's own address: another one of the same name may be another server, which ignores the key. By the name where
 * Deno permits nothing else.
 */
function sameAddress(address: Address, remoteAddress: string | undefined): Address {
  return address.kind === "tcp" && remoteAddress !== undefined &&
      mayDial(remoteAddress, address.port)
    ? { ...address, host: remoteAddress }
    : address;
}

/**
 * The same within bounds that are there already.
 *
 * @throws {ConnectionError} If the way there fails, `timeout` and `aborted` among it.
 */
export async function bringCancel(
  route: Route,
  key: CancelKey,
  options: {
    /** Whether the request may go in plaintext when the server has no TLS. */
    readonly plaintextAfterRefusal: boolean;
    readonly clock: Clock;
    readonly emit: Circumstances["emit"];
  },
): Promise<void> {
  const { address, adapter, encryption, policy, tls, gss } = route;
  const { clock, emit, plaintextAfterRefusal } = options;
  let transport = await dialWithin(clock, adapter, address);
  try {
    const machine = new CancelHandshake({
      encryption,
      plaintextAfterRefusal,
      key,
      policy: { ...policy, channelBinding: "disable" },
      channel: { kind: "plain", local: transport.endpoint.local },
      traced: emit !== undefined,
    });
    await drive(machine, transport, {
      tls,
      clock,
      phase: () => machine.phase,
      startGss: async (plain) => {
        if (gss === undefined) throw new TypeError("A cancel with GSSAPI has no provider");
        const secured = await startGss(plain, gss, clock);
        transport = secured.transport;
        return secured;
      },
      answer: (request) => {
        throw new UsageError(`Cannot answer "${request.want}": a cancel asks for nothing`);
      },
      report: (event) => {
        if (event.type === "message" || event.type === "secured") emit?.(event);
      },
    });
  } finally {
    transport.close();
  }
}

async function dialWithin(
  clock: Clock,
  adapter: Route["adapter"],
  address: Address,
): Promise<Transport> {
  try {
    return await adapter.dial(address, clock.signal);
  } catch (error) {
    if (clock.expired) throw clock.error("dial");
    throw error;
  }
}
