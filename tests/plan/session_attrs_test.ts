import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  judgeSession,
  type SessionVerdict,
  type WantedSession,
} from "../../src/plan/session_attrs.ts";
import { readVectors, type VectorCase } from "../support/vectors.ts";

interface AttrsCase extends VectorCase {
  readonly wanted: WantedSession;
  readonly version: number;
  readonly parameters: Readonly<Record<string, string>>;
  readonly verdict?: string;
  readonly query?: string;
  readonly answers?: Readonly<Record<string, string>>;
}

function textOf(verdict: SessionVerdict): string {
  switch (verdict.is) {
    case "accepted":
      return "accepted";
    case "refused":
      return verdict.because;
    case "unknown":
      return `ask ${verdict.query}`;
  }
}

for (const one of readVectors<AttrsCase>("plan_session_attrs")) {
  test(`judgeSession(): ${one.name}`, () => {
    const { wanted, version, query, answers = {} } = one;
    const verdict = judgeSession(wanted, new Map(Object.entries(one.parameters)), version);
    assert.equal(textOf(verdict), query === undefined ? one.verdict : `ask ${query}`);
    if (verdict.is !== "unknown") return;
    assert.equal(Object.keys(answers).length, 7);
    for (const [value, expected] of Object.entries(answers)) {
      const judged = verdict.judge(value === "none" ? undefined : value);
      assert.equal(textOf(judged), expected, `answer "${value}"`);
    }
  });
}

test("judgeSession() asks nothing but the one value it needs, in one statement", () => {
  for (const wanted of ["read-write", "read-only", "primary", "standby"] as const) {
    const verdict = judgeSession(wanted, new Map(), 120_000);
    assert.ok(verdict.is === "unknown");
    assert.equal(/[;\0]/.test(verdict.query), false);
  }
});

test("judgeSession() does not trust other parameters than the two", () => {
  const posing = new Map([["transaction_read_only", "on"], ["in_hot_standby ", "on"]]);
  assert.equal(judgeSession("standby", posing, 180_000).is, "unknown");
  assert.equal(judgeSession("read-only", posing, 180_000).is, "unknown");
});
