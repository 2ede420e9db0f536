import type { TlsFacts } from "../auth/channel.ts";
import { ConnectionError, locate, PgHandshakeError, UsageError } from "../errors.ts";
import type { GssContext } from "../gss/provider.ts";
import type { Endpoint, TlsRequest, Transport } from "../transport/transport.ts";
import { GssDeframer, gssFrame, MAX_GSS_FRAME } from "../wire/gss_frames.ts";
import { joinOctets } from "../wire/join.ts";

/** So many octets are wrapped before they are written together; the more, the fewer writes, but the later the first. */
const BATCH_OCTETS = 131_072;

/**
 * A transport whose octets are encrypted by a GSSAPI context that is complete (libpq, fe-secure-gssapi.c).
 *
 * A packet that is forged, repeated, left out or not encrypted ends the transport with an error for good.
 */
export class GssTransport implements Transport {
  readonly #inner: Transport;
  readonly #context: GssContext;
  readonly #maxPlain: number;
  readonly #deframer = new GssDeframer();
  #failure: PgHandshakeError | undefined;

  /**
   * @param inner Carries the frames; belongs to this transport from now on.
   * @param context Is disposed with it.
   * @param maxPlain How many octets the context wraps into one packet.
   */
  constructor(inner: Transport, context: GssContext, maxPlain: number) {
    this.#inner = inner;
    this.#context = context;
    this.#maxPlain = maxPlain;
  }

  get endpoint(): Endpoint {
    return this.#inner.endpoint;
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const plain = await this.#decryptHeld();
      // An empty packet is legal, and no end.
      if (plain.length > 0) return plain;
      const octets = await this.#inner.read();
      if (octets !== undefined) this.#deframer.push(octets);
      else if (this.#deframer.held === 0) return undefined;
      else throw this.#broken(endedInPacket());
    }
  }

  /** All whole packets that have come; what stands before a bad one is still delivered. */
  async #decryptHeld(): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    try {
      for (;;) {
        const packet = this.#deframer.next(MAX_GSS_FRAME, false);
        if (packet === undefined) break;
        parts.push(await this.#context.unwrap(packet));
      }
    } catch (error) {
      if (error instanceof PgHandshakeError) locate(error, "ready");
      const failure = this.#broken(error);
      if (parts.every(({ length }) => length === 0)) throw failure;
    }
    return joinOctets(parts);
  }

  async write(octets: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    let batch: Uint8Array[] = [];
    let held = 0;
    for (let at = 0; at < octets.length; at += this.#maxPlain) {
      const frame = gssFrame(await this.#encrypt(octets.subarray(at, at + this.#maxPlain)));
      batch.push(frame);
      held += frame.length;
      if (held < BATCH_OCTETS) continue;
      await this.#inner.write(joinOctets(batch));
      batch = [];
      held = 0;
    }
    if (held > 0) await this.#inner.write(joinOctets(batch));
  }

  closeWrite(): Promise<void> {
    return this.#inner.closeWrite();
  }

  startTls(_request: TlsRequest): Promise<TlsFacts> {
    return Promise.reject(
      new UsageError("Cannot start TLS: the connection is encrypted by GSSAPI already"),
    );
  }

  close(): void {
    this.#inner.close();
    this.#context.dispose();
  }

  async #encrypt(plain: Uint8Array): Promise<Uint8Array> {
    try {
      const packet = await this.#context.wrap(plain);
      if (packet.length + 4 <= MAX_GSS_FRAME) return packet;
      throw new ConnectionError(
        "gss-failed",
        `Cannot encrypt: ${plain.length} octets became ${packet.length}, more than a server takes`,
        { phase: "ready" },
      );
    } catch (error) {
      throw this.#broken(error);
    }
  }

  /** Nothing that comes after a break in the stream can be trusted. */
  #broken(error: unknown): PgHandshakeError {
    this.#failure ??= error instanceof PgHandshakeError ? error : providerFailure(error, "ready");
    return this.#failure;
  }
}

function endedInPacket(): ConnectionError {
  return new ConnectionError(
    "connection-lost",
    "server closed the connection unexpectedly, in the middle of an encrypted packet",
    { phase: "ready" },
  );
}

/** A provider of the user's throws what it likes. */
export function providerFailure(
  error: unknown,
  phase: "gss" | "authenticate" | "ready",
): ConnectionError {
  return new ConnectionError("gss-failed", "Cannot go on with GSSAPI: the provider failed", {
    phase,
    cause: error,
  });
}
