import { saslprep } from "../auth/saslprep.ts";
import { type ScramKeys, scramKeys } from "../auth/scram.ts";

/**
 * ClientKey and ServerKey of a password (RFC 5802 section 3). The one expensive step, PBKDF2, is Web Crypto's: it
 * runs outside the event loop where the runtime can.
 *
 * @param password As the user gave it, in octets; SASLprep is applied here as PostgreSQL applies it.
 * @param salt At least one octet.
 * @param iterations Judged by the gate before.
 */
export async function deriveScramKeys(
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
): Promise<ScramKeys> {
  const base = await crypto.subtle.importKey(
    "raw",
    saslprep(password) as Uint8Array<ArrayBuffer>,
    "PBKDF2",
    false,
    ["deriveBits"],
  );
  const salted = await crypto.subtle.deriveBits(
    { name: "PBKDF2", hash: "SHA-256", salt: salt as Uint8Array<ArrayBuffer>, iterations },
    base,
    256,
  );
  return scramKeys(new Uint8Array(salted));
}
