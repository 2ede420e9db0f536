/** Plain text for a terminal of 100 columns. */
import process from "node:process";

const WIDTH = 100;
const coloured: boolean = process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined;

/** Prints one line, or several. */
export function say(text: string = ""): void {
  process.stdout.write(`${text}\n`);
}

/** Stands out where the output is a terminal. */
export function strong(text: string): string {
  return coloured ? `\x1b[1m${text}\x1b[22m` : text;
}

/** Steps back where the output is a terminal. */
export function faint(text: string): string {
  return coloured ? `\x1b[2m${text}\x1b[22m` : text;
}

/** Prints the heading of a section. */
export function heading(text: string): void {
  say(`\n${strong(text)}\n${"=".repeat(text.length)}`);
}

/**
 * Prints rows in aligned columns.
 *
 * @param head The names of the columns; one that starts with ">" is aligned to the right, without the sign.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const names = head.map((name) => name.replace(/^>/, ""));
  const widths = names.map((name, at) =>
    Math.max(name.length, ...rows.map((row) => row[at]?.length ?? 0))
  );
  const line = (cells: readonly string[]): string =>
    `  ${
      cells.map((cell, at) => {
        const width = widths[at] ?? 0;
        return head[at]?.startsWith(">") ? cell.padStart(width) : cell.padEnd(width);
      }).join("  ").trimEnd()
    }`;
  say(faint(line(names)));
  for (const row of rows) say(line(row));
}

/**
 * Text in lines of at most 100 columns, cut at spaces; a longer word stays whole.
 *
 * @param first What the first line starts with.
 * @param indent What every later line starts with.
 */
export function wrap(text: string, first: string = "", indent: string = first): string {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(" ")) {
    if (!empty && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = indent;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line].join("\n");
}

/** A URI on one line if it fits, else cut before its "?". */
export function wrapUri(uri: string, indent: string): string {
  const line = `${indent}${uri}`;
  return line.length <= WIDTH ? line : line.replace("?", `\n${indent}  ?`);
}

/** Milliseconds for reading. */
export function milliseconds(value: number): string {
  return value.toFixed(1);
}
