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
  const base = await importPassword(saslprep(password) as Uint8Array<ArrayBuffer>);
  const salted = await crypto.subtle.deriveBits(
    { name: "PBKDF2", hash: "SHA-256", salt: salt as Uint8Array<ArrayBuffer>, iterations },
    base,
    256,
  );
  const saltedPassword = new Uint8Array(salted);
  try {
    return scramKeys(saltedPassword);
  } finally {
    saltedPassword.fill(0);
  }
}

/** Hands the prepared password, which is a copy of ours, to Web Crypto, and forgets it. */
async function importPassword(prepared: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  try {
    return await crypto.subtle.importKey("raw", prepared, "PBKDF2", false, ["deriveBits"]);
  } finally {
    prepared.fill(0);
  }
}
