import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { LruMap } from "../../src/connect/lru.ts";

/** A map of three, filled in the order of the letters, and what it dropped. */
function filled(): { readonly map: LruMap<string>; readonly dropped: string[] } {
  const dropped: string[] = [];
  const map = new LruMap<string>(3, (value) => dropped.push(value));
  for (const key of ["a", "b", "c"]) map.set(key, key);
  return { map, dropped };
}

test("what was not used for longest is forgotten, whatever was asked for again and again", () => {
  const { map, dropped } = filled();
  for (const key of ["c", "c", "a", "a", "c", "b", "a"]) assert.equal(map.get(key), key);
  assert.deepEqual(map.values(), ["c", "b", "a"]);
  map.set("d", "d");
  map.set("e", "e");
  assert.deepEqual([dropped, map.values()], [["c", "b"], ["a", "d", "e"]]);
});

test("what was used last and deleted is gone, and may come again", () => {
  const { map, dropped } = filled();
  map.delete("c");
  assert.equal(map.get("c"), undefined);
  assert.equal(map.get("a"), "a");
  map.set("c", "again");
  assert.deepEqual([map.values(), dropped], [["b", "a", "again"], ["c"]]);
  map.clear();
  assert.deepEqual([map.get("c"), map.size], [undefined, 0]);
});
