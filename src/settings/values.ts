import { ConfigError } from "../errors.ts";
import type { Keyword } from "./keywords.ts";
import type { ConnectionParameters } from "./parameters.ts";

/**
 * Reads a decimal integer of 32 bits; blanks around it and a sign are fine (libpq: pqParseIntParam).
 *
 * @returns undefined if it is none.
 */
export function integerOf(text: string): number | undefined {
  if (!/^[ \t\n\v\f\r]*[-+]?[0-9]+[ \t\n\v\f\r]*$/.test(text)) return undefined;
  const value = Number(text);
  return value >= -(2 ** 31) && value < 2 ** 31 ? value : undefined;
}

/**
 * Reads a parameter that takes a whole number.
 *
 * @param keyword Which parameter.
 * @param parameters All of them.
 * @param unit What it counts, for the message.
 * @returns undefined if it is not given.
 * @throws {ConfigError} For everything else, the empty text too.
 */
export function integerSetting(
  keyword: Keyword,
  parameters: ConnectionParameters,
  unit?: string,
): number | undefined {
  const text = parameters[keyword];
  if (text === undefined) return undefined;
  const value = integerOf(text);
  if (value === undefined) {
    const what = unit === undefined ? "a whole number" : `a whole number of ${unit}`;
    throw new ConfigError(`Cannot use ${keyword} "${text}": it must be ${what}`, { keyword });
  }
  return value;
}

/**
 * Reads a parameter that takes exact words.
 *
 * @throws {ConfigError} For another word, the empty one too.
 */
export function wordOf<Word extends string>(
  keyword: Keyword,
  text: string,
  words: readonly Word[],
): Word {
  for (const word of words) if (word === text) return word;
  throw new ConfigError(`Cannot use ${keyword} "${text}": it must be ${alternatives(words)}`, {
    keyword,
  });
}

/**
 * Refuses what no message can carry.
 *
 * @throws {ConfigError} For a zero octet, which ends a text on the wire, and for a surrogate without its other half,
 *   which UTF-8 cannot hold.
 */
export function checkText(keyword: Keyword, text: string): void {
  if (text.includes("\0")) {
    throw new ConfigError(`Cannot use ${keyword}: it contains a zero octet`, { keyword });
  }
  if (!text.isWellFormed()) {
    throw new ConfigError(`Cannot use ${keyword}: it contains half a surrogate pair`, { keyword });
  }
}

/** `"a", "b" or "c"`. */
export function alternatives(words: readonly string[]): string {
  const quoted = words.map((word) => `"${word}"`);
  const last = quoted.pop() ?? '""';
  return quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`;
}
