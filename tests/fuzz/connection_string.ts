/** Connection strings and objects: any text is read or refused, and what is written reads as itself. */
import assert from "node:assert/strict";
import { ConfigError } from "../../src/errors.ts";
import { formatConnectionString } from "../../src/settings/format_connection_string.ts";
import { KEYWORDS } from "../../src/settings/keyword_reference.ts";
import type { Keyword } from "../../src/settings/keywords.ts";
import { parametersOf } from "../../src/settings/object_parameters.ts";
import type { ConnectionParameters } from "../../src/settings/parameters.ts";
import { parseConnectionString } from "../../src/settings/parse.ts";
import { resolveSettings } from "../../src/settings/resolve.ts";
import { connectionString, value } from "../oracle/generate.ts";
import type { Prng } from "../support/prng.ts";
import { fuzz, type Report, shorterTexts, type Target } from "./fuzz.ts";
import {
  assertHides,
  assertPrintHides,
  NEEDLE,
  needlesOf,
  outcome,
  saidBy,
  text,
} from "./parts.ts";

type Values = { readonly [K in Keyword]?: unknown };

const HIDDEN = needlesOf(NEEDLE);
const SECRET = new TextDecoder().decode(NEEDLE);
const SECRETS = KEYWORDS.filter(({ kind }) => kind === "secret").map(({ keyword }) => keyword);
const STYLES = ["uri", "keyword"] as const;

const TEXTS: Target<string> = {
  name: "connection-string",
  generate: connectionString,
  check(written) {
    const read = outcome([ConfigError], () => parseConnectionString(written));
    if (read.kind === "error") return written.startsWith("postgres") ? "uri refused" : "refused";
    const values = Object.values(read.value).join("");
    assert.ok(written.includes("\0") || !values.includes("\0"), "a zero octet comes from nowhere");
    assertFormats(read.value);
    return written.startsWith("postgres") ? "uri" : "keyword/value";
  },
  show: (written) => JSON.stringify(written),
  smaller: shorterTexts,
};

/** A string that holds a secret, and was spoilt at one place. */
interface Spoilt {
  readonly whole: string;
  readonly spoilt: string;
}

const SPOILT: Target<Spoilt> = {
  name: "spoilt-secret",
  generate(prng) {
    const parameters = { ...few(prng, 3, text), [prng.pick(SECRETS)]: SECRET };
    const style = prng.pick(STYLES);
    const whole = formatConnectionString(parameters, { style, withSecrets: true });
    const at = prng.below(whole.length + 1);
    const put = prng.pick(["", "", "=", "'", "\\", " ", "%", "&", "@", "[", "\0"]);
    return { whole, spoilt: whole.slice(0, at) + put + whole.slice(at + prng.below(2)) };
  },
  check({ spoilt }) {
    const read = outcome([ConfigError], () => parseConnectionString(spoilt));
    if (read.kind === "value") return "read";
    assertHides(saidBy(read.error), HIDDEN, "the error");
    return "refused";
  },
  show: (input) => JSON.stringify(input),
};

const FORMATS: Target<ConnectionParameters> = {
  name: "format",
  generate: (prng) => few(prng, 8, prng.below(2) === 0 ? text : value),
  check(parameters) {
    assertFormats(parameters);
    return "round trip";
  },
  show: (parameters) => JSON.stringify(parameters),
  *smaller(parameters) {
    for (const name of Object.keys(parameters)) yield { ...parameters, [name]: undefined };
  },
};

interface Judged {
  readonly values: Values;
  readonly prints: boolean;
}

