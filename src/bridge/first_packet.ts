import { type ConfigError, ProtocolError } from "../errors.ts";
import { MAX_STARTUP_LENGTH } from "../wire/codes.ts";
import { Deframer } from "../wire/deframer.ts";
import { decodeStartupPacket, type StartupMessage } from "../wire/startup.ts";

/** What a driver wants of a new connection. */
export type Wish =
  | StartupMessage
  | { readonly type: "CancelRequest"; readonly processId: number; readonly secretKey: Uint8Array }
  /** The driver changed its mind before it asked for anything. */
  | { readonly type: "Terminate" };

/** ContentType handshake of a TLS record (RFC 8446, 5.1): a ClientHello where a packet's length should be. */
const TLS_HANDSHAKE = 0x16;
const TERMINATE = 0x58;
const MAJOR_VERSION = 3;

/** Reads the first packet of a driver, however it is cut, and refuses what would be secured by guess. */
export class FirstPacket {
  readonly #deframer = new Deframer();
  readonly #ownTls: (asked: string) => ConfigError;

  /** @param ownTls Makes the error for a driver that wants encryption of its own. */
  constructor(ownTls: (asked: string) => ConfigError) {
    this.#ownTls = ownTls;
  }

  /**
   * Takes octets in.
   *
   * @returns What the driver wants; undefined until its packet is complete.
   * @throws {ConfigError} If it asks for TLS or GSS encryption, which is the target's business.
   * @throws {ProtocolError} Or {@link MessageFormatError}, if this is no packet to begin a connection with.
   */
  push(octets: Uint8Array): Wish | undefined {
    this.#deframer.push(octets);
    const first = this.#deframer.peek();
    if (first === TLS_HANDSHAKE) throw this.#ownTls("a TLS handshake (sslnegotiation=direct)");
    // No length word begins with this octet.
    if (first === TERMINATE) return { type: "Terminate" };
    const body = this.#deframer.packet(MAX_STARTUP_LENGTH);
    if (body === undefined) return undefined;
    const packet = decodeStartupPacket(body);
    switch (packet.type) {
      case "StartupMessage":
      case "CancelRequest":
        return packet;
      case "SSLRequest":
        throw this.#ownTls("SSLRequest");
      case "GSSENCRequest":
        throw this.#ownTls("GSSENCRequest");
      case "UnknownStartupPacket":
        throw new ProtocolError(
          `Cannot answer the driver: it asks for protocol ${packet.version >>> 16}.${
            packet.version & 0xffff
          }, the bridge speaks ${MAJOR_VERSION}.0`,
          { phase: "start-up" },
        );
    }
  }

  /** Takes out what came behind the packet. */
  rest(): Uint8Array {
    return this.#deframer.take();
  }
}
