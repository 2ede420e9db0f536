import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../src/errors.ts";
import { ConnectionPlan } from "../../src/plan/attempts.ts";
import type { GssMode, Outcome } from "../../src/plan/attempts.ts";
import type { Target } from "../../src/plan/targets.ts";
import type { HostEntry } from "../../src/settings/hosts.ts";
import type { SslMode } from "../../src/settings/tls_settings.ts";
import { readVectors } from "../support/vectors.ts";

type Answer = readonly string[] | Partial<Outcome>;

interface PlanCase {
  readonly name: string;
  readonly source: string;
  readonly sslmode: SslMode;
  readonly sslnegotiation: "postgres" | "direct";
  readonly gss?: GssMode;
  readonly hosts: readonly (string | Partial<HostEntry>)[];
  readonly steps: readonly (readonly [string, Answer?])[];
}

const DIAL: Outcome = {
  phase: "dial",
  error: "dial",
  tlsInUse: false,
  credentialsSent: false,
  sawAuthRequest: false,
};

function entryOf(host: string | Partial<HostEntry>): HostEntry {
  const given = typeof host === "string" ? { host } : host;
  const name = given.host ?? "";
  const kind = /^[/@]/.test(name) ? "unix" : "tcp";
  return { host: name, hostaddr: given.hostaddr, port: given.port ?? 5432, kind };
}

function planOf(hosts: PlanCase["hosts"], sslmode: SslMode = "prefer"): ConnectionPlan {
  return new ConnectionPlan({ hosts: hosts.map(entryOf), sslmode, sslnegotiation: "postgres" });
}

/** What a target says, as the vectors write it. */
function textOf(target: Target | undefined): string {
  if (target === undefined) return "nothing";
  if (target.do === "resolve") return `resolve ${target.host.host}`;
  const { host, address, encryption, plaintextAfterRefusal } = target;
  const place = host.kind === "unix" ? `unix ${host.host}` : `${host.host} ${address}`;
  const refusal = plaintextAfterRefusal ? ", after N in plaintext" : "";
  const gss = target.afterGssRefusal === undefined
    ? ""
    : `, after N to GSSENCRequest ${target.afterGssRefusal}`;
  return `${place}:${host.port} ${encryption}${refusal}${gss}`;
}

function answer(plan: ConnectionPlan, given: Answer): void {
  if (Array.isArray(given)) plan.resolved(given);
  else plan.failed({ ...DIAL, ...given as Partial<Outcome> });
}

for (const one of ["plan", "plan_gss"].flatMap((file) => readVectors<PlanCase>(file))) {
  test(`ConnectionPlan: ${one.name}`, () => {
    const plan = new ConnectionPlan({ ...one, hosts: one.hosts.map(entryOf) });
    let open = false;
    for (const [expected, given] of one.steps) {
      assert.equal(textOf(plan.next()), expected);
      open = given === undefined;
      if (given !== undefined) answer(plan, given);
    }
    if (open) return;
    assert.equal(plan.next(), undefined);
    assert.equal(plan.next(), undefined, "nothing stays nothing");
  });
}

test("plaintext is never tried under require and above, whatever happens", () => {
  const errors: readonly Outcome["error"][] = [
    "dial",
    "timeout",
    "tls-refused",
    "tls-failed",
    "closed",
    "server",
    "other",
  ];
  const phases: readonly Outcome["phase"][] = ["negotiate", "tls", "start-up", "authenticate"];
  for (const sslmode of ["require", "verify-ca", "verify-full"] as const) {
    for (const error of errors) {
      for (const phase of phases) {
        for (const sqlState of ["28000", "28P01", "57P03", "53300"]) {
          const plan = planOf(["10.0.0.1", "10.0.0.2"], sslmode);
          let attempts = 0;
          for (let target = plan.next(); target !== undefined; target = plan.next()) {
            assert.ok(target.do === "attempt" && target.encryption === "ssl-request");
            assert.equal(target.plaintextAfterRefusal, false);
            attempts++;
            plan.failed({ ...DIAL, error, phase, sqlState, tlsInUse: phase !== "negotiate" });
          }
          assert.ok(attempts === 1 || attempts === 2, `${sslmode} ${error} ${phase} ${sqlState}`);
        }
      }
    }
  }
});

test("no address is given a second attempt after credentials were sent", () => {
  for (const sslmode of ["allow", "prefer"] as const) {
    for (const error of ["tls-refused", "tls-failed", "closed", "server", "other"] as const) {
      for (const phase of ["tls", "start-up", "authenticate", "prepare"] as const) {
        for (const sqlState of ["28000", "28P01", "53300"]) {
          const plan = planOf(["10.0.0.1"], sslmode);
          plan.next();
          plan.failed({
            phase,
            error,
            sqlState,
            tlsInUse: sslmode === "prefer",
            credentialsSent: true,
            sawAuthRequest: true,
          });
          assert.equal(plan.next(), undefined, `${sslmode} ${error} ${phase} ${sqlState}`);
        }
      }
    }
  }
});

test("the addresses a plan was given may change afterwards", () => {
  const plan = planOf(["db1"], "disable");
  plan.next();
  const addresses = ["10.0.0.1", "10.0.0.2"];
  plan.resolved(addresses);
  addresses.length = 0;
  assert.equal(textOf(plan.next()), "db1 10.0.0.1:5432 plain");
  plan.failed(DIAL);
  assert.equal(textOf(plan.next()), "db1 10.0.0.2:5432 plain");
});

test("next() without an outcome for the last attempt is a UsageError", () => {
  const plan = planOf(["10.0.0.1"]);
  plan.next();
  assert.throws(() => plan.next(), UsageError);
});

test("next() without an answer to a look-up is a UsageError", () => {
  const plan = planOf(["db1"]);
  plan.next();
  assert.throws(() => plan.next(), UsageError);
});

test("resolved() without a look-up is a UsageError", () => {
  const plan = planOf(["10.0.0.1"]);
  assert.throws(() => plan.resolved(["10.0.0.2"]), UsageError);
  plan.next();
  assert.throws(() => plan.resolved(["10.0.0.2"]), UsageError);
});

test("failed() without an open target is a UsageError", () => {
  const plan = planOf(["10.0.0.1"]);
  assert.throws(() => plan.failed(DIAL), UsageError);
  plan.next();
  plan.failed(DIAL);
  assert.throws(() => plan.failed(DIAL), UsageError);
  assert.equal(plan.next(), undefined);
  assert.throws(() => plan.failed(DIAL), UsageError);
});
