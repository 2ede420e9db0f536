import type { Sink, Transport } from "./transport.ts";

/**
 * What the adapters of this package can do beside the port: let a sink have the octets for as long as somebody wants
 * them. Nothing is promised for a reading that nobody knows the end of, so that an idle session holds no promise.
 */
export interface Lender {
  /**
   * Reads into a sink from `resumeLent()` on; writing stays as it is.
   *
   * @throws {UsageError} If a read is pending, or there is a sink already.
   */
  lend(sink: Sink): void;
  /** Begins, and goes on after the sink said no. */
  resumeLent(): void;
  /** The sink gets nothing more; what it has not taken is for `read()`. */
  takeBack(): void;
}

/** A transport as a lender; undefined if it is somebody's own, which is read by promises. */
export function lenderOf(transport: Transport): Lender | undefined {
  const lender = transport as Transport & Partial<Lender>;
  return lender.lend === undefined ? undefined : lender as Transport & Lender;
}
