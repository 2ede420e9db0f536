import type { Feed, Sink, Transport } from "./transport.ts";

/** The feed of a transport; of one that has none, by its promises. */
export function feedOf(transport: Transport, sink: Sink): Feed {
  if (transport.feed !== undefined) return transport.feed(sink);
  let resume: (() => void) | undefined;
  void readInto(transport, sink, () => new Promise((go) => resume = go));
  return {
    resume(): void {
      resume?.();
      resume = undefined;
    },
    write(octets, done): void {
      transport.write(octets).then(() => done(), done);
    },
  };
}

async function readInto(
  transport: Transport,
  sink: Sink,
  resumed: () => Promise<void>,
): Promise<void> {
  for (;;) {
    let octets: Uint8Array | undefined;
    try {
      octets = await transport.read();
    } catch (error) {
      return sink.end(error as Error);
    }
    if (octets === undefined) return sink.end(undefined);
    if (!sink.data(octets)) await resumed();
  }
}
