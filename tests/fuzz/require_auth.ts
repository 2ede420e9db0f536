/** The grammar of `require_auth` against a list of rules. */
import assert from "node:assert/strict";
import { ConfigError } from "../../src/errors.ts";
import { parseRequireAuth } from "../../src/settings/require_auth.ts";
import { fuzz, type Report, shorterTexts, type Target } from "./fuzz.ts";
import { list, outcome, text } from "./parts.ts";

const METHODS = ["password", "md5", "gss", "sspi", "scram-sha-256", "oauth"] as const;
const WORDS = [...METHODS, "none"] as const;
const ODD = ["", "!", "!!md5", " md5", "MD5", "md5 ", "scram", "all"] as const;

const TARGET: Target<string> = {
  name: "require-auth",
  generate(prng) {
    const sign = prng.pick(["", "!"]);
    const words = list(prng, 4, () => {
      if (prng.below(10) === 0) return prng.pick([...ODD, text(prng, 4)]);
      return `${prng.below(12) === 0 ? "!" : sign}${prng.pick(WORDS)}`;
    });
    return words.join(",");
  },
  check(written) {
    const read = outcome([ConfigError], () => parseRequireAuth(written));
    const expected = model(written);
    if (read.kind === "error") {
      assert.equal(expected, undefined, read.error.message);
      return "refused";
    }
    const { allowed, required, text } = read.value;
    assert.deepEqual({ allowed: [...allowed].sort(), required }, expected);
    assert.equal(text, written === "" ? undefined : written);
    return written.startsWith("!") ? "negated" : "positive";
  },
  show: (written) => JSON.stringify(written),
  smaller: shorterTexts,
};

/** Plays lists. */
export function run(seed: number, cases: number): Report {
  return fuzz(TARGET, seed, cases);
}

/** Undefined for what must be refused. */
function model(
  written: string,
): { readonly allowed: readonly string[]; readonly required: boolean } | undefined {
  if (written === "") return { allowed: [...METHODS].sort(), required: false };
  const items = written.split(",");
  const negated = items.every((item) => item.startsWith("!"));
  const words = items.map((item) => negated ? item.slice(1) : item);
  const known: readonly string[] = WORDS;
  if (!words.every((word) => known.includes(word))) return undefined;
  if (new Set(words).size < words.length) return undefined;
  const allowed = METHODS.filter((method) => words.includes(method) !== negated);
  return { allowed: [...allowed].sort(), required: words.includes("none") === negated };
}
