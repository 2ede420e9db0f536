import type { Transport } from "../transport/transport.ts";

/** Both directions of a transport. */
export interface WebStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/**
 * A transport as Web Streams. Nothing is read ahead, and a write is over when the socket has taken it, so back-pressure
 * passes through both ways.
 *
 * @param transport Nobody else uses it from now on.
 * @param leftover What comes first out of `readable`.
 */
export function webStreamsOf(transport: Transport, leftover: Uint8Array): WebStreams {
  let first = leftover;
  let ended = 0;
  // One direction may end before the other; the socket is released after both.
  const end = (): void => {
    ended += 1;
    if (ended === 2) transport.close();
  };
  const readable = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const octets = first.length > 0 ? first : await transport.read();
      first = NOTHING;
      if (octets !== undefined) return controller.enqueue(octets);
      controller.close();
      end();
    },
    cancel: () => transport.close(),
  }, { highWaterMark: 0 });
  const writable = new WritableStream<Uint8Array>({
    write: (octets) => transport.write(octets),
    async close() {
      await transport.closeWrite();
      end();
    },
    abort: () => transport.close(),
  });
  return { readable, writable };
}

const NOTHING: Uint8Array = new Uint8Array(0);
