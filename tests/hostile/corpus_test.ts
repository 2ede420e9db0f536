import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { casesByAttack, type HostileCase, hostileCases, octetsOfFlight } from "./corpus_case.ts";
import { runCase } from "./corpus_run.ts";

const CASES = hostileCases();
/** Above it a case is cut into larger pieces than single octets: each one is a turn of the event loop. */
const MAX_SINGLE = 8_000;

/** Small enough to cut every message, large enough to end. */
function pieceFor(one: HostileCase): number {
  const octets = one.server.flat().reduce(
    (sum, step) => sum + (typeof step === "string" ? 0 : octetsOfFlight(step).length),
    0,
  );
  return octets <= MAX_SINGLE ? 1 : 997;
}

test("the corpus has 250 written cases or more, every attack more than one", () => {
  assert.ok(CASES.length >= 250, `there are ${CASES.length}`);
  const lonely = [...casesByAttack(CASES)].filter(([, names]) => names.length < 2);
  assert.deepEqual(lonely.map(([attack]) => attack), []);
});

for (const one of CASES) {
  test(`${one.attack}: ${one.name}`, () => runCase(one, Infinity));
  if (one.wholeOnly === true) continue;
  const pieces = pieceFor(one);
  const cut = pieces === 1 ? "octet by octet" : `in pieces of ${pieces} octets`;
  test(`${one.attack}: ${one.name}, ${cut}`, () => runCase(one, pieces));
}
