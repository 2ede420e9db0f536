import type { TlsFacts } from "../auth/channel.ts";
import type { Endpoint, TlsRequest, Transport } from "../transport/transport.ts";

/** A transport that somebody else has begun to read: what that reading gives is the first thing read here. */
export class ResumedTransport implements Transport {
  readonly #transport: Transport;
  #reading: Promise<Uint8Array | undefined> | undefined;

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
    this.#transport.close();
  }
}