const OBJECTS: Target<Judged> = {
  name: "settings",
  generate(prng) {
    const plain = Object.fromEntries(
      Object.entries(few(prng, 5, likely)).map(([name, given]) => [
        name,
        prng.below(12) === 0 ? prng.pick(ODD) : likelyOf(name, given, prng),
      ]),
    );
    const secrets = prng.below(2) === 0 ? { [prng.pick(SECRETS)]: SECRET } : {};
    return { values: { ...plain, ...secrets }, prints: prng.below(16) === 0 };
  },
  check({ values, prints }) {
    const read = outcome([ConfigError], () => parametersOf(values as ConnectionParameters));
    if (read.kind === "error") {
      assertHides(saidBy(read.error), HIDDEN, "the error");
      return "object refused";
    }
    const settings = outcome([ConfigError], () => resolveSettings(read.value, { user: "me" }));
    if (settings.kind === "error") {
      assertHides(saidBy(settings.error), HIDDEN, "the error");
      if (prints) assertPrintHides(settings.error, HIDDEN, "a print of the error");
      return "refused";
    }
    const { hosts, startup } = settings.value;
    assert.ok(hosts.length > 0 && hosts.every(({ port }) => port >= 1 && port <= 65_535));
    assert.ok(startup.every(([name, given]) => !`${name}${given}`.includes("\0")));
    assertHides(`${JSON.stringify(settings.value)}`, HIDDEN, "JSON");
    if (prints) assertPrintHides(settings.value, HIDDEN, "a print of the settings");
    return "settings";
  },
  show: ({ values }) => `${Object.keys(values).join()}: ${Object.values(values).map(String)}`,
  *smaller(input) {
    for (const name of Object.keys(input.values)) {
      yield { ...input, values: { ...input.values, [name]: undefined } };
    }
  },
};

/** What no type allows and JavaScript does all the same. */
const ODD: readonly unknown[] = [
  NaN,
  Infinity,
  -0,
  1.5,
  true,
  null,
  undefined,
  {},
  [],
  10n,
  Symbol("x"),
  () => "x",
  "\ud800",
  "a\0b",
];

/** Texts of any form. */
export function run(seed: number, cases: number): Report {
  return fuzz(TEXTS, seed, cases);
}

/** Texts that hold a secret and are nearly right. */
export function runSpoilt(seed: number, cases: number): Report {
  return fuzz(SPOILT, seed, cases);
}

/** Parameters of any value, written and read. */
export function runFormat(seed: number, cases: number): Report {
  return fuzz(FORMATS, seed, cases);
}

/** Objects of any value, judged. */
export function runSettings(seed: number, cases: number): Report {
  return fuzz(OBJECTS, seed, cases);
}

function few(prng: Prng, most: number, make: (prng: Prng) => string): ConnectionParameters {
  const entries = Array.from({ length: prng.below(most + 1) }, () => [
    prng.pick(KEYWORDS).keyword,
    make(prng),
  ]);
  return Object.fromEntries(entries);
}

function likely(prng: Prng): string {
  return prng.pick([
    "1",
    "0",
    "2",
    "",
    "require",
    "5432",
    "5432,5433",
    "a",
    "h1,h2",
    "::1",
    value(prng),
  ]);
}

/** Mostly one of the words the keyword knows. */
function likelyOf(name: string, given: unknown, prng: Prng): unknown {
  const info = KEYWORDS.find(({ keyword }) => keyword === name);
  return info?.values !== undefined && prng.below(4) > 0 ? prng.pick(info.values) : given;
}

/** parse(format(s)) is s in both styles, and without secrets it shows none. */
function assertFormats(parameters: ConnectionParameters): void {
  const given = Object.fromEntries(
    Object.entries(parameters).filter(([, text]) => text !== undefined),
  );
  for (const style of STYLES) {
    const written = outcome(
      [ConfigError],
      () => formatConnectionString(parameters, { style, withSecrets: true }),
    );
    if (written.kind === "error") {
      const whole = Object.values(given).join("");
      assert.ok(whole.includes("\0") || !whole.isWellFormed(), written.error.message);
      continue;
    }
    assert.deepEqual({ ...parseConnectionString(written.value) }, given, `by ${written.value}`);
    const shown = formatConnectionString(parameters, { style });
    const open = { ...parseConnectionString(shown) };
    assert.ok(SECRETS.every((keyword) => open[keyword] === undefined), `a secret in ${shown}`);
  }
}
