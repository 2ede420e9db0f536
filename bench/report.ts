import { cpus, release, type as systemType } from "node:os";
import type { Bench, PartResult, Table } from "./bench.ts";

/** Where and with what it was measured. */
export interface Surroundings {
  readonly machine: string;
  readonly versions: readonly string[];
  readonly command: string;
  readonly date: string;
}

/** @param versions "pg 8.23.1" and the like, of everybody who took part. */
export function surroundingsOf(
  bench: Bench,
  args: readonly string[],
  versions: readonly string[],
): Surroundings {
  const [first] = cpus();
  return {
    machine: `${cpus().length} × ${first?.model.trim() ?? "unknown"}, ${systemType()} ${release()}`,
    versions: [
      ...bench.runtimes.map(({ name, version }) => `${name.split("-")[0]} ${version}`),
      ...[...bench.servers.values()].map(({ version }) => `PostgreSQL ${version}`),
      ...bench.libpqs.map(({ title }) => title),
      ...versions,
    ],
    command: ["deno task bench", ...args].join(" "),
    date: new Date().toISOString().slice(0, 10),
  };
}

/** All of it as Markdown. */
export function markdownOf(surroundings: Surroundings, results: readonly PartResult[]): string {
  const { machine, versions, command, date } = surroundings;
  const parts = results.map(({ title, legend, tables }) =>
    [`## ${title}`, legend, ...tables.map(tableText)].join("\n\n")
  );
  return [`\`${command}\` on ${date}: ${machine}; ${versions.join(", ")}.`, ...parts].join("\n\n");
}

function tableText({ head, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
