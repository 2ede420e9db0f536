import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { Gate } from "../../src/auth/gate.ts";
import type { AuthMethod, AuthPolicy } from "../../src/auth/gate.ts";
import { ALL_METHODS, policy } from "../support/auth_policy.ts";

const methods = (...words: readonly AuthMethod[]): ReadonlySet<AuthMethod> => new Set(words);

const CONTRADICTIONS: readonly (readonly [string, Partial<AuthPolicy>, string | undefined])[] = [
  [
    "channel_binding=require while require_auth leaves no SCRAM",
    { channelBinding: "require", allowed: methods("md5"), requireAuthText: "md5" },
    "channel_binding",
  ],
  [
    "channel_binding=require with require_auth=none",
    { channelBinding: "require", allowed: methods(), requireAuthText: "none" },
    "channel_binding",
  ],
  [
    "authentication demanded while no method is left",
    { required: true, allowed: methods() },
    "require_auth",
  ],
  [
    "the name to be verified while there is none",
    { tls: { verify: "full", host: undefined, requireAlpn: false } },
    "host",
  ],
  [
    "the name to be verified while it is empty",
    { tls: { verify: "full", host: "", requireAlpn: false } },
    "host",
  ],
  [
    "a SCRAM floor above the cap",
    { minScramIterations: 4097, maxScramIterations: 4096 },
    undefined,
  ],
];

for (const [what, given, keyword] of CONTRADICTIONS) {
  test(`Gate refuses ${what} before anything is dialed`, () => {
    assert.throws(() => new Gate(policy(given)), {
      name: "ConfigError",
      code: "invalid-setting",
      phase: "settings",
      keyword,
    });
  });
}

test("Gate names the words that contradict each other", () => {
  assert.throws(
    () => new Gate(policy({ channelBinding: "require", allowed: methods("md5"), required: true })),
    {
      message: 'Cannot use channel_binding "require": require_auth "md5" does not allow ' +
        '"scram-sha-256", which alone can bind',
    },
  );
});

for (const limit of [0, -1, 1.5, NaN, Infinity]) {
  test(`Gate refuses ${limit} as a limit of SCRAM iterations`, () => {
    assert.throws(() => new Gate(policy({ maxScramIterations: limit })), { code: "misuse" });
    assert.throws(() => new Gate(policy({ minScramIterations: limit })), { code: "misuse" });
  });
}

const SOUND: readonly Partial<AuthPolicy>[] = [
  {},
  { required: true },
  { allowed: methods() },
  { allowed: methods("gss"), required: true },
  { channelBinding: "require" },
  { channelBinding: "require", allowed: methods("scram-sha-256"), required: true },
  { minScramIterations: 4096, maxScramIterations: 4096 },
  { tls: undefined },
  { tls: { verify: "ca", host: undefined, requireAlpn: true } },
];

test("Gate takes policies that some server can satisfy", () => {
  for (const given of SOUND) assert.ok(new Gate(policy(given)) instanceof Gate);
  assert.equal(ALL_METHODS.length, 6);
});
