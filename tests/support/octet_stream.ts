/** A socket read by the piece, for servers that follow a script. */
import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";

/** What arrived on a socket, waiting to be taken. */
export class OctetStream {
  readonly socket: Duplex;
  #held: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => {};

  readonly #listeners: readonly (readonly [event: string, listener: (chunk: Uint8Array) => void])[];

  /** @param onOctets Hears of everything that arrives. */
  constructor(socket: Duplex, onOctets: (octets: Uint8Array) => void) {
    this.socket = socket;
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    const data = (chunk: Uint8Array): void => {
      onOctets(new Uint8Array(chunk));
      this.#held = Buffer.concat([this.#held, chunk]);
      this.#wake();
    };
    // A reset by the client is one of the ends a script must survive; the client's side is what is tested.
    this.#listeners = [["data", data], ["end", end], ["close", end], ["error", end]];
    for (const [event, listener] of this.#listeners) socket.on(event, listener);
  }

  /** Takes `count` octets; undefined if the other side ends first. */
  async take(count: number): Promise<Buffer | undefined> {
    while (this.#held.length < count) {
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const taken = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return taken;
  }

  /** Takes one message: with a type octet, or without one as the first packets of a client are. */
  async takeMessage(typed: boolean): Promise<Buffer | undefined> {
    const head = await this.take(typed ? 5 : 4);
    if (head === undefined) return undefined;
    const body = await this.take(head.readInt32BE(typed ? 1 : 0) - 4);
    return body === undefined ? undefined : Buffer.concat([head, body]);
  }

  /** Settles when the other side has ended. */
  async untilEnd(): Promise<void> {
    while (!this.#ended) await new Promise<void>((resolve) => this.#wake = resolve);
  }

  /** Lets the socket go, for somebody else to read; returns what was not taken. */
  release(): Buffer {
    for (const [event, listener] of this.#listeners) this.socket.off(event, listener);
    return this.#held;
  }
}
