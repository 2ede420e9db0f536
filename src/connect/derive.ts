import { type ScramKeys, scramKeys } from "../auth/scram.ts";
import { pbkdf2 } from "./pbkdf2.ts";

/**
 * ClientKey and ServerKey of a password (RFC 5802 section 3). The one expensive step, PBKDF2, runs outside the event
 * loop.
 *
 * @param password As the user gave it, in octets; SASLprep is applied here as PostgreSQL applies it. Not needed any
 *   more once this has returned its promise.
 * @param salt At least one octet.
 * @param iterations Judged by the gate before.
 */
export async function deriveScramKeys(
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
): Promise<ScramKeys> {
  const own = new Uint8Array(password);
  const prepared = own.every((octet) => octet < 0x80) ? own : await saslprepared(own);
  let saltedPassword: Uint8Array | undefined;
  try {
    saltedPassword = await pbkdf2(prepared, salt, iterations);
    return scramKeys(saltedPassword);
  } finally {
    prepared.fill(0);
    saltedPassword?.fill(0);
  }
}

/** The tables of SASLprep are loaded only for a password that needs them: ASCII stays as it is. */
async function saslprepared(password: Uint8Array): Promise<Uint8Array> {
  try {
    const { saslprep } = await import("../auth/saslprep.ts");
    return saslprep(password);
  } finally {
    password.fill(0);
  }
}
