import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageFormatError, UsageError } from "../../src/errors.ts";
import { ByteReader } from "../../src/wire/byte_reader.ts";
import { ByteWriter, lengthWord } from "../../src/wire/byte_writer.ts";
import { decodeText, encodeText } from "../../src/wire/text.ts";
import { Prng } from "../support/prng.ts";
import { hex, toHex } from "../support/vectors.ts";

/** Each writer beside the reader that undoes it, at the ends of its range and beyond. */
const INTEGERS = [
  { name: "u8", octets: ["00", "ff"], values: [0, 255], beyond: [-1, 256] },
  {
    name: "i16",
    octets: ["8000", "ffff", "7fff"],
    values: [-32768, -1, 32767],
    beyond: [-32769, 32768],
  },
  {
    name: "i32",
    octets: ["80000000", "ffffffff", "7fffffff"],
    values: [-2147483648, -1, 2147483647],
    beyond: [-2147483649, 2147483648],
  },
  {
    name: "u32",
    octets: ["00000000", "80000000", "ffffffff"],
    values: [0, 2147483648, 4294967295],
    beyond: [-1, 4294967296],
  },
] as const;

for (const { name, octets, values, beyond } of INTEGERS) {
  test(`${name}() writes and reads the ends of its range`, () => {
    values.forEach((value, index) => {
      const out = new ByteWriter();
      out[name](value);
      assert.equal(toHex(out.finish()), octets[index]);
      const reader = new ByteReader(hex(octets[index] ?? ""), "a test");
      assert.equal(reader[name](), value);
      assert.equal(reader.left, 0);
    });
  });
  test(`${name}() refuses what it would have to cut`, () => {
    for (const value of [...beyond, 0.5, NaN, Infinity]) {
      assert.throws(() => new ByteWriter()[name](value), UsageError, String(value));
    }
  });
  test(`${name}() refuses to read beyond the end`, () => {
    const whole = hex(octets[0]);
    for (let length = 0; length < whole.length; length++) {
      const reader = new ByteReader(whole.subarray(0, length), "a test");
      assert.throws(() => reader[name](), MessageFormatError);
    }
  });
}

test("A reader refuses negative lengths, lengths beyond the end, and octets left over", () => {
  const reader = new ByteReader(hex("010203"), "Test");
  for (const n of [-1, -2147483648, 4, 2147483647]) {
    assert.throws(() => reader.bytes(n), MessageFormatError, String(n));
    assert.throws(() => reader.skip(n), MessageFormatError, String(n));
  }
  assert.deepEqual(reader.bytes(1), hex("01"));
  assert.throws(() => reader.end(), /^MessageFormatError: Cannot read Test: 2 surplus octets/);
  assert.deepEqual(reader.rest(), hex("0203"));
  assert.deepEqual(reader.rest(), new Uint8Array(0));
  reader.end();
});

test("A reader keeps octets of a text that are not UTF-8", () => {
  const reader = new ByteReader(hex("ff00 ff00 00 61"), "Test");
  assert.deepEqual(reader.cstringOctets(), hex("ff"));
  assert.equal(reader.cstring(), "\ufffd");
  assert.equal(reader.cstring(), "");
  assert.throws(() => reader.cstring(), MessageFormatError);
  assert.throws(() => reader.cstringOctets(), MessageFormatError);
});

test("A writer grows, and gives each message its length", () => {
  const out = new ByteWriter();
  out.begin(0x64);
  out.bytes(new Uint8Array(1_000).fill(7));
  out.end();
  out.begin(undefined);
  out.cstring("é");
  out.end();
  assert.equal(out.length, 1_005 + 7);
  assert.equal(toHex(out.finish()), `64000003ec${"07".repeat(1_000)}00000007c3a900`);
  assert.equal(out.length, 0);
});

test("A writer's octets do not change when it goes on", () => {
  const out = new ByteWriter();
  out.u32(0x01020304);
  const first = out.finish();
  out.u32(0xffffffff);
  assert.equal(toHex(first), "01020304");
  assert.equal(toHex(out.finish()), "ffffffff");
});

test("A writer refuses messages within messages", () => {
  const out = new ByteWriter();
  assert.throws(() => out.end(), UsageError);
  out.begin(0x64);
  assert.throws(() => out.begin(0x64), UsageError);
  assert.throws(() => out.finish(), UsageError);
});

test("A length word above 2^31 - 1 is refused, it does not wrap", () => {
  assert.equal(lengthWord(0), 4);
  assert.equal(lengthWord(0x7fffffff - 4), 0x7fffffff);
  for (const octets of [0x7fffffff - 3, 0x7fffffff, 0xffffffff, 2 ** 32]) {
    assert.throws(() => lengthWord(octets), UsageError);
  }
});

test("encodeText() refuses what a zero-ended text cannot hold, and does not show it", () => {
  for (const text of ["hush\0", "\0", "hush\ud800", "\udc00hush", "\udc00\ud800"]) {
    assert.throws(() => encodeText(text, "the password"), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /^Cannot encode the password: /);
      assert.ok(!error.message.includes("hush"));
      return true;
    });
  }
  assert.equal(toHex(encodeText("\ufeffé😀", "a text")), "efbbbfc3a9f09f9880");
});

test("decodeText() does what TextDecoder does, short or long, and keeps a byte order mark", () => {
  const reference = new TextDecoder("utf-8", { ignoreBOM: true });
  for (let seed = 1; seed <= 400; seed++) {
    const prng = new Prng(seed);
    const octets = prng.octets(prng.below(60));
    if (prng.below(2) === 0) octets.forEach((octet, at) => octets[at] = octet & 0x7f);
    assert.equal(decodeText(octets), reference.decode(octets), `seed ${seed}`);
  }
  assert.equal(decodeText(hex("efbbbf61")), "\ufeffa");
  assert.equal(decodeText(hex("efbbbf 61*40")), "\ufeff" + "a".repeat(40));
});
