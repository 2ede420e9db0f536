import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { Secret } from "../../src/settings/secret.ts";
import { prints } from "./prints.ts";

const TEXT = "Xy7Zq";
const OCTETS = Uint8Array.of(201, 202, 203);

test("no print shows a secret text", () => {
  for (const text of prints(new Secret(TEXT))) assert.ok(!text.includes(TEXT), text);
});

test("no print shows secret octets", () => {
  for (const text of prints(new Secret(OCTETS))) {
    assert.doesNotMatch(text, /201|c9|yco/i, text);
  }
});

test("the usual prints say (not shown)", () => {
  const secret = new Secret(TEXT);
  assert.equal(String(secret), "(not shown)");
  assert.equal(JSON.stringify({ secret }), '{"secret":"(not shown)"}');
  assert.equal(inspect(secret), "(not shown)");
  const { Deno } = globalThis as unknown as { Deno?: { inspect(value: unknown): string } };
  if (Deno !== undefined) assert.equal(Deno.inspect(secret), "(not shown)");
});

test("nothing of a secret can be listed, copied or cloned", () => {
  const secret = new Secret(TEXT);
  assert.deepEqual(Reflect.ownKeys(secret), []);
  const seen: string[] = [];
  for (const key in secret) seen.push(key);
  assert.deepEqual(seen, []);
  assert.deepEqual({ ...secret }, {});
  assert.ok(!JSON.stringify(structuredClone(secret)).includes(TEXT));
});

test("reveal() gives the value back", () => {
  assert.equal(new Secret(TEXT).reveal(), TEXT);
  assert.deepEqual(new Secret(OCTETS).reveal(), OCTETS);
});

test("revealOctets() gives text as UTF-8 and octets as they are", () => {
  assert.deepEqual(new Secret("é").revealOctets(), Uint8Array.of(0xc3, 0xa9));
  assert.deepEqual(new Secret(OCTETS).revealOctets(), OCTETS);
});

test("octets are copied in and out", () => {
  const given = Uint8Array.of(1, 2, 3);
  const secret = new Secret(given);
  given.fill(0);
  secret.reveal().fill(9);
  secret.revealOctets().fill(9);
  assert.deepEqual(secret.reveal(), Uint8Array.of(1, 2, 3));
});
