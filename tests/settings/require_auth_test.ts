import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRequireAuth } from "../../src/settings/require_auth.ts";
import type { AuthMethodName } from "../../src/settings/require_auth.ts";

const ALL: readonly AuthMethodName[] = ["password", "md5", "gss", "sspi", "scram-sha-256", "oauth"];

/** The list, what it allows, and whether a server must ask (libpq 18, fe-connect.c, pqConnectOptions2). */
const LISTS: readonly (readonly [string | undefined, readonly AuthMethodName[], boolean])[] = [
  [undefined, ALL, false],
  ["", ALL, false],
  ...ALL.map((method) => [method, [method], true] as const),
  ["none", [], false],
  ["scram-sha-256,none", ["scram-sha-256"], false],
  ["none,scram-sha-256", ["scram-sha-256"], false],
  ["gss,sspi", ["gss", "sspi"], true],
  [ALL.join(","), ALL, true],
  [`${ALL.join(",")},none`, ALL, false],
  ["!none", ALL, true],
  ["!scram-sha-256", ["password", "md5", "gss", "sspi", "oauth"], false],
  ["!password,!md5", ["gss", "sspi", "scram-sha-256", "oauth"], false],
  ["!password,!md5,!none", ["gss", "sspi", "scram-sha-256", "oauth"], true],
  [ALL.map((method) => `!${method}`).join(","), [], false],
  [`!none,${ALL.map((method) => `!${method}`).join(",")}`, [], true],
];

for (const [text, allowed, required] of LISTS) {
  test(`parseRequireAuth() reads ${JSON.stringify(text)}`, () => {
    const policy = parseRequireAuth(text);
    assert.deepEqual([...policy.allowed].sort(), [...allowed].sort());
    assert.equal(policy.required, required);
    assert.equal(policy.text, text || undefined);
  });
}

test("two readings share nothing", () => {
  const first = parseRequireAuth(undefined);
  (first.allowed as Set<AuthMethodName>).clear();
  assert.equal(parseRequireAuth(undefined).allowed.size, ALL.length);
});
