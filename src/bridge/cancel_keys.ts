import { drawChance } from "../connect/node_crypto.ts";
import type { Session } from "../connect/session.ts";

/** Brings a CancelRequest to the server of one session. */
export type Canceller = Pick<Session, "cancel">;

/** A key a driver can hold: its number of octets on protocol 3.0. */
const KEY_OCTETS = 4;

/**
 * The keys drivers were told in place of the real ones, which may be longer and are nobody's business. One table for
 * the process: a driver cancels over a new connection, which may even come from another bridge.
 */
const keys = new Map<string, Canceller>();

/**
 * Makes a key for a session.
 *
 * @returns The key, and a function that forgets it.
 */
export function issueKey(
  processId: number,
  canceller: Canceller,
): { readonly secretKey: Uint8Array; forget(): void } {
  const secretKey = new Uint8Array(KEY_OCTETS);
  let entry: string;
  do {
    drawChance(secretKey);
    entry = entryOf(processId, secretKey);
  } while (keys.has(entry));
  keys.set(entry, canceller);
  return { secretKey, forget: () => void keys.delete(entry) };
}

/** Who can cancel for this key; undefined if it is not, or no longer, valid. */
export function cancellerOf(processId: number, secretKey: Uint8Array): Canceller | undefined {
  return keys.get(entryOf(processId, secretKey));
}

function entryOf(processId: number, secretKey: Uint8Array): string {
  return `${processId} ${secretKey.join(" ")}`;
}
