import { encodeBase64 } from "../auth/base64.ts";

/** As libpq (SCRAM_RAW_NONCE_LEN). */
const OCTETS = 18;
/** Chance for this many nonces is drawn at once: on Node drawing costs a tenth of what a connection costs besides its socket. */
const AT_ONCE = 16;

const chance: Uint8Array<ArrayBuffer> = new Uint8Array(OCTETS * AT_ONCE);
let at: number = chance.length;

/** Draws anew for the next nonce, for whoever decides what chance is: the tests. */
export function dropChance(): void {
  chance.fill(0);
  at = chance.length;
}

/** A fresh client nonce for SCRAM (RFC 5802 section 5.1, `c-nonce`): 18 octets of chance, used once, as 24 characters. */
export function freshNonce(): string {
  if (at === chance.length) {
    crypto.getRandomValues(chance);
    at = 0;
  }
  const own = chance.subarray(at, at + OCTETS);
  at += OCTETS;
  const nonce = encodeBase64(own);
  own.fill(0);
  return nonce;
}
