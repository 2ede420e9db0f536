import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { UsageError } from "../errors.ts";

/** Octets of a SHA-256 hash, and so of every key, proof and signature of SCRAM-SHA-256. */
export const SCRAM_KEY_OCTETS: number = 32;

const CLIENT_KEY_LABEL: Uint8Array = new TextEncoder().encode("Client Key");
const SERVER_KEY_LABEL: Uint8Array = new TextEncoder().encode("Server Key");

/**
 * ClientKey and ServerKey of RFC 5802, 32 octets each. Both are as good as the password for this
 * role, salt and iteration count: guard them the same way.
 */
export interface ScramKeys {
  /** HMAC of the salted password and "Client Key": makes the proof. */
  readonly clientKey: Uint8Array;
  /** HMAC of the salted password and "Server Key": checks the server's signature. */
  readonly serverKey: Uint8Array;
}

/** What one side needs for a whole authentication: what it sends, and what it expects back. */
export interface ScramProof {
  /** What proves to the server that we know ClientKey. */
  readonly clientProof: Uint8Array;
  /** What the server must send to prove that it knows ServerKey. */
  readonly serverSignature: Uint8Array;
}

/** Keeps the keys out of everything that prints or serializes objects. */
class DerivedKeys implements ScramKeys {
  readonly #clientKey: Uint8Array;
  readonly #serverKey: Uint8Array;

  constructor(clientKey: Uint8Array, serverKey: Uint8Array) {
    this.#clientKey = clientKey;
    this.#serverKey = serverKey;
  }

  get clientKey(): Uint8Array {
    return this.#clientKey;
  }

  get serverKey(): Uint8Array {
    return this.#serverKey;
  }
}

/**
 * Derives both keys from the salted password (RFC 5802 section 3). Print and JSON.stringify do not
 * show them.
 *
 * @param saltedPassword PBKDF2-HMAC-SHA-256 of the SASLprepped password, 32 octets.
 * @throws {UsageError} If it is not 32 octets.
 */
export function scramKeys(saltedPassword: Uint8Array): ScramKeys {
  if (saltedPassword.length !== SCRAM_KEY_OCTETS) {
    throw new UsageError(
      `Cannot derive SCRAM keys: the salted password has ${saltedPassword.length} octets, ` +
        `it must have ${SCRAM_KEY_OCTETS}`,
    );
  }
  return new DerivedKeys(
    hmac(sha256, saltedPassword, CLIENT_KEY_LABEL),
    hmac(sha256, saltedPassword, SERVER_KEY_LABEL),
  );
}

/** A copy of both keys that belongs to the caller, to be wiped apart; no print shows it either. */
export function copyScramKeys(keys: ScramKeys): ScramKeys {
  return new DerivedKeys(new Uint8Array(keys.clientKey), new Uint8Array(keys.serverKey));
}

/** Overwrites both keys, which are of no use any more. */
export function wipeScramKeys({ clientKey, serverKey }: ScramKeys): void {
  clientKey.fill(0);
  serverKey.fill(0);
}

/**
 * Computes ClientProof and ServerSignature over AuthMessage (RFC 5802 section 3).
 *
 * @param keys ClientKey and ServerKey.
 * @param authMessage The transcript: client-first-bare, server-first and client-final-without-proof
 *   with commas.
 * @throws {UsageError} If a key is not 32 octets.
 */
export function scramProof(keys: ScramKeys, authMessage: Uint8Array): ScramProof {
  const { clientKey, serverKey } = keys;
  if (clientKey.length !== SCRAM_KEY_OCTETS || serverKey.length !== SCRAM_KEY_OCTETS) {
    throw new UsageError(
      `Cannot compute the SCRAM proof: the keys have ${clientKey.length} and ${serverKey.length} ` +
        `octets, they must have ${SCRAM_KEY_OCTETS}`,
    );
  }
  const clientProof = hmac(sha256, sha256(clientKey), authMessage);
  for (let at = 0; at < SCRAM_KEY_OCTETS; at++) {
    clientProof[at] = (clientProof[at] ?? 0) ^ (clientKey[at] ?? 0);
  }
  return { clientProof, serverSignature: hmac(sha256, serverKey, authMessage) };
}
