import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { readServerVersion } from "../../src/handshake/server_version.ts";
import { readVectors, type VectorCase } from "../support/vectors.ts";

interface VersionCase extends VectorCase {
  readonly text: string;
  readonly number: number;
}

for (const one of readVectors<VersionCase>("handshake_server_version")) {
  test(`server_version ${one.name} is ${one.number}`, () => {
    assert.deepEqual(readServerVersion(one.text), { text: one.text, number: one.number });
  });
}

test("a server that reports no version has an empty text and the number 0", () => {
  assert.deepEqual(readServerVersion(undefined), { text: "", number: 0 });
});

test("a version of absurd length gives a safe integer at once", () => {
  for (const text of ["9".repeat(10_000), "1.".repeat(10_000), `18.${"6".repeat(10_000)}`]) {
    const { number } = readServerVersion(text);
    assert.ok(Number.isSafeInteger(number) && number >= 0, String(number));
  }
});
