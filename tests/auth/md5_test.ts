import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { md5Password } from "../../src/auth/md5.ts";
import { hex, readVectors } from "../support/vectors.ts";
import type { VectorCase } from "../support/vectors.ts";

interface Md5Case extends VectorCase {
  readonly user: string;
  readonly password: string;
  readonly salt: string;
  readonly answer: string;
}

for (const one of readVectors<Md5Case>("md5")) {
  test(`md5Password() answers ${one.name} as libpq does`, () => {
    const answer = md5Password(hex(one.password), hex(one.user), hex(one.salt));
    assert.equal(new TextDecoder().decode(answer), one.answer);
    assert.equal(answer.length, 35);
  });
}

test("md5Password() leaves its inputs as they are", () => {
  const inputs = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3, 4, 5, 6)] as const;
  md5Password(...inputs);
  assert.deepEqual(inputs, [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3, 4, 5, 6)]);
});
