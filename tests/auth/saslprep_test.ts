import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { saslprep } from "../../src/auth/saslprep.ts";
import * as tables from "../../src/auth/saslprep_tables.ts";
import { hex, readVectors, toHex } from "../support/vectors.ts";
import type { VectorCase } from "../support/vectors.ts";

interface TextCase extends VectorCase {
  readonly password: string;
  /** Null where the password is used as it is. */
  readonly prepared: string | null;
}

interface TableCase extends VectorCase {
  readonly table: keyof typeof SETS;
  /** Inclusive hex ranges. */
  readonly ranges: string;
}

const SETS = {
  toSpace: tables.TO_SPACE,
  toNothing: tables.TO_NOTHING,
  prohibited: tables.PROHIBITED,
  randAlCat: tables.RAND_AL_CAT,
  lCat: tables.L_CAT,
  unassigned: tables.UNASSIGNED,
};

const cases = readVectors<TextCase | TableCase>("saslprep");

for (const one of cases) {
  if ("table" in one) {
    test(`saslprep's tables hold RFC 3454's ${one.name}, to the edge of every range`, () => {
      const set = SETS[one.table];
      let behind = -1;
      let ranges = 0;
      for (const range of one.ranges.split(" ")) {
        const [first = NaN, last = first] = range.split("-").map((bound) => parseInt(bound, 16));
        if (first > behind) assert.equal(set.has(first - 1), false, `before ${range}`);
        for (const inside of [first, (first + last) >> 1, last]) {
          assert.equal(set.has(inside), true, `in ${range}`);
        }
        behind = last + 1;
        ranges += 1;
      }
      assert.equal(set.has(behind), false, "behind the last");
      assert.equal(set.has(0x10ffff), one.table === "prohibited");
      assert.ok(ranges > 0);
    });
  } else {
    test(`saslprep() prepares as PostgreSQL does: ${one.name}`, () => {
      const password = hex(one.password);
      assert.equal(toHex(saslprep(password)), one.prepared ?? one.password);
      assert.equal(toHex(password), one.password, "its input must stay as it is");
    });
  }
}

test("saslprep() returns a copy, also where it changes nothing", () => {
  for (const password of [Uint8Array.of(0x61), Uint8Array.of(0xff), Uint8Array.of(0xc3, 0xa9)]) {
    const prepared = saslprep(password);
    assert.notEqual(prepared, password);
    prepared.fill(0);
    assert.notEqual(password[0], 0);
  }
});

test("saslprep() leaves every ASCII octet from 01 to 7f as it is", () => {
  const all = Uint8Array.from({ length: 127 }, (_, at) => at + 1);
  assert.deepEqual(saslprep(all), all);
});

test("saslprep() checks ASCII control characters as soon as one character is not ASCII", () => {
  for (let control = 0; control < 0x20; control++) {
    const password = Uint8Array.of(0xc2, 0xaa, control);
    assert.deepEqual(saslprep(password), password, `control ${control}`);
  }
  assert.deepEqual(saslprep(Uint8Array.of(0xc2, 0xaa, 0x20)), Uint8Array.of(0x61, 0x20));
});
