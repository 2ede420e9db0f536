import type { TlsFacts } from "../auth/channel.ts";
import { feedOf } from "../transport/feed.ts";
import type { Endpoint, Feed, Sink, TlsRequest, Transport } from "../transport/transport.ts";

/** A transport that somebody else has begun to read: what that reading gives is the first thing read here. */
export class ResumedTransport implements Transport {
  readonly #transport: Transport;
  #reading: Promise<Uint8Array | undefined> | undefined;
  #closed = false;

  /**
   * @param transport The transport.
   * @param reading The reading under way; nobody else uses what it gives.
   */
  constructor(transport: Transport, reading: Promise<Uint8Array | undefined>) {
    this.#transport = transport;
    this.#reading = reading;
  }

  get endpoint(): Endpoint {
    return this.#transport.endpoint;
  }

  read(): Promise<Uint8Array | undefined> {
    const reading = this.#reading;
    if (reading === undefined) return this.#transport.read();
    this.#reading = undefined;
    return reading;
  }

  write(octets: Uint8Array): Promise<void> {
    return this.#transport.write(octets);
  }

  closeWrite(): Promise<void> {
    return this.#transport.closeWrite();
  }

  startTls(request: TlsRequest): Promise<TlsFacts> {
    return this.#transport.startTls(request);
  }

  close(): void {
    this.#closed = true;
    this.#transport.close();
  }

  unref(): void {
    this.#transport.unref?.();
  }

  ref(): void {
    this.#transport.ref?.();
  }

  feed(sink: Sink): Feed {
    const reading = this.#reading;
    if (reading === undefined) return feedOf(this.#transport, sink);
    this.#reading = undefined;
    let feed: Feed | undefined;
    // Nothing to go on with before the reading under way has given something, and was too much.
    let goOn = (): void => {};
    const start = (): void => {
      goOn = () => feed?.resume();
      feed = feedOf(this.#transport, sink);
    };
    reading.then((octets) => {
      if (this.#closed) return;
      if (octets === undefined) sink.end(undefined);
      else if (sink.data(octets)) start();
      else goOn = start;
    }, (error) => {
      if (!this.#closed) sink.end(error as Error);
    });
    return {
      resume: () => goOn(),
      write: (octets, done) => {
        if (feed !== undefined) feed.write(octets, done);
        else this.#transport.write(octets).then(() => done(), done);
      },
    };
  }
}
