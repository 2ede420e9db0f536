/** The runtimes the test files run on, and how each runs them. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { execute } from "./execute.ts";
import { readJunit, type TestResult } from "./junit.ts";
import { denoExecutable, machine } from "./machines.ts";

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
  const report = join(tmpdir(), `pg-handshake-${process.pid}-${runtime.name}.xml`);
  const started = performance.now();
  try {
    const { code, output } = await execute(
      runtime.executable,
      argumentsOf(runtime, files, report),
      {
        cwd: root,
        environment: { ...process.env, NO_COLOR: "1", ...environment },
      },
    );
    const results = existsSync(report) ? readJunit(readFileSync(report, "utf8")) : [];
    const troubles = findTroubles(root, files, code, results);
    const explained = troubles.length === 0 &&
      !results.some(({ detail }) => FILE_FAILED.test(detail));
    return {
      runtime,
      results,
      troubles,
      output: explained ? "" : withoutPasses(output),
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    rmSync(report, { force: true });
  }
}

function argumentsOf(runtime: Runtime, files: readonly string[], report: string): string[] {
  const paths = files.map((file) => `./${file}`);
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
  const reported = new Set(results.map(({ file }) => normal(root, file)));
  // Node 20 does not tell the file, but reports a file that fails to load as a failed test.
  const missing = reported.has(undefined) ? [] : files.filter((file) => !reported.has(file));
  const troubles = missing.map((file) => `no test of ${file} was reported`);
  const failed = results.some(({ outcome }) => outcome === "failed");
  if (code !== 0 && !failed && troubles.length === 0) troubles.push(`it ended with code ${code}`);
  return troubles;
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
