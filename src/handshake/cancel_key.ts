import { encodeFrontend } from "../wire/frontend.ts";

/**
 * What BackendKeyData gave: the right to cancel this session's query. It can make the CancelRequest and nothing
 * else, so that the key cannot be printed, logged or serialized by accident.
 */
export class CancelKey {
  /** The process ID of the server process; 32 opaque bits behind a pooler. */
  readonly processId: number;
  /** The four octets of protocol 3.0 as an integer: octets of their own take ten times the memory. */
  readonly #secretKey: Uint8Array | number;

  /**
   * Takes the key in.
   *
   * @param processId As BackendKeyData says, signed.
   * @param secretKey 4 octets on protocol 3.0, 4 to 256 on 3.2; copied.
   */
  constructor(processId: number, secretKey: Uint8Array) {
    this.processId = processId;
    this.#secretKey = secretKey.length === 4 ? integerOf(secretKey) : new Uint8Array(secretKey);
  }

  /** How many octets the key has; the key itself stays inside. */
  get keyLength(): number {
    return typeof this.#secretKey === "number" ? 4 : this.#secretKey.length;
  }

  /** The CancelRequest packet for this session. */
  request(): Uint8Array {
    const key = this.#secretKey;
    return encodeFrontend({
      type: "CancelRequest",
      processId: this.processId,
      secretKey: typeof key === "number" ? octetsOf(key) : key,
    });
  }
}

function integerOf([a = 0, b = 0, c = 0, d = 0]: Uint8Array): number {
  return (a << 24) | (b << 16) | (c << 8) | d;
}

function octetsOf(integer: number): Uint8Array {
  return Uint8Array.of(integer >>> 24, integer >>> 16, integer >>> 8, integer);
}
