/** The runtimes the test files run on, and how each runs them. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { execute } from "./execute.ts";
import { readJunit, type TestResult } from "./junit.ts";
import { denoExecutable, machine } from "./machines.ts";
import { loadTogether } from "./together.ts";

/** The name of a runtime. */
export type RuntimeName = "deno" | "bun" | "node-20" | "node-26";

/** In the order they are started and reported. */
export const RUNTIME_NAMES: readonly RuntimeName[] = ["deno", "bun", "node-20", "node-26"];

/** A runtime that is ready to be used. */
export interface Runtime {
  readonly name: RuntimeName;
  readonly version: string;
  readonly executable: string;
}

/** What one runtime made of the tests. */
export interface RuntimeReport {
  readonly runtime: Runtime;
  readonly results: readonly TestResult[];
  /** What went wrong outside of the tests that were reported, each as bad as a failed test. */
  readonly troubles: readonly string[];
  /** What it wrote about it; empty if the results say everything. */
  readonly output: string;
  readonly seconds: number;
}

/** Long enough for every test on a slow machine; a test that hangs is found by what was written last. */
const LIMIT_MS = 900_000;
const DENO_FLAGS = ["test", "-A", "--no-check", "--reporter=pretty"];
const BUN_FLAGS = ["test", "--timeout", "120000", "--reporter=junit"];
const NODE_FLAGS = ["--test", "--test-reporter=junit", "--test-reporter=spec"];

/** How Node reports a test file whose process ended badly: as a test, without what the process wrote. */
const FILE_FAILED = /exitCode: \d/;

/**
 * A runtime, fetched on first use.
 *
 * @throws {MachineUnavailable} If there is none for this platform.
 */
export async function getRuntime(name: RuntimeName): Promise<Runtime> {
  if (name !== "deno") {
    const { version, executable } = await machine(name);
    return { name, version, executable };
  }
  const executable = denoExecutable();
  if (executable === undefined) throw new Error("Cannot find Deno: set DENO_BIN to its path");
  const { output } = await execute(executable, ["--version"]);
  return { name, version: /^deno (\S+)/.exec(output)?.[1] ?? "unknown", executable };
}

/**
 * Runs test files on a runtime.
 *
 * @param root The folder to run in; files are given relative to it.
 * @param files With "/" between folders; at least one.
 * @param environment Added to ours.
 */
export async function runTests(
  runtime: Runtime,
  root: string,
  files: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<RuntimeReport> {
  const folder = mkdtempSync(join(tmpdir(), `pg-handshake-${runtime.name}-`));
  const report = join(folder, "report.xml");
  // Bun runs all of them in one process by itself.
  const paths = runtime.name === "bun"
    ? files.map((file) => `./${file}`)
    : loadTogether(root, files, folder);
  const started = performance.now();
  try {
    const { code, output } = await execute(
      runtime.executable,
      argumentsOf(runtime, paths, report),
      {
        cwd: root,
        limitMs: LIMIT_MS,
        environment: { ...process.env, NO_COLOR: "1", ...environment },
      },
    );
    const results = existsSync(report) ? readJunit(readFileSync(report, "utf8")) : [];
    const troubles = findTroubles(root, files, code, results);
    const seconds = (performance.now() - started) / 1000;
    const explained = troubles.length === 0 &&
      !results.some(({ detail }) => FILE_FAILED.test(detail));
    if (explained) return { runtime, results, troubles, output: "", seconds };
    const more = runtime.name === "deno" && code !== null
      ? await loadErrors(runtime, root, files, results)
      : "";
    return { runtime, results, troubles, output: withoutPasses(output) + more, seconds };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function argumentsOf(runtime: Runtime, paths: readonly string[], report: string): string[] {
  switch (runtime.name) {
    case "deno":
      return [...DENO_FLAGS, `--junit-path=${report}`, ...paths];
    case "bun":
      return [...BUN_FLAGS, `--reporter-outfile=${report}`, ...paths];
    case "node-20":
    case "node-26": {
      const destinations = [report, "stdout"].map((one) => `--test-reporter-destination=${one}`);
      return [...NODE_FLAGS, ...destinations, ...paths];
    }
  }
}

/** An error at load, or in a hook, may be in the output only; a file without a test must not pass unnoticed. */
function findTroubles(
  root: string,
  files: readonly string[],
  code: number | null,
  results: readonly TestResult[],
): string[] {
  if (code === null) {
    return [`it was killed, after ${LIMIT_MS / 1000} s or from outside; its last words:`];
  }
  const troubles = missingFiles(root, files, results).map((file) =>
    `no test of ${file} was reported`
  );
  const failed = results.some(({ outcome }) => outcome === "failed");
  if (code !== 0 && !failed && troubles.length === 0) troubles.push(`it ended with code ${code}`);
  return troubles;
}

/** Node 20 does not tell a test's file, but reports a file that fails to load as a failed test. */
function missingFiles(
  root: string,
  files: readonly string[],
  results: readonly TestResult[],
): readonly string[] {
  const reported = new Set(results.map(({ file }) => normal(root, file)));
  return reported.has(undefined) ? [] : files.filter((file) => !reported.has(file));
}

/**
 * `guard.ts` turns an error at load into a rejection that Deno's test command drops: it says "0 passed" and ends well.
 * Loading the file once more, and catching, shows the error.
 */
async function loadErrors(
  deno: Runtime,
  root: string,
  files: readonly string[],
  results: readonly TestResult[],
): Promise<string> {
  let output = "";
  for (const file of missingFiles(root, files, results)) {
    const url = JSON.stringify(pathToFileURL(join(root, file)).href);
    const code = `import(${url}).catch((error) => { console.error(error); Deno.exit(1); })`;
    output += (await execute(deno.executable, ["eval", code], { cwd: root })).output;
  }
  return output;
}

function normal(root: string, file: string | undefined): string | undefined {
  if (file === undefined || file === "test") return undefined;
  const path = file.startsWith("/") || /^[A-Z]:/i.test(file) ? relative(root, file) : file;
  return path.replaceAll("\\", "/").replace(/^\.\//, "");
}

/** What a person reads to find the trouble: passed tests would bury it. */
function withoutPasses(output: string): string {
  const dull = /^\s*(\(pass\)|\(skip\)|✔|﹣|▶|ℹ|running \d+ tests? from)|\.\.\. (ok|ignored)\b/;
  const lines = output.split("\n").filter((line) => !dull.test(line));
  return lines.join("\n").replaceAll(/\n{3,}/g, "\n\n").trim();
}
