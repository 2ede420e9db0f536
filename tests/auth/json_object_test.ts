import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { JsonProblem, readJsonObject } from "../../src/auth/json_object.ts";

const RULES = { maxOctets: 4_194_304, maxDepth: 8 };

function read(text: string): ReadonlyMap<string, unknown> {
  return readJsonObject(new TextEncoder().encode(text), RULES);
}

for (
  const [what, text] of [
    ["quotes and backslashes", `{"a\\"b":"\\\\","c":"\\""}`],
    ["what would be names in a text", `{"a":"\\"a\\":1,\\"a\\":2"}`],
    ["names that come twice below the top", `{"a":{"b":1},"c":{"b":1,"b":2}}`],
  ] as const
) {
  test(`JSON with ${what} is read as JSON.parse does`, () => {
    assert.deepEqual(Object.fromEntries(read(text)), JSON.parse(text));
  });
}

for (
  const [what, text] of [
    ["a name that comes twice, once escaped", `{"a":1,"\\u0061":2}`],
    ["a text without its second quote", `{"a":"b`],
    ["nine objects in each other", `{"a":`.repeat(9) + "1" + "}".repeat(9)],
    ["an array", "[]"],
  ] as const
) {
  test(`JSON with ${what} is refused`, () => {
    assert.throws(() => read(text), JsonProblem);
  });
}

test("a text that lacks its second quote takes no more than one look at every octet", () => {
  // Looked for anew from each of half a million quotes it would take a quarter of an hour, and the runner's patience is less.
  const hostile = `{"a":"${'\\"'.repeat(500_000)}`;
  assert.throws(() => read(hostile), JsonProblem);
});
