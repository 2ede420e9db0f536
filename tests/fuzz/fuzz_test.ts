import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import process from "node:process";
import type { Prng } from "../support/prng.ts";
import { fuzz, FuzzFailure, shorterTexts } from "./fuzz.ts";
import { targetOf, TARGETS } from "./targets.ts";

/** Every runtime has seeds of its own, so that together they play four times as many cases. */
const BASE = seedOf(runtimeName());
/** Four runtimes play 200 000 at least. */
const LEAST_CASES = 50_000;
/** Targets' seeds lie further apart than any of them has cases. */
const APART = 0x0010_0000;

let played = 0;

for (const [index, target] of TARGETS.entries()) {
  const seed = BASE + index * APART;
  test(`fuzz target ${target.name} holds its properties from seed ${seed} on`, () => {
    const report = target.run(seed, target.cases);
    assert.equal(report.target, target.name);
    assert.equal(report.cases, target.cases);
    assert.equal([...report.ends.values()].reduce((sum, count) => sum + count, 0), target.cases);
    const missing = target.ends.filter((end) => !report.ends.has(end));
    assert.deepEqual(missing, [], `ends that were not met; met: ${[...report.ends.keys()].join()}`);
    played += report.cases;
  });
}

test("the targets together play at least 50 000 cases", () => {
  assert.ok(played >= LEAST_CASES, `only ${played} cases were played`);
});

test("seeds of the runtimes do not meet", () => {
  const bases = ["deno", "bun", "node-26", "node-20"].map(seedOf).sort((a, b) => a - b);
  bases.forEach((base, at) => {
    assert.ok(base + TARGETS.length * APART <= (bases[at + 1] ?? 2 ** 32));
  });
});

test("a case plays the same alone as in its run", () => {
  const inputs: string[] = [];
  const target = {
    name: "probe",
    generate: (prng: Prng): number => prng.u32(),
    check: (input: number): string => String(inputs.push(String(input))),
    show: String,
  };
  fuzz(target, 100, 3);
  fuzz(target, 102, 1);
  assert.equal(inputs[3], inputs[2]);
  assert.equal(new Set(inputs).size, 3);
});

test("a failure is made small and names its seed and the command that plays it again", () => {
  const target = {
    name: "probe",
    generate: (prng: Prng): string => `aaa${"x".repeat(prng.below(3))}bbb`,
    check(input: string): string {
      assert.ok(!input.includes("x"), "it holds x");
      return "good";
    },
    show: (input: string): string => JSON.stringify(input),
    smaller: shorterTexts,
  };
  assert.throws(() => fuzz(target, 7, 50), (error) => {
    assert.ok(error instanceof FuzzFailure);
    assert.equal(error.seed, 7 + error.after - 1);
    assert.match(error.message, /it holds x/);
    assert.match(error.message, /Input: "x"\n/);
    const command = `deno task fuzz --target probe --seed ${error.seed} --cases 1`;
    assert.ok(error.message.endsWith(`Replay: ${command}`), error.message);
    assert.throws(() => fuzz(target, error.seed, 1), { seed: error.seed, after: 1 });
    return true;
  });
});

test("a target that is not known is refused with the names of all", () => {
  assert.throws(() => targetOf("nothing"), /Cannot fuzz "nothing".*backend.*base64/);
});

function runtimeName(): string {
  if ("Deno" in globalThis) return "deno";
  if ("Bun" in globalThis) return "bun";
  return Number(process.versions.node.split(".")[0]) < 24 ? "node-20" : "node-26";
}

function seedOf(runtime: string): number {
  const names = ["deno", "bun", "node-26", "node-20"];
  return 0x1000_0000 + names.indexOf(runtime) * 0x3000_0000;
}
