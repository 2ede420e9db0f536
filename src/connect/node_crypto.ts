import { nodeProcess, ON_NODE } from "../transport/runtime.ts";

/**
 * `node:crypto` of Node, for what it does faster than Web Crypto, and so that only one of the two is loaded: each takes
 * 10 ms of a cold process. Asked for directly, as an `import()` reads every property of it, Web Crypto among them.
 *
 * @returns undefined elsewhere, and on Node before 20.16.
 */
export function nodeCrypto(): typeof import("node:crypto") | undefined {
  return ON_NODE ? nodeProcess?.getBuiltinModule?.("node:crypto") : undefined;
}

/** Fills octets with chance that is fit for keys, and returns them. */
export function drawChance(octets: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const node = nodeCrypto();
  return node === undefined ? crypto.getRandomValues(octets) : node.randomFillSync(octets);
}
