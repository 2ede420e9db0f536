import { ConfigError } from "../errors.ts";
import type { Keyword } from "./keywords.ts";
import { isKeyword } from "./keywords.ts";

/** One `key=value` of a section. */
export interface ServiceEntry {
  /** What stands before "=". */
  readonly keyword: Keyword;
  /** What stands behind it, perhaps nothing. */
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

/** The octets of a line, its line feed included, must be fewer: libpq reads into a buffer of 1024. */
const LINE_OCTETS_BOUND = 1023;

/**
 * Reads one section of a service file: `[name]`, then `key=value` without blanks around "=" and without quotes, up to
 * the next section; "#" begins a comment line (manual, section The Connection Service File; fe-connect.c,
 * parseServiceFile). Only the first section of that name counts. Of a key given twice both entries are returned; the
 * first is the one to use.
 *
 * @param text The file.
 * @param service The section's name.
 * @param path The file's path, for messages.
 * @returns undefined if there is no such section.
 * @throws {ConfigError} For a line that is too long up to the section's end, and inside the section for an unknown
 *   key, a line without "=" and a `service` of its own. The message never holds a value.
 */
export function readServiceFile(
  text: string,
  service: string,
  path: string,
): readonly ServiceEntry[] | undefined {
  const lines = text.split("\n");
  // What follows the last line feed is no line if it is empty.
  const last = lines.length - 1;
  let entries: ServiceEntry[] | undefined;
  for (const [index, raw] of lines.entries()) {
    const number = index + 1;
    const octets = new TextEncoder().encode(raw).length + (index < last ? 1 : 0);
    if (octets >= LINE_OCTETS_BOUND) {
      throw failure(`line ${number} of the service file "${path}": it is too long`);
    }
    const line = raw.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, "");
    if (line === "" || line.startsWith("#")) continue;
    if (line.startsWith("[")) {
      if (entries !== undefined) return entries;
      if (line.startsWith(`[${service}]`)) entries = [];
      continue;
    }
    entries?.push(entryOf(line, number, path));
  }
  return entries;
}

function entryOf(line: string, number: number, path: string): ServiceEntry {
  const where = `line ${number} of the service file "${path}"`;
  const equals = line.indexOf("=");
  if (equals < 0) throw failure(`${where}: it has no "="`);
  const keyword = line.slice(0, equals);
  if (keyword === "service") {
    throw failure(`${where}: a service cannot name another service`);
  }
  if (!isKeyword(keyword)) {
    const blank = /[ \t]$/.test(keyword) ? ', and blanks before "=" are part of the name' : "";
    throw failure(`${where}: what stands before "=" is no parameter of libpq${blank}`);
  }
  return { keyword, value: line.slice(equals + 1), line: number };
}

function failure(problem: string): ConfigError {
  return new ConfigError(`Cannot use ${problem}`, { keyword: "service" });
}
