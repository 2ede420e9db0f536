/** Plans with any outcome at any place: they end, try nothing twice, and go nowhere the settings forbid. */
import assert from "node:assert/strict";
import type { Encryption, Phase } from "../../src/errors.ts";
import { ConnectionPlan, type PlanSettings } from "../../src/plan/attempts.ts";
import type { AttemptTarget } from "../../src/plan/targets.ts";
import type { Outcome } from "../../src/plan/moves.ts";
import type { HostEntry } from "../../src/settings/hosts.ts";
import { Prng } from "../support/prng.ts";
import { fuzz, type Report, type Target, withoutPieces } from "./fuzz.ts";

interface Input {
  readonly settings: Omit<PlanSettings, "chance">;
  readonly shuffles: boolean;
  /** Of the outcomes, and of the shuffling. */
  readonly seed: number;
}

const MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;
const ATTRS = ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"] as const;
const ERRORS: readonly Outcome["error"][] = [
  "resolve",
  "dial",
  "dial",
  "unreachable",
  "timeout",
  "tls-refused",
  "tls-failed",
  "closed",
  "server",
  "server",
  "session-attrs",
  "session-attrs",
  "token-wanted",
  "wrong-guess",
  "wrong-guess",
  "other",
];
const PHASES: readonly Phase[] = [
  "dial",
  "negotiate",
  "tls",
  "start-up",
  "start-up",
  "authenticate",
  "prepare",
  "ready",
];
const MAX_ADDRESSES = 4;

const TARGET: Target<Input> = {
  name: "plan",
  generate: (prng) => ({
    settings: {
      hosts: Array.from({ length: 1 + prng.below(5) }, (_, at) => host(prng, at)),
      sslmode: prng.pick(MODES),
      sslnegotiation: prng.pick(["postgres", "direct"]),
      targetSessionAttrs: prng.pick(ATTRS),
      sendsApplicationName: prng.below(2) === 0,
    },
    shuffles: prng.below(2) === 0,
    seed: prng.u32(),
  }),
  check: walk,
  show: (input) => JSON.stringify(input),
  *smaller(input) {
    for (const hosts of withoutPieces(input.settings.hosts)) {
      if (hosts.length > 0) yield { ...input, settings: { ...input.settings, hosts } };
    }
  },
};

/** Walks through plans. */
export function run(seed: number, cases: number): Report {
  return fuzz(TARGET, seed, cases);
}

function host(prng: Prng, at: number): HostEntry {
  const port = 5432;
  switch (prng.below(4)) {
    case 0:
      return { host: `/run/${at}`, hostaddr: undefined, port, kind: "unix" };
    case 1:
      return { host: `db${at}`, hostaddr: `10.9.0.${at}`, port, kind: "tcp" };
    case 2:
      return { host: `10.8.0.${at}`, hostaddr: undefined, port, kind: "tcp" };
    default:
      return { host: `db${at}`, hostaddr: undefined, port, kind: "tcp" };
  }
}

function walk({ settings, shuffles, seed }: Input): string {
  const prng = new Prng(seed);
  const chance = shuffles ? (below: number): number => prng.below(below) : undefined;
  const plan = new ConnectionPlan({ ...settings, chance });
  // Two passes; each host is looked up, each address tried with two encryptions, with and without a name and a guess.
  const bound = 2 * settings.hosts.length * (1 + MAX_ADDRESSES * 2 * 2 * 2);
  const tried = new Set<string>();
  for (let count = 0; count <= bound; count++) {
    const target = plan.next();
    if (target === undefined) {
      assert.equal(plan.next(), undefined, "it begins again");
      return tried.size > 0 ? "tried" : "nothing";
    }
    if (target.do === "resolve") {
      const at = settings.hosts.indexOf(target.host);
      const found = Array.from(
        { length: prng.below(MAX_ADDRESSES + 1) },
        (_, n) => `10.${at}.0.${n}`,
      );
      if (prng.below(5) > 0) plan.resolved(found);
      else plan.failed(outcomeOf(prng, ["resolve", "other"]));
      continue;
    }
    const { otherAddresses } = target;
    const other = otherAddresses.length > 0 && prng.below(4) === 0 ? prng.pick(otherAddresses) : "";
    if (other !== "") plan.dialed(other);
    judge(other === "" ? target : { ...target, address: other }, settings, tried);
    const outcome = outcomeOf(prng, ERRORS);
    plan.failed(outcome);
    const mustStop = outcome.error === "other" || outcome.sqlState === "28P01" ||
      (outcome.credentialsSent && outcome.error.startsWith("tls-")) ||
      // It may have been run.
      (outcome.statementSent === true && !["server", "wrong-guess"].includes(outcome.error)) ||
      (outcome.error === "wrong-guess" && target.withoutGuess);
    if (mustStop) {
      assert.equal(plan.next(), undefined, `it goes on after ${JSON.stringify(outcome)}`);
    }
  }
  throw new Error(`The plan does not end after ${bound} steps`);
}

function judge(target: AttemptTarget, settings: Input["settings"], tried: Set<string>): void {
  const { host, address, encryption, plaintextAfterRefusal, wants } = target;
  assert.ok(allowed(host, settings).includes(encryption), `${settings.sslmode}: ${encryption}`);
  assert.ok(!plaintextAfterRefusal || settings.sslmode === "prefer", "plaintext after N");
  if (host.kind === "unix") assert.equal(address, undefined);
  if (host.hostaddr !== undefined) assert.equal(address, host.hostaddr);
  const pass = settings.targetSessionAttrs === "prefer-standby" ? wants : "";
  const place = [pass, settings.hosts.indexOf(host), address, encryption];
  const { withoutApplicationName, withoutGuess, withToken } = target;
  const key = [...place, withoutApplicationName, withoutGuess, withToken].join(" ");
  assert.ok(!tried.has(key), `tried twice: ${key}`);
  tried.add(key);
}

/** What sslmode lets pass (libpq's manual, sslmode). */
function allowed(host: HostEntry, settings: Input["settings"]): readonly Encryption[] {
  const tls = settings.sslnegotiation === "direct" ? "direct-tls" : "ssl-request";
  if (host.kind === "unix" || settings.sslmode === "disable") return ["plain"];
  return settings.sslmode === "allow" || settings.sslmode === "prefer" ? ["plain", tls] : [tls];
}

function outcomeOf(prng: Prng, errors: readonly Outcome["error"][]): Outcome {
  const error = prng.pick(errors);
  const sqlState = prng.pick(["28000", "28P01", "57P03", "42704", "53300"]);
  return {
    error,
    phase: prng.pick(PHASES),
    tlsInUse: prng.below(2) === 0,
    credentialsSent: prng.below(3) === 0,
    sawAuthRequest: prng.below(2) === 0,
    statementSent: prng.below(4) === 0,
    ...(error === "server" && { sqlState }),
  };
}
