import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../src/errors.ts";
import { decodeBackend, encodeBackend } from "../../src/wire/backend.ts";
import { ByteWriter } from "../../src/wire/byte_writer.ts";
import { decodeDataRow } from "../../src/wire/rows.ts";
import { Prng } from "../support/prng.ts";

/** Octets that are likely to make and to break characters of UTF-8. */
const OCTETS = [0x00, 0x41, 0x7f, 0x80, 0xa9, 0xbf, 0xc3, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0xff];

test("A row decoded at once is the row decoded value by value, whatever its octets", () => {
  const reference = new TextDecoder("utf-8", { ignoreBOM: true });
  let aligned = 0;
  for (let seed = 1; seed <= 3_000; seed++) {
    const prng = new Prng(seed);
    const ascii = prng.below(2) === 0;
    const out = new ByteWriter();
    const expected: (string | null)[] = [];
    const count = prng.below(5);
    out.i16(count);
    for (let index = 0; index < count; index++) {
      if (prng.below(5) === 0) {
        out.i32(-1);
        expected.push(null);
        continue;
      }
      // From 128 octets on, the length itself is no ASCII.
      const length = prng.pick([0, 1, 2, 3, 30, 130, 200]);
      const octets = Uint8Array.from(
        { length },
        () => ascii || prng.below(3) > 0 ? 0x20 + prng.below(0x5f) : prng.pick(OCTETS),
      );
      out.i32(length);
      out.bytes(octets);
      expected.push(reference.decode(octets));
    }
    const body = out.finish();
    if (reference.decode(body).length === body.length) aligned++;
    assert.deepEqual(decodeDataRow(body).values, expected, `seed ${seed}`);
  }
  assert.ok(aligned > 100 && aligned < 2_900, `both ways must be tried, one was ${aligned} times`);
});

test("A row of 32767 values can be written and read, one more cannot be written", () => {
  const values = new Array<string | null>(32_767).fill(null);
  const octets = encodeBackend({ type: "DataRow", values });
  assert.deepEqual(decodeBackend({ type: 0x44, body: octets.subarray(5) }), {
    type: "DataRow",
    values,
  });
  assert.throws(() => encodeBackend({ type: "DataRow", values: [...values, null] }), UsageError);
});
