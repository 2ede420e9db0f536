import { UsageError } from "../errors.ts";
import type { ClientConfig } from "./client_state.ts";

/** RFC 5802 section 7, `printable`; 512 leaves the server's half room in a SASLResponse. */
const NONCE = /^[\x21-\x2b\x2d-\x7e]{1,512}$/;

/**
 * The client's nonce, drawn now if it was not given.
 *
 * @throws {UsageError} If what was drawn is none.
 */
export function nonceOf({ clientNonce }: ClientConfig): string {
  return typeof clientNonce === "string" ? clientNonce : checkNonce(clientNonce());
}

/** @throws {UsageError} If the text is no nonce. */
export function checkNonce(nonce: string): string {
  if (NONCE.test(nonce)) return nonce;
  throw new UsageError(
    "Cannot use the client nonce: it must be 1 to 512 printable ASCII characters without a comma",
  );
}
