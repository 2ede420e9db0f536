import { encodeFrontend } from "../wire/frontend.ts";

/**
 * What BackendKeyData gave: the right to cancel this session's query. It can make the CancelRequest and nothing
 * else, so that the key cannot be printed, logged or serialized by accident.
 */
export class CancelKey {
  /** The process ID of the server process; 32 opaque bits behind a pooler. */
  readonly processId: number;
  readonly #secretKey: Uint8Array;

  /**
   * Takes the key in.
   *
   * @param processId As BackendKeyData says, signed.
   * @param secretKey 4 octets on protocol 3.0, 4 to 256 on 3.2; copied.
   */
  constructor(processId: number, secretKey: Uint8Array) {
    this.processId = processId;
    this.#secretKey = secretKey.slice();
  }

  /** How many octets the key has; the key itself stays inside. */
  get keyLength(): number {
    return this.#secretKey.length;
  }

  /** The CancelRequest packet for this session. */
  request(): Uint8Array {
    return encodeFrontend({
      type: "CancelRequest",
      processId: this.processId,
      secretKey: this.#secretKey,
    });
  }
}
