import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../src/errors.ts";
import { ConnectionPlan, type Outcome } from "../../src/plan/attempts.ts";
import type { Target } from "../../src/plan/targets.ts";
import type { TargetSessionAttrs } from "../../src/settings/resolve.ts";
import type { SslMode } from "../../src/settings/tls_settings.ts";
import { readVectors, type VectorCase } from "../support/vectors.ts";
import { DIAL, hostsOf } from "./plans.ts";

/** Addresses, or how an attempt failed and, if it was not the first, which address was dialed. */
type Answer = readonly string[] | Partial<Outcome> & { readonly dialed?: string };

interface PassCase extends VectorCase {
  readonly sslmode: SslMode;
  readonly hosts: readonly string[];
  readonly attrs?: TargetSessionAttrs;
  readonly named?: boolean;
  readonly steps: readonly (readonly [string, Answer?])[];
}

function textOf(target: Target | undefined): string {
  if (target === undefined) return "nothing";
  if (target.do === "resolve") return `resolve ${target.host.host}`;
  const { host, address, encryption, otherAddresses, wants } = target;
  const { withoutApplicationName, withoutGuess, withToken } = target;
  const place = address === undefined || address === host.host
    ? host.host
    : `${host.host} ${address}`;
  return [
    `${place} ${encryption}`,
    ...(otherAddresses.length === 0 ? [] : [`others ${otherAddresses.join(" ")}`]),
    `wants ${wants}`,
    ...(withoutApplicationName ? ["nameless"] : []),
    ...(withToken ? ["with a token"] : []),
    ...(withoutGuess ? ["in turn"] : []),
  ].join(", ");
}

function isAddresses(answer: Answer): answer is readonly string[] {
  return Array.isArray(answer);
}

for (const one of readVectors<PassCase>("plan_passes")) {
  test(`ConnectionPlan: ${one.name}`, () => {
    const { sslmode, attrs, named, steps } = one;
    const plan = new ConnectionPlan({
      hosts: hostsOf(one.hosts),
      sslmode,
      sslnegotiation: "postgres",
      ...(attrs === undefined ? {} : { targetSessionAttrs: attrs }),
      ...(named === undefined ? {} : { sendsApplicationName: named }),
    });
    let isOpen = false;
    for (const [expected, answer] of steps) {
      assert.equal(textOf(plan.next()), expected);
      isOpen = answer === undefined;
      if (answer === undefined) continue;
      if (isAddresses(answer)) {
        plan.resolved(answer);
        continue;
      }
      const { dialed, ...outcome } = answer;
      if (dialed !== undefined) plan.dialed(dialed);
      plan.failed({ ...DIAL, ...outcome });
    }
    if (isOpen) return;
    assert.equal(textOf(plan.next()), "nothing");
    assert.equal(textOf(plan.next()), "nothing", "nothing stays nothing");
  });
}

test("dialed() without an open attempt is a UsageError", () => {
  const plan = new ConnectionPlan({
    hosts: hostsOf(["db1"]),
    sslmode: "disable",
    sslnegotiation: "postgres",
  });
  assert.throws(() => plan.dialed("10.0.0.1"), UsageError);
  plan.next();
  assert.throws(() => plan.dialed("10.0.0.1"), UsageError);
  plan.resolved(["10.0.0.1"]);
  assert.throws(() => plan.dialed("10.0.0.1"), UsageError);
  plan.next();
  plan.dialed("10.0.0.1");
  plan.failed(DIAL);
  assert.throws(() => plan.dialed("10.0.0.1"), UsageError);
});

test("dialed() with an address the attempt has not, or has no longer, is a UsageError that names it", () => {
  const plan = new ConnectionPlan({
    hosts: hostsOf(["db1"]),
    sslmode: "disable",
    sslnegotiation: "postgres",
  });
  plan.next();
  plan.resolved(["10.0.0.1", "10.0.0.2"]);
  plan.next();
  assert.throws(() => plan.dialed("10.0.0.9"), /"10\.0\.0\.9"/);
  plan.failed(DIAL);
  plan.next();
  assert.throws(() => plan.dialed("10.0.0.1"), UsageError);
  plan.dialed("10.0.0.2");
});

test("every plan comes to an end, whatever goes wrong, and gives no address more than it may", () => {
  const errors: readonly Outcome["error"][] = [
    "dial",
    "unreachable",
    "timeout",
    "tls-refused",
    "tls-failed",
    "closed",
    "server",
    "session-attrs",
    "other",
  ];
  const phases: readonly Outcome["phase"][] = ["negotiate", "start-up", "prepare", "ready"];
  for (const sslmode of ["disable", "allow", "prefer", "require"] as const) {
    for (const targetSessionAttrs of ["any", "prefer-standby"] as const) {
      for (const error of errors) {
        for (const phase of phases) {
          for (const sqlState of ["28000", "57P03", "42704", "53300"]) {
            const plan = new ConnectionPlan({
              hosts: hostsOf(["10.0.0.1", "10.0.0.2"]),
              sslmode,
              sslnegotiation: "postgres",
              targetSessionAttrs,
              sendsApplicationName: true,
            });
            let attempts = 0;
            for (let target = plan.next(); target !== undefined; target = plan.next()) {
              attempts++;
              assert.ok(attempts <= 16, `${sslmode} ${error} ${phase} ${sqlState} goes on`);
              const tlsInUse = target.do === "attempt" && target.encryption !== "plain";
              plan.failed({ ...DIAL, error, phase, sqlState, tlsInUse });
            }
            // Two hosts, at most two encryptions, two passes, and once more without application_name.
            const most = 2 * (sslmode === "allow" || sslmode === "prefer" ? 2 : 1) *
              (targetSessionAttrs === "any" ? 1 : 2) * 2;
            assert.ok(attempts >= 1 && attempts <= most, `${sslmode} ${error} ${attempts}`);
          }
        }
      }
    }
  }
});
