import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFrontend } from "../../src/wire/frontend.ts";
import { split } from "../support/vectors.ts";
import { assertPrefixesSafe, frontendCases } from "./cases.ts";

for (const one of frontendCases) {
  test(`decodeFrontend() reads ${one.name}`, () => {
    assert.deepEqual(one.decode([one.octets]), [one.message]);
  });
  test(`decodeFrontend() reads ${one.name} octet by octet`, () => {
    assert.deepEqual(one.decode(split(one.octets, 1)), [one.message]);
  });
  if (!one.decodeOnly) {
    test(`encodeFrontend() writes ${one.name}`, () => {
      assert.deepEqual(encodeFrontend(one.message), one.octets);
    });
  }
  test(`decodeFrontend() survives every prefix of ${one.name}`, () => {
    assertPrefixesSafe(one, 1);
  });
}
