import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { MessageFormatError } from "../../src/errors.ts";
import { DerReader, dottedOid } from "../../src/auth/der.ts";
import { der, oid } from "../support/der.ts";
import { hex } from "../support/vectors.ts";

test("DerReader reads elements one behind the other", () => {
  const reader = new DerReader(hex("0201ff 0500 300302 0100"));
  assert.equal(reader.nextTag, 0x02);
  assert.deepEqual(reader.next(), { tag: 0x02, content: hex("ff") });
  assert.deepEqual(reader.next(), { tag: 0x05, content: hex("") });
  assert.deepEqual(reader.expect(0x30, "a sequence"), hex("020100"));
  assert.equal(reader.left, 0);
  assert.equal(reader.nextTag, undefined);
  reader.end("all");
});

for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
  test(`DerReader reads a length of ${length}`, () => {
    assert.equal(new DerReader(der(0x04, new Uint8Array(length))).next().content.length, length);
  });
}

const REFUSED: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["a tag alone", "30"],
  ["a tag of more than one octet", "3f8101 00"],
  ["an indefinite length", "3080 0000"],
  ["the reserved length octet", "30ff"],
  ["a length of four octets", "3084 00000001 00"],
  ["a length of eight octets", "3088 ffffffffffffffff"],
  ["a length cut off", "3082 01"],
  ["a long form for 127", "30817f 00*127"],
  ["a long form with a leading zero", "3082 0080 00*128"],
  ["a content that is too short", "3003 0201"],
  ["the largest length", "3083ffffff 00"],
];

for (const [what, octets] of REFUSED) {
  test(`DerReader refuses ${what}`, () => {
    assert.throws(() => new DerReader(hex(octets)).next(), MessageFormatError);
  });
}

test("DerReader names what is missing, of another kind, or left over", () => {
  assert.throws(() => new DerReader(hex("")).expect(0x30, "the thing"), {
    message: "Cannot read Certificate: the thing is missing",
    phase: "tls",
  });
  assert.throws(() => new DerReader(hex("3100")).expect(0x30, "the thing"), {
    message: "Cannot read Certificate: the thing has tag 0x31, it must be 0x30",
  });
  assert.throws(() => new DerReader(hex("3100")).end("the thing"), {
    message: "Cannot read Certificate: 2 octets follow the end of the thing",
  });
});

for (
  const dotted of [
    "0.0",
    "1.2.840.113549.1.1.11",
    "2.16.840.1.101.3.4.2.1",
    "2.5.29.17",
    "1.3.101.112",
    "2.999.3",
    "0.39",
    "1.39.127.128.16383.16384",
  ]
) {
  test(`dottedOid() reads ${dotted}`, () => {
    assert.equal(dottedOid(new DerReader(oid(dotted)).next().content), dotted);
  });
}

test("dottedOid() refuses what is empty, cut off, too long, not shortest or too large", () => {
  for (const octets of ["", "2a86", "2a8001", "80", "2a".repeat(65), `2a${"ff".repeat(9)}7f`]) {
    assert.throws(() => dottedOid(hex(octets)), MessageFormatError, octets);
  }
});
