import "../support/guard.ts";
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readJunit, type TestResult } from "./junit.ts";
import type { RuntimeName, RuntimeReport } from "./runtimes.ts";
import { summarize, type Totals } from "./summary.ts";
import { loadTogether } from "./together.ts";

/** The three dialects, as Deno 2.9, Bun 1.4 and Node 26 wrote them. */
const DENO = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="5" failures="2" errors="0" time="0.130">
  <testsuite name="./a_test.ts" tests="3" disabled="1" errors="0" failures="1">
    <testcase name="says &lt;&amp;&gt; &quot;q&quot;" classname="./a_test.ts" time="0.001" line="3" col="1">
    </testcase>
    <testcase name="not here" classname="./a_test.ts" time="0.000" line="4" col="1">
      <skipped/>
    </testcase>
    <testcase name="suite" classname="./a_test.ts" time="0.006" line="7" col="1">
      <failure message="1 test step failed">1 test step failed.</failure>
    </testcase>
  </testsuite>
  <testsuite name="ext:deno_node/testing.ts" tests="1" disabled="0" errors="0" failures="1">
    <testcase name="suite &gt; fails" classname="ext:deno_node/testing.ts" time="0.002" line="1" col="1">
      <failure message="Uncaught AssertionError: 1 !== 2">AssertionError: 1 !== 2</failure>
    </testcase>
  </testsuite>
</testsuites>`;
const BUN = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="3" failures="1" skipped="1" time="0.02">
  <testsuite name="a_test.ts" file="a_test.ts" tests="3" failures="1" skipped="1">
    <testcase name="says &lt;&amp;&gt; &quot;q&quot;" classname="" file="a_test.ts" line="3" />
    <testcase name="not here" classname="" time="0" file="a_test.ts" line="4">
      <skipped />
    </testcase>
    <testsuite name="suite" file="a_test.ts" line="7" tests="1" failures="1">
      <testcase name="fails" classname="suite" file="a_test.ts" line="7">
        <failure type="AssertionError" message="1 !== 2">AssertionError: 1 !== 2</failure>
      </testcase>
    </testsuite>
  </testsuite>
</testsuites>`;
const NODE = `<?xml version="1.0" encoding="utf-8"?>
<testsuites>
	<testcase name="says &lt;&amp;> &amp;quot;q&amp;quot;" time="0.0005" classname="test" file="a_test.ts"/>
	<testcase name="not here" time="0.0001" classname="test" file="a_test.ts">
		<skipped type="skipped" message="why"/>
	</testcase>
	<testsuite name="suite" time="0.001" tests="1" failures="1" skipped="0">
		<testcase name="fails" classname="suite" file="a_test.ts" failure="1 !== 2">
			<failure type="testCodeFailure" message="1 !== 2">
AssertionError: 1 !== 2
			</failure>
		</testcase>
	</testsuite>
	<undefined name="root">
	<!-- tests 3 -->
	</undefined>
</testsuites>`;

const dialects = [["Deno", DENO, ""], ["Bun", BUN, ""], ["Node", NODE, "why"]] as const;
for (const [name, xml, reason] of dialects) {
  test(`readJunit() reads a report of ${name}`, () => {
    const plain = readJunit(xml).map((
      { title, outcome, detail },
    ) => [title, outcome, detail.trim()]);
    assert.deepEqual(plain, [
      ['says <&> "q"', "passed", ""],
      ["not here", "skipped", reason],
      ["suite > fails", "failed", "AssertionError: 1 !== 2"],
    ]);
  });
}

test("readJunit() keeps a parent test that fails by itself", () => {
  const results = readJunit(`<testsuites><testsuite name="a_test.ts">
    <testcase name="parent"><failure message="">own failure</failure></testcase>
    <testcase name="parent &gt; child"/></testsuite></testsuites>`);
  assert.deepEqual(results.map(({ title, outcome }) => [title, outcome]), [
    ["parent", "failed"],
    ["parent > child", "passed"],
  ]);
});

test("readJunit() refuses what is no report", () => {
  assert.throws(() => readJunit(""), /empty/);
});

function result(title: string, outcome: TestResult["outcome"], detail = ""): TestResult {
  return { title, outcome, detail, file: "a_test.ts" };
}

function report(
  name: RuntimeName,
  results: readonly TestResult[],
  troubles: readonly string[] = [],
): RuntimeReport {
  return {
    runtime: { name, version: "1.0.0", executable: name },
    results,
    troubles,
    output: troubles.join(),
    seconds: 1,
  };
}

function sum(
  reports: readonly RuntimeReport[],
  more: { readonly requireAll?: boolean; readonly complaints?: string } = {},
): { readonly totals: Totals; readonly text: string } {
  const lines: string[] = [];
  const print = (text: string): void => void lines.push(text);
  const totals = summarize(reports, { requireAll: false, complaints: "", ...more, print });
  return { totals, text: lines.join("\n") };
}

test("summarize() adds up the runtimes and shows every failure", () => {
  const { totals, text } = sum([
    report("bun", [result("one", "passed"), result("two", "failed", "the stack")]),
    report("deno", [result("one", "passed"), result("two", "passed")]),
  ]);
  assert.deepEqual(totals, { passed: 3, failed: 1, skipped: 0 });
  assert.match(text, /^deno {3}1\.0\.0 {5}2 passed, 0 failed, 0 skipped {3}1\.0 s\nbun /);
  assert.match(text, /bun 1\.0\.0: two \(a_test\.ts\)\nthe stack/);
});

test("summarize() does not count a test that belongs to another runtime, wherever the reason is told", () => {
  const { totals } = sum([
    report("deno", [result("for bun", "skipped"), result("runs on Node only: x", "skipped")]),
    report("node-26", [
      result("for bun", "skipped", "runs on Bun only"),
      result("runs on Node only: x", "passed"),
    ]),
  ], { requireAll: true });
  assert.deepEqual(totals, { passed: 1, failed: 0, skipped: 0 });
});

test("summarize() counts other skips, and as failures where everything is required", () => {
  const reports = [report("node-26", [result("one", "skipped", "no server")])];
  assert.deepEqual(sum(reports).totals, { passed: 0, failed: 0, skipped: 1 });
  assert.match(sum(reports).text, /skipped on node-26: 1 \(no server\)/);
  assert.deepEqual(sum(reports, { requireAll: true }).totals, { passed: 0, failed: 1, skipped: 1 });
});

test("summarize() counts trouble outside of the tests, and a build with complaints, as failures", () => {
  const troubled = report("deno", [result("one", "passed")], ["no test of b_test.ts was reported"]);
  const { totals, text } = sum([troubled, report("node-20", [])], { complaints: "TS1005" });
  assert.deepEqual(totals, { passed: 1, failed: 2, skipped: 0 });
  assert.match(text, /no test of b_test\.ts was reported/);
  assert.match(text, /TS1005/);
});

test("loadTogether() leaves out no file, and loads none twice", () => {
  const folder = mkdtempSync(join(tmpdir(), "pg-handshake-together-"));
  try {
    const files = ["tests/auth/a_test.ts", "tests/auth/b_test.ts", "tests/live/c_test.ts"];
    const [module = "", ...others] = loadTogether(
      "/repository",
      [...files, "tests/d_test.ts"],
      folder,
    );
    assert.deepEqual(others, ["./tests/live/c_test.ts", "./tests/d_test.ts"]);
    assert.deepEqual(
      readFileSync(module, "utf8").split("\n").map((line) => /tests\/auth\/\w+/.exec(line)?.[0]),
      ["tests/auth/a_test", "tests/auth/b_test", undefined],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
