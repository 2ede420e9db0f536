import { isNonce } from "../auth/scram_messages.ts";
import { UsageError } from "../errors.ts";
import type { ClientConfig } from "./client_state.ts";

/** Leaves the server's half room in a SASLResponse. */
const MAX_NONCE = 512;

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
  if (isNonce(nonce) && nonce.length <= MAX_NONCE) return nonce;
  throw new UsageError(
    "Cannot use the client nonce: it must be 1 to 512 printable ASCII characters without a comma",
  );
}
