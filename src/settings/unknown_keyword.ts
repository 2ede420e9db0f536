import { ConfigError } from "../errors.ts";
import { type Keyword, KEYWORD_NAMES } from "./keywords.ts";

/** Names other software gives to parameters; too far from libpq's for the edit distance. */
const OTHER_NAMES: Readonly<Record<string, Keyword>> = {
  username: "user",
  pass: "password",
  hostname: "host",
  server: "host",
  database: "dbname",
  db: "dbname",
  timeout: "connect_timeout",
  ssl: "sslmode",
  encoding: "client_encoding",
};

/**
 * The parameter somebody may have meant: the same letters in another case or with other separators, another
 * software's name for it, or the nearest by edit distance, at most one change in three letters.
 *
 * @returns undefined if nothing is near.
 */
export function nearestKeyword(text: string): Keyword | undefined {
  const wanted = plain(text);
  // Longer than any parameter, with room for slips; also bounds the work.
  if (wanted.length > 40) return undefined;
  if (Object.hasOwn(OTHER_NAMES, wanted)) return OTHER_NAMES[wanted];
  let nearest: Keyword | undefined;
  let least = Math.floor(wanted.length / 3) + 1;
  for (const keyword of KEYWORD_NAMES) {
    const distance = editDistance(wanted, plain(keyword));
    if (distance < least) {
      least = distance;
      nearest = keyword;
    }
  }
  return nearest;
}

/**
 * The error for a parameter libpq does not have.
 *
 * @param text The name.
 * @param options `place`: where it stands, for example "at position 12", if the name must not be shown: it may be a
 *   part of a password. `hint`: what else may be wrong.
 */
export function unknownKeyword(
  text: string,
  options: { readonly place?: string | undefined; readonly hint?: string } = {},
): ConfigError {
  const { place, hint } = options;
  const nearest = text.length > MAX_MISSPELT ? undefined : nearestKeyword(text);
  const perhaps = nearest === undefined ? "" : `, perhaps "${nearest}"`;
  return new ConfigError(
    `Cannot use the keyword ${place ?? `"${text}"`}: libpq has no such parameter${perhaps}`,
    hint === undefined ? {} : { hint },
  );
}

/** Whether a text looks like a misspelt keyword, and not like a part of something that must not be shown. */
export function looksLikeKeyword(text: string): boolean {
  return /^[A-Za-z0-9_.-]{0,64}$/.test(text);
}

/** A longer text is no misspelt keyword, and comparing it with all of them takes time. */
const MAX_MISSPELT = 64;

function plain(text: string): string {
  return text.toLowerCase().replace(/[-_]/g, "");
}

/** Insertions, deletions and replacements of one letter, and exchanges of two neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: readonly number[] = [];
  let row: readonly number[] = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
        ? (before[j - 2] ?? 0) + 1
        : Infinity;
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
