import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { decodeBase64, encodeBase64 } from "../../src/auth/base64.ts";
import { Prng } from "../support/prng.ts";

// RFC 4648 section 10.
const RFC = [
  ["", ""],
  ["f", "Zg=="],
  ["fo", "Zm8="],
  ["foo", "Zm9v"],
  ["foob", "Zm9vYg=="],
  ["fooba", "Zm9vYmE="],
  ["foobar", "Zm9vYmFy"],
] as const;

for (const [plain, coded] of RFC) {
  test(`base64 writes and reads "${plain}" as RFC 4648 does`, () => {
    assert.equal(encodeBase64(new TextEncoder().encode(plain)), coded);
    assert.deepEqual(decodeBase64(coded), new TextEncoder().encode(plain));
  });
}

const REFUSED: readonly (readonly [string, string])[] = [
  ["missing padding", "Zg"],
  ["half of its padding", "Zg="],
  ["too much padding", "Zm9v===="],
  ["padding only", "===="],
  ["padding of three", "Z==="],
  ["text behind the padding", "Zg==Zm9v"],
  ["padding inside", "Z=g="],
  ["pad bits that are not zero (one octet)", "Zh=="],
  ["pad bits that are not zero (two octets)", "Zm9="],
  ["a blank", "Zm 9vYg="],
  ["a line break", "Zm9v\nZg="],
  ["a blank at the end", "Zm9v "],
  ["the URL-safe alphabet", "-_-_"],
  ["a character outside ASCII", "Zm9\u00e4"],
  ["a full width digit", "Zm9\uff11"],
  ["a zero character", "Zm9\0"],
];

for (const [what, coded] of REFUSED) {
  test(`decodeBase64() refuses ${what}`, () => assert.equal(decodeBase64(coded), undefined));
}

test("decodeBase64() takes exactly the texts that encodeBase64() writes", () => {
  const prng = new Prng(7);
  for (let round = 0; round < 300; round++) {
    const octets = prng.octets(prng.below(40));
    const coded = encodeBase64(octets);
    assert.equal(coded, Buffer.from(octets).toString("base64"));
    assert.deepEqual(decodeBase64(coded), octets);
    const at = prng.below(coded.length + 1);
    const spoiled = coded.slice(0, at) + String.fromCharCode(prng.below(128)) + coded.slice(at + 1);
    const decoded = decodeBase64(spoiled);
    if (decoded !== undefined) assert.equal(encodeBase64(decoded), spoiled, `round ${round}`);
  }
});
