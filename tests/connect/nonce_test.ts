import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBase64 } from "../../src/auth/base64.ts";
import { freshNonce } from "../../src/connect/nonce.ts";

test("no two nonces are the same, nor made of the same octets", () => {
  const nonces = Array.from({ length: 1_000 }, freshNonce);
  assert.equal(new Set(nonces).size, nonces.length);
  const halves = nonces.flatMap((nonce) => [nonce.slice(0, 12), nonce.slice(12)]);
  assert.equal(new Set(halves).size, halves.length);
  for (const nonce of nonces) assert.equal(decodeBase64(nonce)?.length, 18);
});

test("what a nonce is made of is chance: every bit is set about half the time", () => {
  const counts = new Array<number>(144).fill(0);
  const drawn = 4_000;
  for (let index = 0; index < drawn; index++) {
    const octets = decodeBase64(freshNonce()) ?? [];
    for (const [at, octet] of octets.entries()) {
      for (let bit = 0; bit < 8; bit++) counts[at * 8 + bit]! += (octet >> bit) & 1;
    }
  }
  // Nine standard deviations of a fair coin.
  for (const count of counts) assert.ok(Math.abs(count - drawn / 2) < 285, `${count} of ${drawn}`);
});
