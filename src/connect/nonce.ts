import { encodeBase64 } from "../auth/base64.ts";
import { soon } from "../transport/runtime.ts";
import { drawChance } from "./node_crypto.ts";

/** As libpq (SCRAM_RAW_NONCE_LEN). */
const OCTETS = 18;
/** Chance for this many nonces is drawn at once: on Node drawing costs a tenth of what a connection costs besides its socket. */
const AT_ONCE = 16;

const chance: Uint8Array<ArrayBuffer> = new Uint8Array(OCTETS * AT_ONCE);
let at: number = chance.length;
let isPrepared = false;

/** Draws anew for the next nonce, for whoever decides what chance is: the tests. */
export function dropChance(): void {
  chance.fill(0);
  at = chance.length;
}

/**
 * Draws before the first nonce is needed, while a socket opens: on Node the first drawing of a process loads
 * `node:crypto`, which takes 10 ms.
 */
export function prepareNonces(): void {
  if (isPrepared) return;
  isPrepared = true;
  // Once the thread is free: what was begun before is on its way then.
  soon(() => {
    if (at === chance.length) draw();
  });
}

/** A fresh client nonce for SCRAM (RFC 5802 section 5.1, `c-nonce`): 18 octets of chance, used once, as 24 characters. */
export function freshNonce(): string {
  if (at === chance.length) draw();
  const own = chance.subarray(at, at + OCTETS);
  at += OCTETS;
  const nonce = encodeBase64(own);
  own.fill(0);
  return nonce;
}

function draw(): void {
  drawChance(chance);
  at = 0;
}
