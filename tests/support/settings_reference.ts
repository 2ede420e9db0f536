/**
 * Writes the README's reference of settings from the one table of keywords:
 * `deno run tests/support/settings_reference.ts` prints what belongs between the two markers.
 */
import process from "node:process";
import {
  ENVIRONMENT_ONLY,
  type KeywordInfo,
  KEYWORDS,
} from "../../src/settings/keyword_reference.ts";

/** The line before the reference. */
export const BEGIN_MARKER = "<!-- settings:begin -->";

/** The line behind the reference. */
export const END_MARKER = "<!-- settings:end -->";

/** Every connection parameter and every variable of the environment, as tables of Markdown. */
export function settingsReference(): string {
  const rows = KEYWORDS.map((info) => [
    code(info.keyword),
    info.environment === undefined ? "" : code(info.environment),
    defaultOf(info),
    info.since,
    aboutOf(info),
  ]);
  return [
    table(["Parameter", "Environment", "Default", "Since", "Meaning"], rows),
    "",
    "Only in the environment:",
    "",
    table(["Variable", "Meaning"], ENVIRONMENT_ONLY.map(({ name, about }) => [code(name), about])),
  ].join("\n");
}

/**
 * What stands between the markers of a document.
 *
 * @throws {Error} If it has not both markers, once each.
 */
export function referenceIn(document: string): string {
  const [, behind, ...more] = document.split(`${BEGIN_MARKER}\n`);
  const [inside, , ...others] = (behind ?? "").split(`\n${END_MARKER}`);
  const found = behind?.includes(`\n${END_MARKER}`) ? inside : undefined;
  if (found === undefined || more.length + others.length > 0) {
    throw new Error(
      `Cannot find the reference: "${BEGIN_MARKER}" and "${END_MARKER}" must be there once`,
    );
  }
  return found.trim();
}

function defaultOf(info: KeywordInfo): string {
  return info.default === undefined || info.default === ""
    ? info.otherwise ?? ""
    : code(info.default);
}

function aboutOf(info: KeywordInfo): string {
  const words = info.values?.map(code).join(", ");
  return words === undefined ? info.about : `${info.about}: ${words}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}

if (import.meta.main) process.stdout.write(`${settingsReference()}\n`);
