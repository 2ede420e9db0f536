/** An adapter that opens real sockets, but late or never, and records what is done to them. */
import { nodeAdapter } from "../../src/transport/node.ts";
import type { Adapter, Address, Transport } from "../../src/transport/transport.ts";

/** What became of one dial of a {@link tamperedAdapter}. */
export interface Dial {
  readonly address: string;
  aborted: boolean;
  opened: boolean;
  closed: boolean;
  written: number;
}

/**
 * The adapter of `node:net`, which every runtime has.
 *
 * @param behaviour Holds an open socket back until it settles; rejects as `dial` would.
 */
export function tamperedAdapter(
  behaviour: (address: string, signal: AbortSignal | undefined) => Promise<void>,
): { readonly adapter: Adapter; readonly dials: readonly Dial[] } {
  const dials: Dial[] = [];
  const dial = async (to: Address, signal?: AbortSignal): Promise<Transport> => {
    const address = to.kind === "tcp" ? to.host : to.path;
    const one: Dial = { address, aborted: false, opened: false, closed: false, written: 0 };
    dials.push(one);
    signal?.addEventListener("abort", () => one.aborted = true);
    // Not told that it was given up: a loser that comes anyway is the hard case.
    const transport = await nodeAdapter.dial(to);
    one.opened = true;
    await behaviour(address, signal).catch((error: unknown) => {
      transport.close();
      throw error;
    });
    return recorded(transport, one);
  };
  return { adapter: { ...nodeAdapter, dial }, dials };
}

function recorded(transport: Transport, dial: Dial): Transport {
  return {
    endpoint: transport.endpoint,
    read: () => transport.read(),
    write(octets) {
      dial.written += octets.length;
      return transport.write(octets);
    },
    closeWrite: () => transport.closeWrite(),
    startTls: (request) => transport.startTls(request),
    close() {
      dial.closed = true;
      transport.close();
    },
  };
}
