import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { equalOctets } from "../../src/auth/constant_time.ts";
import { Prng } from "../support/prng.ts";

test("equalOctets() tells equal octets, also of no length", () => {
  assert.equal(equalOctets(new Uint8Array(0), new Uint8Array(0)), true);
  assert.equal(equalOctets(Uint8Array.of(0, 255), Uint8Array.of(0, 255)), true);
});

test("equalOctets() sees each single bit that differs", () => {
  const octets = new Prng(1).octets(32);
  for (let bit = 0; bit < 256; bit++) {
    const other = octets.slice();
    other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(equalOctets(octets, other), false, `bit ${bit}`);
  }
});

test("equalOctets() takes a prefix for different, on either side", () => {
  assert.equal(equalOctets(Uint8Array.of(1, 0), Uint8Array.of(1)), false);
  assert.equal(equalOctets(Uint8Array.of(1), Uint8Array.of(1, 0)), false);
});

test("equalOctets() reads both to the end wherever they differ", () => {
  for (const differs of [0, 15, 31]) {
    let reads = 0;
    const octets = new Uint8Array(32);
    octets[differs] = 1;
    const counted = new Proxy(octets, {
      get(target, key): unknown {
        if (typeof key === "string" && /^[0-9]+$/.test(key)) reads += 1;
        return Reflect.get(target, key, target);
      },
    });
    assert.equal(equalOctets(counted, new Uint8Array(32)), false);
    assert.equal(reads, 32);
  }
});
