/** Makes connection strings and parameters out of chance: most are nearly right, which is where readers differ. */
import { KEYWORDS } from "../../src/settings/keyword_reference.ts";
import type { Prng } from "../support/prng.ts";

/** Characters that mean something to one of the two grammars, and some that do not. */
const LETTERS = [
  ..."aab01hU/:@?&=#%[],'\\ \t\n+.-_",
  "\u00e9",
  "\u{1f418}",
  "\u00a0",
  "\v",
  "\f",
  "\r",
] as const;

const KEYS: readonly string[] = [
  ...KEYWORDS.map(({ keyword }) => keyword),
  "ssl",
  "requiressl",
  "tty",
  "Host",
  "nothing",
  "",
];

/** Values without a meaning; their form is what matters. */
const VALUES: readonly string[] = [
  "",
  "a",
  "true",
  "1",
  "h1,h2",
  "/run/pg",
  "a b",
  " a ",
  "'",
  "\\",
  "a\\'b",
  "a=b",
  "a&b",
  "p@ss",
  "p:s/s",
  "caf\u00e9",
  "\u{1f418}",
  "%",
  "%41",
  "%2F",
  "%zz",
  "%00",
  "%ff",
  "%c3%a9",
  "%20",
  "#x",
  "[::1]",
  "::1",
  "5432",
  "?",
  "=",
  "\u00a0",
];

/** Seed of every run that does not set SEED. */
const DEFAULT_SEED = 20_260_921;

/** The seed of this run: the environment variable SEED, else always the same. */
export function seedOfRun(text: string | undefined): number {
  return text === undefined ? DEFAULT_SEED : Number(text);
}

/** A connection string: a URI or keywords and values. */
export function connectionString(prng: Prng): string {
  const text = prng.below(2) === 0 ? uri(prng) : keywordValue(prng);
  return prng.below(4) === 0 ? changed(text, prng) : text;
}

/** A random text. */
export function noise(prng: Prng, longest: number): string {
  return Array.from({ length: prng.below(longest + 1) }, () => prng.pick(LETTERS)).join("");
}

/** A value of any form. */
export function value(prng: Prng): string {
  return prng.below(4) === 0 ? noise(prng, 6) : prng.pick(VALUES);
}

function uri(prng: Prng): string {
  const maybe = (write: () => string): string => prng.below(2) === 0 ? write() : "";
  const scheme = prng.pick([
    "postgres://",
    "postgresql://",
    "postgresql://",
    "Postgres://",
    "postgres:/",
  ]);
  const credentials = maybe(() => `${part(prng)}${maybe(() => `:${part(prng)}`)}@`);
  const hosts = Array.from(
    { length: prng.below(4) },
    () =>
      prng.pick(["h", "db.example", "[::1]", "[fe80::1%25eth0]", "%2Frun%2Fpg", "", part(prng)]) +
      maybe(() => `:${prng.pick(["", "1", "5432", "x", part(prng)])}`),
  ).join(",");
  const path = maybe(() => `/${part(prng)}`);
  const query = maybe(() =>
    `?${Array.from({ length: prng.below(4) }, () => `${key(prng)}=${part(prng)}`).join("&")}${
      prng.pick(["", "", "", "&", "&a"])
    }`
  );
  return `${known(scheme, prng)}${credentials}${hosts}${path}${query}`;
}

/** A broken scheme makes a text that only says "no": it need not come often. */
function known(scheme: string, prng: Prng): string {
  return /^postgres(ql)?:\/\/$/.test(scheme) || prng.below(8) === 0 ? scheme : "postgresql://";
}

function part(prng: Prng): string {
  const text = value(prng);
  return prng.below(3) === 0 ? text : encodeURIComponent(text);
}

function key(prng: Prng): string {
  const text = prng.pick(KEYS);
  return prng.below(10) === 0 ? `%${text.charCodeAt(0).toString(16)}${text.slice(1)}` : text;
}

function keywordValue(prng: Prng): string {
  const blanks = (): string => prng.pick(["", "", "", " ", "\t", " \n", "\v\f\r"]);
  const pairs = Array.from({ length: prng.below(5) }, () => {
    const text = value(prng);
    const written = prng.pick([
      text,
      `'${text}'`,
      `'${text.replace(/['\\]/g, "\\$&")}'`,
      text.replace(/[\s'\\]/g, "\\$&"),
    ]);
    return `${prng.pick(KEYS)}${blanks()}=${blanks()}${written}`;
  });
  return `${blanks()}${pairs.join(prng.pick([" ", " ", "  ", "\n", "", ","]))}${blanks()}`;
}

/** One to three characters cut out, doubled, put in or exchanged. */
function changed(text: string, prng: Prng): string {
  const characters = [...text];
  for (let left = 1 + prng.below(3); left > 0; left--) {
    const at = prng.below(characters.length + 1);
    const letter = prng.pick(LETTERS);
    const [cut, put] = prng.pick(
      [[1, ""], [0, letter], [1, letter], [0, characters[at] ?? ""]] as const,
    );
    characters.splice(at, cut, ...(put === "" ? [] : [put]));
  }
  return characters.join("");
}
