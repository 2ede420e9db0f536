/**
 * Counts runs of PBKDF2 in this process: by Web Crypto everywhere, and by `node:crypto` on Node, whose named imports
 * alone follow a function that is replaced.
 */
import * as nodeModule from "node:module";
import process from "node:process";

let count = 0;

/** How many there were. */
export function derivations(): number {
  return count;
}

/** Begins to count; before anything that derives is loaded. */
export function countDerivations(): void {
  const { subtle } = crypto;
  const deriveBits = subtle.deriveBits.bind(subtle);
  subtle.deriveBits = (...args) => {
    count += 1;
    return deriveBits(...args);
  };
  if ("Deno" in globalThis || "Bun" in globalThis) return;
  const nodeCrypto = process.getBuiltinModule("node:crypto") as {
    pbkdf2(...args: unknown[]): void;
    pbkdf2Sync(...args: unknown[]): unknown;
  };
  const { pbkdf2, pbkdf2Sync } = nodeCrypto;
  nodeCrypto.pbkdf2 = (...args) => {
    count += 1;
    pbkdf2(...args);
  };
  nodeCrypto.pbkdf2Sync = (...args) => {
    count += 1;
    return pbkdf2Sync(...args);
  };
  nodeModule.syncBuiltinESMExports();
}
