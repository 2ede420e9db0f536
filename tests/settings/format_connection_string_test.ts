import "../support/guard.ts";
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { ConfigError } from "../../src/errors.ts";
import { formatConnectionString } from "../../src/settings/format_connection_string.ts";
import { KEYWORDS } from "../../src/settings/keyword_reference.ts";
import type { Keyword } from "../../src/settings/keywords.ts";
import { type ConnectionParameters, isSecret } from "../../src/settings/parameters.ts";
import { parseConnectionString } from "../../src/settings/parse.ts";
import { Prng } from "../support/prng.ts";
import { readVectors, type VectorCase } from "../support/vectors.ts";

interface FormatCase extends VectorCase {
  readonly parameters: ConnectionParameters;
  readonly uri: string;
  readonly keyword: string;
}

const STYLES = ["uri", "keyword"] as const;
const ROUNDS = 3_000;

for (const one of readVectors<FormatCase>("format")) {
  test(`formatConnectionString() writes ${one.name}`, () => {
    assert.equal(formatConnectionString(one.parameters), one.uri);
    for (const style of STYLES) {
      const text = formatConnectionString(one.parameters, { style });
      assert.equal(text, one[style]);
      assert.deepEqual(parseConnectionString(text), withoutSecrets(one.parameters));
    }
  });
}

test("secrets are written if that is asked for", () => {
  const parameters = { host: "h", user: "u", password: "p/:@ '\\", sslpassword: "s" };
  assert.equal(
    formatConnectionString(parameters, { withSecrets: true }),
    "postgresql://u:p%2F%3A%40%20'%5C@h?sslpassword=s",
  );
  const texts = STYLES.map((style) =>
    formatConnectionString(parameters, { style, withSecrets: true })
  );
  for (const text of texts) assert.deepEqual(parseConnectionString(text), parameters);
  assert.equal(
    formatConnectionString({ password: "p" }, { withSecrets: true }),
    "postgresql://:p@",
  );
});

test(`parsing what was written gives the same again, ${ROUNDS} times`, () => {
  const seed = Number(process.env["SEED"] ?? 7);
  const prng = new Prng(seed);
  for (let round = 0; round < ROUNDS; round++) {
    const parameters = randomParameters(prng);
    for (const style of STYLES) {
      const where = `SEED=${seed}, round ${round}, ${style}: ${JSON.stringify(parameters)}`;
      const full = formatConnectionString(parameters, { style, withSecrets: true });
      assert.deepEqual(parseConnectionString(full), parameters, where);
      const shown = formatConnectionString(parameters, { style });
      assert.deepEqual(parseConnectionString(shown), withoutSecrets(parameters), where);
    }
  }
});

const LETTERS = [
  ..."ab1/:@?&=#%[]{},'\\\" +.-_~!*()|;<>^`$\t\n\v\f\r",
  "\u0001",
  "\u007f",
  "é",
  "\u00a0",
  "\ufeff",
  "🐘",
];

function randomParameters(prng: Prng): ConnectionParameters {
  const parameters: { [K in Keyword]?: string } = {};
  const common: readonly Keyword[] = ["host", "port", "user", "password", "dbname"];
  for (let left = prng.below(6); left > 0; left--) {
    const keyword = prng.below(3) > 0 ? prng.pick(common) : prng.pick(KEYWORDS).keyword;
    parameters[keyword] = prng.below(3) === 0
      ? prng.pick(["", ",", "a,b", "1,2", "/run/pg", "::1", "fe80::1%eth0", "a,::1", "true", "x y"])
      : Array.from({ length: prng.below(6) }, () => prng.pick(LETTERS)).join("");
  }
  return parameters;
}

test("undefined is as if the key were absent", () => {
  const parameters = { host: "h", port: undefined } as unknown as ConnectionParameters;
  assert.equal(formatConnectionString(parameters), "postgresql://h");
});

test("what no connection string can say is refused, and never shown", () => {
  const refused: readonly (readonly [ConnectionParameters, RegExp])[] = [
    [{ sslmod: "x" } as ConnectionParameters, /perhaps "sslmode"/],
    [{ password: "Xy7Zq\0" }, /Cannot use password: it contains a zero octet/],
    [{ password: "Xy7Zq\ud800" }, /Cannot use password: it contains half a surrogate pair/],
  ];
  for (const [parameters, message] of refused) {
    assert.throws(() => formatConnectionString(parameters), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, message);
      assert.ok(!error.message.includes("Xy7Zq"));
      return true;
    });
  }
});

function withoutSecrets(parameters: ConnectionParameters): ConnectionParameters {
  return Object.fromEntries(
    Object.entries(parameters).filter(([keyword, value]) => !isSecret(keyword as Keyword, value)),
  );
}
