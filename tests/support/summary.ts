/** Turns the reports of all runtimes into lines for a person and into one sum. */
import { RUNTIME_NAMES, type RuntimeReport } from "./runtimes.ts";
import type { TestResult } from "./junit.ts";

/** The sum over all runtimes. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What {@link summarize} needs besides the reports. */
export interface SummaryOptions {
  /** Whether a skipped test is a failure. */
  readonly requireAll: boolean;
  /** What the compiler said against the build for Node 20; empty if nothing. */
  readonly complaints: string;
  /** Takes one or more lines. */
  print(text: string): void;
}

const BY_RUNTIME = /runs on [\w, ]+ only/i;

/** Prints a line for each runtime, then every failure in full and every reason for a skip, and returns the sum. */
export function summarize(reports: readonly RuntimeReport[], options: SummaryOptions): Totals {
  const { print, requireAll, complaints } = options;
  const reasons = collectReasons(reports);
  const ordered = [...reports].sort((a, b) => position(a) - position(b));
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const report of ordered) {
    const { name, version } = report.runtime;
    const mine = report.results.filter((one) => !isForOther(one, reasons));
    const count = (outcome: TestResult["outcome"]): number =>
      mine.filter((one) => one.outcome === outcome).length;
    const skipped = count("skipped");
    const passed = count("passed");
    const troubled = report.troubles.length;
    const uncompiled = name === "node-20" && complaints !== "" ? 1 : 0;
    const failed = count("failed") + troubled + uncompiled + (requireAll ? skipped : 0);
    const seconds = report.seconds.toFixed(1);
    const sums = `${passed} passed, ${failed} failed, ${skipped} skipped`;
    print(`${name.split("-")[0]?.padEnd(6)} ${version.padEnd(9)} ${sums}   ${seconds} s`);
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
  for (const report of ordered) printDetails(report, reasons, print);
  if (complaints !== "") print(`\n--- the build for Node 20\n${complaints}`);
  return total;
}

function position(report: RuntimeReport): number {
  return RUNTIME_NAMES.indexOf(report.runtime.name);
}

/** Only Node reports why a test is skipped, so the others borrow the reason from it by the test's title. */
function collectReasons(reports: readonly RuntimeReport[]): ReadonlyMap<string, string> {
  const skipped = reports.flatMap(({ results }) => results)
    .filter(({ outcome, detail }) => outcome === "skipped" && detail !== "");
  return new Map(skipped.map(({ title, detail }) => [title, detail]));
}

function reasonOf(one: TestResult, reasons: ReadonlyMap<string, string>): string {
  return one.detail !== "" ? one.detail : reasons.get(one.title) ?? "";
}

function isForOther(one: TestResult, reasons: ReadonlyMap<string, string>): boolean {
  if (one.outcome !== "skipped") return false;
  return BY_RUNTIME.test(one.title) || BY_RUNTIME.test(reasonOf(one, reasons));
}

function printDetails(
  report: RuntimeReport,
  reasons: ReadonlyMap<string, string>,
  print: (text: string) => void,
): void {
  const { name, version } = report.runtime;
  const skips = new Map<string, number>();
  for (const one of report.results) {
    if (one.outcome === "failed") {
      const where = one.file === undefined || one.file === "test" ? "" : ` (${one.file})`;
      print(`\n--- ${name} ${version}: ${one.title}${where}\n${one.detail.trim()}`);
    } else if (one.outcome === "skipped" && !isForOther(one, reasons)) {
      const reason = reasonOf(one, reasons) || `no reason given: ${one.title}`;
      skips.set(reason, (skips.get(reason) ?? 0) + 1);
    }
  }
  for (const [reason, count] of skips) print(`skipped on ${name}: ${count} (${reason})`);
  const outside = [...report.troubles, report.output].join("\n").trim();
  if (outside !== "") print(`\n--- ${name} ${version}: outside of the tests\n${outside}`);
}
