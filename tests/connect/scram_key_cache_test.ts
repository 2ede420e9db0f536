import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ScramKeys, scramKeys } from "../../src/auth/scram.ts";
import {
  type DeriveKeys,
  ScramKeyCache,
  type ScramKeySource,
} from "../../src/connect/scram_key_cache.ts";
import { printed } from "../handshake/secrets.ts";
import { toHex } from "../support/vectors.ts";
import { reasonOf } from "./rejection.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const SOURCE: ScramKeySource = {
  user: "app",
  password: text("pencil"),
  salt: text("salt of a test"),
  iterations: 4096,
};

/** Keys that tell what they are made of, and derivations a test settles. */
class Deriver {
  readonly pending: {
    readonly password: string;
    resolve(): void;
    reject(error: Error): void;
  }[] = [];

  readonly derive: DeriveKeys = (password, salt, iterations) => {
    const made = new Uint8Array(32).fill((password[0] ?? 0) + salt.length + iterations % 200);
    return new Promise((resolve, reject) => {
      this.pending.push({
        password: new TextDecoder().decode(password),
        resolve: () => resolve(scramKeys(made)),
        reject,
      });
    });
  };
}

/** A cache whose derivations are done at once. */
function eager(limit?: number): ScramKeyCache {
  return new ScramKeyCache(
    (password) => Promise.resolve(scramKeys(new Uint8Array(32).fill(password[0] ?? 0))),
    limit,
  );
}

async function clientKey(
  cache: ScramKeyCache,
  change: Partial<ScramKeySource> = {},
): Promise<string> {
  const { keys } = await cache.keysOf({ ...SOURCE, ...change }).found;
  return toHex(keys.clientKey);
}

test("the same source gives the same keys, derived once", async () => {
  const cache = eager();
  assert.equal(await clientKey(cache), await clientKey(cache));
  assert.deepEqual([cache.derivations, cache.size], [1, 1]);
});

const OTHERS: Readonly<Record<string, Partial<ScramKeySource>>> = {
  "user": { user: "App" },
  "password": { password: text("pencil ") },
  "salt": { salt: text("salt of a tes") },
  "iteration count": { iterations: 4097 },
  // The same octets in a row, cut elsewhere.
  "boundary": { user: "apppen", password: text("cil") },
};

for (const [what, change] of Object.entries(OTHERS)) {
  test(`another ${what} is another entry`, async () => {
    const cache = eager();
    await clientKey(cache);
    await clientKey(cache, change);
    assert.deepEqual([cache.derivations, cache.size], [2, 2]);
  });
}

test("a hundred who ask at once wait for one derivation, and each has keys of its own", async () => {
  const deriver = new Deriver();
  const cache = new ScramKeyCache(deriver.derive);
  const asked = Array.from({ length: 100 }, () => cache.keysOf(SOURCE).found);
  assert.equal(deriver.pending.length, 1);
  deriver.pending[0]?.resolve();
  const found = await Promise.all(asked);
  assert.equal(new Set(found.map(({ keys }) => keys.clientKey)).size, 100);
  assert.equal(new Set(found.map(({ keys }) => toHex(keys.clientKey))).size, 1);
  assert.deepEqual(found.map(({ derived }) => derived).filter(Boolean).length, 1);
  assert.equal(cache.derivations, 1);
});

test("whoever wipes its keys takes nothing from the others", async () => {
  const cache = eager();
  const { keys } = await cache.keysOf(SOURCE).found;
  const before = toHex(keys.serverKey);
  keys.clientKey.fill(0);
  keys.serverKey.fill(0);
  const again = await cache.keysOf(SOURCE).found;
  assert.equal(toHex(again.keys.serverKey), before);
  assert.equal(cache.derivations, 1);
});

test("a derivation that fails fails for all who wait, and is tried anew", async () => {
  const deriver = new Deriver();
  const cache = new ScramKeyCache(deriver.derive);
  const asked = [1, 2].map(() => reasonOf(cache.keysOf(SOURCE).found));
  deriver.pending[0]?.reject(new Error("it failed"));
  assert.deepEqual((await Promise.all(asked)).map(String), [
    "Error: it failed",
    "Error: it failed",
  ]);
  assert.equal(cache.size, 0);
  const again = cache.keysOf(SOURCE).found;
  deriver.pending[1]?.resolve();
  await again;
  assert.deepEqual([cache.derivations, cache.size], [2, 1]);
});

test("what is forgotten is derived anew", async () => {
  const cache = eager();
  const { name, found } = cache.keysOf(SOURCE);
  await found;
  await clientKey(cache, { user: "other" });
  cache.forget(name);
  assert.equal(cache.size, 1);
  await clientKey(cache);
  assert.equal(cache.derivations, 3);
});

for (const how of ["forget", "clear"] as const) {
  test(`${how}() while keys are derived: they come, and are not kept`, async () => {
    const deriver = new Deriver();
    const cache = new ScramKeyCache(deriver.derive);
    const { name, found } = cache.keysOf(SOURCE);
    if (how === "clear") cache.clear();
    else cache.forget(name);
    // Begun anew, and done first.
    const second = cache.keysOf(SOURCE).found;
    assert.equal(deriver.pending.length, 2);
    deriver.pending[0]?.resolve();
    const { keys } = await found;
    assert.equal(keys.clientKey.length, 32);
    assert.equal(cache.size, 0);
    deriver.pending[1]?.resolve();
    await second;
    assert.equal(cache.size, 1);
  });
}

test("clear() forgets, and what was handed out stays its owner's", async () => {
  const held: ScramKeys[] = [];
  const cache = eager();
  held.push((await cache.keysOf(SOURCE).found).keys);
  cache.clear();
  assert.equal(cache.size, 0);
  // What was handed out is its owner's.
  assert.ok(held[0]?.clientKey.some((octet) => octet !== 0));
});

test("a hundred keys are kept, and the one used longest ago goes first", async () => {
  const cache = eager();
  for (let at = 0; at < 100; at++) await clientKey(cache, { user: `u${at}` });
  await clientKey(cache, { user: "u0" });
  assert.deepEqual([cache.size, cache.derivations], [100, 100]);
  await clientKey(cache, { user: "u100" });
  assert.equal(cache.size, 100);
  await clientKey(cache, { user: "u0" });
  assert.equal(cache.derivations, 101);
  await clientKey(cache, { user: "u1" });
  assert.equal(cache.derivations, 102);
});

test("a limit of 0 keeps and shares nothing", async () => {
  const deriver = new Deriver();
  const cache = new ScramKeyCache(deriver.derive, 0);
  const asked = [1, 2].map(() => cache.keysOf(SOURCE).found);
  for (const one of deriver.pending) one.resolve();
  assert.deepEqual((await Promise.all(asked)).map(({ derived }) => derived), [true, true]);
  assert.deepEqual([cache.size, cache.derivations], [0, 2]);
});

test("no print of the cache shows password or keys", async () => {
  const cache = eager();
  const { keys } = await cache.keysOf(SOURCE).found;
  const print = printed(cache);
  for (
    const secret of ["pencil", toHex(text("pencil")), toHex(keys.clientKey), toHex(keys.serverKey)]
  ) {
    assert.ok(!print.includes(secret), secret);
  }
});
