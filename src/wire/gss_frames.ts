import { ConnectionError, ProtocolError } from "../errors.ts";
import { BACKEND } from "./codes.ts";
import { joinOctets } from "./join.ts";

/** The length in front of every frame. */
const HEADER = 4;

/** Small pieces are kept apart up to this many: each by itself takes far more memory than its octets. */
const MAX_PIECES = 64;

/** Greatest frame while the context is set up, header included (be-secure-gssapi.c, PQ_GSS_AUTH_BUFFER_SIZE). */
export const MAX_GSS_TOKEN_FRAME = 65_536;
/** Greatest frame of a session, header included (fe-secure-gssapi.c, PQ_GSS_MAX_PACKET_SIZE). */
export const MAX_GSS_FRAME = 16_384;
/** What may be in it. */
export const MAX_GSS_PACKET: number = MAX_GSS_FRAME - HEADER;
/** What may be in a frame while the context is set up. */
export const MAX_GSS_TOKEN: number = MAX_GSS_TOKEN_FRAME - HEADER;

/** Puts its length in front of a token or a wrapped packet. */
export function gssFrame(content: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER + content.length);
  new DataView(frame.buffer).setUint32(0, content.length);
  frame.set(content, HEADER);
  return frame;
}

/**
 * Cuts a stream encrypted by GSSAPI into its frames (PostgreSQL manual, 54.2.11): a length, then so many octets.
 */
export class GssDeframer {
  #chunks: Uint8Array[] = [];
  #held = 0;

  /** How many octets were pushed and not taken. */
  get held(): number {
    return this.#held;
  }

  /** Takes octets of the peer, cut anywhere. Copies them. */
  push(octets: Uint8Array): void {
    if (octets.length === 0) return;
    this.#chunks.push(new Uint8Array(octets));
    this.#held += octets.length;
    if (this.#chunks.length > MAX_PIECES) this.#join();
  }

  /**
   * The content of the next frame; undefined until all of it has come.
   *
   * @param maxFrame The greatest legal frame, header included.
   * @param isSetUp Whether the context is being set up, where the server may answer with an error in clear.
   * @throws {ConnectionError} `gss-failed` for such an error, whose text is neither read nor shown (CVE-2022-41862).
   * @throws {ProtocolError} If the frame is longer, or empty.
   */
  next(maxFrame: number, isSetUp: boolean): Uint8Array | undefined {
    if (this.#held < HEADER) {
      if (this.#chunks[0]?.[0] === BACKEND.ErrorResponse && isSetUp) throw refusedInClear();
      return undefined;
    }
    // Joined only so that the length is whole; the rest waits until the frame is, so that small pieces cost little.
    if ((this.#chunks[0]?.length ?? 0) < HEADER) this.#join();
    const header = this.#chunks[0] ?? NOTHING;
    if (isSetUp && header[0] === BACKEND.ErrorResponse) throw refusedInClear();
    const length = new DataView(header.buffer, header.byteOffset).getUint32(0);
    if (length === 0 || length + HEADER > maxFrame) {
      throw new ProtocolError(
        `Cannot read the encrypted stream: a packet has ${length} octets, it must have 1 to ${
          maxFrame - HEADER
        }`,
        { phase: "gss" },
      );
    }
    const end = HEADER + length;
    if (this.#held < end) return undefined;
    const whole = this.#join();
    this.#chunks = whole.length === end ? [] : [whole.subarray(end)];
    this.#held -= end;
    return whole.subarray(HEADER, end);
  }

  /** All that is held, in one piece. */
  #join(): Uint8Array {
    const [only = NOTHING, ...others] = this.#chunks;
    const whole = others.length === 0 ? only : joinOctets(this.#chunks);
    this.#chunks = [whole];
    return whole;
  }
}

const NOTHING: Uint8Array = new Uint8Array(0);

function refusedInClear(): ConnectionError {
  return new ConnectionError(
    "gss-failed",
    "Cannot set up GSSAPI encryption: the server answered with an error instead of a token",
    {
      phase: "gss",
      hint:
        "Its text is not shown, as anybody may have written it before encryption; the server's log has it",
    },
  );
}
