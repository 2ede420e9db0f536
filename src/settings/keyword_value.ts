import { ConfigError } from "../errors.ts";
import type { ConnectionParameters } from "./parameters.ts";
import { isSecret, ParameterStore } from "./parameters.ts";
import { looksLikeKeyword, unknownKeyword } from "./unknown_keyword.ts";

/**
 * Reads `keyword = value` pairs: blanks around "=" are skipped, a value is bare or in single quotes, a backslash takes
 * the next character as it is (manual, section Keyword/Value Connection Strings; fe-connect.c, conninfo_parse).
 *
 * @throws {ConfigError} For a keyword without "=", an open quote and an unknown keyword. Positions count UTF-16 units
 *   from 1.
 */
export function parseKeywordValue(text: string): ConnectionParameters {
  const store = new ParameterStore();
  // A bare password that holds a blank, or a quoted one that holds a quote, spills into the next keyword.
  let spilled = false;
  let at = skipBlanks(text, 0);
  while (at < text.length) {
    const start = at;
    while (at < text.length && text[at] !== "=" && !isBlank(text[at])) at++;
    const keyword = text.slice(start, at);
    at = skipBlanks(text, at);
    if (text[at] !== "=") {
      throw new ConfigError(
        `Cannot parse the connection string: missing "=" after the word at position ${start + 1}`,
        { hint: "A value that holds blanks needs single quotes" },
      );
    }
    at = skipBlanks(text, at + 1);
    const value = text[at] === "'" ? readQuoted(text, at) : readBare(text, at);
    const kept = store.set(keyword, value.text);
    if (kept === undefined) {
      throw unknownKeyword(keyword, {
        // "'postgres://u:secret@h/d?sslmode=…'" begins with a "keyword" as well.
        place: spilled || !looksLikeKeyword(keyword) ? `at position ${start + 1}` : undefined,
        ...(keyword.includes("://")
          ? { hint: 'A URI must begin with "postgresql://" or "postgres://"' }
          : {}),
      });
    }
    const closed = text[at] === "'" && isBlank(text[value.end]);
    spilled = isSecret(kept, value.text) && !closed;
    at = skipBlanks(text, value.end);
  }
  return store.finish();
}

interface Value {
  readonly text: string;
  /** Where the rest begins. */
  readonly end: number;
}

function readBare(text: string, start: number): Value {
  let value = "";
  let at = start;
  while (at < text.length && !isBlank(text[at])) {
    // A lone backslash at the very end is dropped.
    if (text[at] === "\\") at++;
    value += text[at++] ?? "";
  }
  return { text: value, end: Math.min(at, text.length) };
}

function readQuoted(text: string, start: number): Value {
  let value = "";
  let at = start + 1;
  while (at < text.length) {
    if (text[at] === "'") return { text: value, end: at + 1 };
    if (text[at] === "\\") at++;
    value += text[at++] ?? "";
  }
  throw new ConfigError(
    `Cannot parse the connection string: the quote at position ${start + 1} is not closed`,
  );
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (isBlank(text[at])) at++;
  return at;
}

/** What C's isspace takes. */
function isBlank(unit: string | undefined): boolean {
  return unit !== undefined && " \t\n\v\f\r".includes(unit);
}
