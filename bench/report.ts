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

const SUMMARY_LEGEND =
  "Latency, CPU and bursts are ratios to the first libpq in the same run: less is better. Of decoding and bridges more is.";

/**
 * All of it as Markdown.
 *
 * @param titles What the runtimes are called, in the order of the figures of a row.
 */
export function markdownOf(
  surroundings: Surroundings,
  results: readonly PartResult[],
  titles: readonly string[],
): string {
  const { machine, versions, command, date } = surroundings;
  const summary = tableText({
    head: [
      "",
      `ours: ${titles.join(" / ")}`,
      "the bare minimum",
      "the best of the others",
    ],
    rows: results.flatMap((result) => result.summary).map(({ figure, ours, floor, peer }) => [
      figure,
      together(ours),
      together(floor),
      peer,
    ]),
  });
  const parts = results.map(({ title, legend, tables }) =>
    [`## ${title}`, legend, ...tables.map(tableText)].join("\n\n")
  );
  const where = `\`${command}\` on ${date}: ${machine}; ${versions.join(", ")}.`;
  return [where, SUMMARY_LEGEND, summary, ...parts].join("\n\n");
}

/** What is the same everywhere is said once. */
function together(texts: readonly string[]): string {
  return new Set(texts).size === 1 ? texts[0] ?? "" : texts.join(" / ");
}

function tableText({ head, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
