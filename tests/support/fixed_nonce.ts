/** Chance that tests decide on. */
import { dropChance } from "../../src/connect/nonce.ts";

/**
 * Makes every client nonce the same, so that scripts can hold whole SCRAM exchanges; all other chance stays chance.
 *
 * @param nonce Its octets, as many as a nonce is made of.
 * @returns What undoes it.
 */
export function fixNonce(nonce: Uint8Array): () => void {
  const { crypto } = globalThis;
  const draw = crypto.getRandomValues.bind(crypto);
  const value = <Octets extends ArrayBufferView<ArrayBuffer>>(into: Octets): Octets => {
    const isForNonces = into instanceof Uint8Array && into.length % nonce.length === 0;
    if (!isForNonces) return draw(into);
    for (let at = 0; at < into.length; at += nonce.length) into.set(nonce, at);
    return into;
  };
  dropChance();
  Object.defineProperty(crypto, "getRandomValues", { value, configurable: true });
  return () => {
    Reflect.deleteProperty(crypto, "getRandomValues");
    dropChance();
  };
}
