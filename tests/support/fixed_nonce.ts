/** Chance that tests decide on. */
import nodeCrypto from "node:crypto";
import { dropChance } from "../../src/connect/nonce.ts";

const RUNS_ON_NODE = !("Deno" in globalThis) && !("Bun" in globalThis);

/**
 * Makes every client nonce the same, so that scripts can hold whole SCRAM exchanges; all other chance stays chance.
 *
 * @param nonce Its octets, as many as a nonce is made of.
 * @returns What undoes it.
 */
export function fixNonce(nonce: Uint8Array): () => void {
  // The package draws where it derives.
  const [source, name] = RUNS_ON_NODE
    ? [nodeCrypto, "randomFillSync"] as const
    : [globalThis.crypto, "getRandomValues"] as const;
  const original: unknown = Reflect.get(source, name);
  const draw = (original as (into: ArrayBufferView) => ArrayBufferView).bind(source);
  const value = (into: ArrayBufferView): ArrayBufferView => {
    const isForNonces = into instanceof Uint8Array && into.length % nonce.length === 0;
    if (!isForNonces) return draw(into);
    for (let at = 0; at < into.length; at += nonce.length) into.set(nonce, at);
    return into;
  };
  const own = Object.getOwnPropertyDescriptor(source, name);
  dropChance();
  Object.defineProperty(source, name, { value, configurable: true });
  return () => {
    if (own === undefined) Reflect.deleteProperty(source, name);
    else Object.defineProperty(source, name, own);
    dropChance();
  };
}
