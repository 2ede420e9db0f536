/** The server's end of an in-memory connection, told by a test what to say. */
import { type BackendMessage, encodeBackend } from "../../src/wire/backend.ts";
import {
  decodeFrontend,
  type PasswordContext,
  type TypedFrontendMessage,
} from "../../src/wire/frontend.ts";
import { decodeStartupPacket, type StartupPacket } from "../../src/wire/startup.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { join } from "../support/vectors.ts";

/** The client closed its side where the test's server still waited for it; the end of a play, no failure. */
export class ClientClosed extends Error {}

/** The names of messages a client may send where nothing is expected of it any more. */
const LATE: Readonly<Record<number, string>> = { 0x51: "Query", 0x58: "Terminate", 0x70: "p" };

/** One connection as the server sees it. */
export class Peer {
  /** The names of all messages of the client so far. */
  readonly sent: string[] = [];
  /** What a server must not get to see, for tests that look for it: everything the client wrote. */
  readonly octets: Uint8Array[] = [];
  #transport: Transport;
  #held: Uint8Array = new Uint8Array(0);
  #ended = false;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Whether the client has closed its side, as far as it was read. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The next packet without a type octet. */
  async packet(): Promise<StartupPacket> {
    const length = new DataView((await this.#take(4)).buffer).getInt32(0);
    const packet = decodeStartupPacket(await this.#take(length - 4));
    this.sent.push(packet.type);
    return packet;
  }

  /** The next message with a type octet; `expect` says what a `p` is. */
  async message(expect: PasswordContext = "none"): Promise<TypedFrontendMessage> {
    const head = await this.#take(5);
    const body = await this.#take(new DataView(head.buffer).getInt32(1) - 4);
    const message = decodeFrontend({ type: head[0] ?? 0, body }, expect);
    this.sent.push(message.type);
    return message;
  }

  /** Sends messages, or octets, as one chunk. */
  async send(...messages: readonly (BackendMessage | Uint8Array)[]): Promise<void> {
    await this.#transport.write(
      join(...messages.map((one) => one instanceof Uint8Array ? one : encodeBackend(one))),
    );
  }

  /** Closes the server's side; the client may still speak. */
  async end(): Promise<void> {
    await this.#transport.closeWrite();
  }

  /** Breaks the connection: no orderly end. */
  break(): void {
    this.#ended = true;
    this.#transport.close();
  }

  /** Notes what else the client says until it closes. */
  async untilClosed(): Promise<void> {
    try {
      for (;;) {
        const head = await this.#take(5);
        await this.#take(new DataView(head.buffer).getInt32(1) - 4);
        this.sent.push(LATE[head[0] ?? 0] ?? `message of type ${head[0]}`);
      }
    } catch (error) {
      if (!(error instanceof ClientClosed)) throw error;
    }
  }

  /** The next octets, whatever they are. */
  async raw(count: number): Promise<Uint8Array> {
    return await this.#take(count);
  }

  /** Goes on over another transport, which stands on the present one. */
  upgrade(wrap: (transport: Transport) => Transport): void {
    this.#transport = wrap(this.#transport);
  }

  async #take(count: number): Promise<Uint8Array> {
    while (this.#held.length < count) {
      const octets = this.#ended ? undefined : await this.#transport.read();
      if (octets === undefined) {
        this.#ended = true;
        throw new ClientClosed(`the client closed after ${this.sent.join(", ")}`);
      }
      this.octets.push(octets);
      this.#held = join(this.#held, octets);
    }
    const taken = this.#held.slice(0, count);
    this.#held = this.#held.subarray(count);
    return taken;
  }
}
