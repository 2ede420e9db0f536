import "../support/guard.ts";
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { ConfigError } from "../../src/errors.ts";
import { formatConnectionString } from "../../src/settings/format_connection_string.ts";
import type { ConnectionParameters } from "../../src/settings/parameters.ts";
import { parseConnectionString } from "../../src/settings/parse.ts";
import { Prng } from "../support/prng.ts";
import { connectionString, seedOfRun } from "./generate.ts";
import { loadLibpq, type Verdict } from "./libpq.ts";

const STRINGS = 100_000;
const SEED = seedOfRun(process.env["SEED"]);
const libpq = await loadLibpq();
const skip = typeof libpq === "string" ? libpq : false;

/** Where we differ from libpq on purpose. */
const DIFFERENCES: readonly {
  readonly name: string;
  readonly reason: string;
  readonly example: string;
  applies(text: string, ours: Verdict, theirs: Verdict): boolean;
}[] = [{
  name: "percent escapes that are not UTF-8 are refused",
  reason: "a text of JavaScript cannot hold them, and what libpq would send is no UTF-8 either",
  example: "postgres://caf%e9@h",
  applies: (_text, ours, theirs) =>
    theirs.accepted && !ours.accepted &&
    ours.message.includes("percent escapes that are not UTF-8"),
}];

test(`parseConnectionString() agrees with PQconninfoParse on ${STRINGS} texts`, { skip }, () => {
  if (typeof libpq === "string") return;
  const prng = new Prng(SEED);
  let accepted = 0;
  for (let count = 0; count < STRINGS; count++) {
    const text = connectionString(prng);
    const theirs: Verdict = libpq.parse(text);
    const ours = verdict(text);
    if (theirs.accepted) accepted++;
    if (same(ours, theirs) || DIFFERENCES.some((one) => one.applies(text, ours, theirs))) continue;
    assert.deepEqual(ours, theirs, `SEED=${SEED}, text ${count}: ${JSON.stringify(text)}`);
  }
  // A generator that makes nothing but nonsense, or nothing but the obvious, proves little.
  assert.ok(accepted > STRINGS / 5 && accepted < STRINGS * 4 / 5, `${accepted} were accepted`);
});

for (const one of DIFFERENCES) {
  test(`named difference: ${one.name}, as ${one.reason}`, { skip }, () => {
    if (typeof libpq === "string") return;
    const [ours, theirs] = [verdict(one.example), libpq.parse(one.example)];
    assert.ok(!same(ours, theirs) && one.applies(one.example, ours, theirs));
  });
}

test("what formatConnectionString() writes, PQconninfoParse reads back", { skip }, () => {
  if (typeof libpq === "string") return;
  const prng = new Prng(SEED);
  for (let count = 0, written = 0; written < 10_000; count++) {
    const text = connectionString(prng);
    const ours = verdict(text);
    if (!ours.accepted) continue;
    written++;
    for (const style of ["uri", "keyword"] as const) {
      const formatted = formatConnectionString(ours.values, { style, withSecrets: true });
      const where = `SEED=${SEED}, text ${count}: ${JSON.stringify(text)} as ${formatted}`;
      assert.deepEqual(libpq.parse(formatted), ours, where);
    }
  }
});

function verdict(text: string): Verdict {
  try {
    return { accepted: true, values: parseConnectionString(text) };
  } catch (error) {
    if (error instanceof ConfigError) return { accepted: false, message: error.message };
    throw error;
  }
}

function same(ours: Verdict, theirs: Verdict): boolean {
  if (!ours.accepted || !theirs.accepted) return ours.accepted === theirs.accepted;
  const [one, other]: readonly ConnectionParameters[] = [ours.values, theirs.values];
  const keys = Object.keys(one ?? {}) as (keyof ConnectionParameters)[];
  return keys.length === Object.keys(other ?? {}).length &&
    keys.every((key) => one?.[key] === other?.[key]);
}
