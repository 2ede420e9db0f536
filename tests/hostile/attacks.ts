/** Prints every case of the corpus by attack: `deno run -A tests/hostile/attacks.ts`; `--table` prints the README's table. */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { casesByAttack, hostileCases } from "./corpus_case.ts";

/** How many cases stand in the table by name. */
const NAMED = 2;

/** The README's table: each attack, how many cases it has, and some of them by name. */
export function attacksTable(): string {
  const rows = [...casesByAttack(hostileCases())].map(([attack, names]) =>
    `| ${attack} | ${names.length} | ${names.slice(0, NAMED).join("; ").replaceAll("|", "\\|")} |`
  );
  return ["| attack | cases | among them |", "| --- | --- | --- |", ...rows].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const listing = [...casesByAttack(hostileCases())].map(([attack, names]) =>
    [attack, ...names.map((name) => `  ${name}`)].join("\n")
  ).join("\n");
  process.stdout.write(`${process.argv.includes("--table") ? attacksTable() : listing}\n`);
}
