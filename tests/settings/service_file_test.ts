import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../src/errors.ts";
import { readServiceFile } from "../../src/settings/service_file.ts";
import { readVectors, type VectorCase } from "../support/vectors.ts";

interface ServiceCase extends VectorCase {
  readonly text: string;
  readonly service: string;
  /** Keyword, value and line. */
  readonly entries?: readonly (readonly [string, string, number])[] | null;
  readonly error?: string;
}

for (const one of readVectors<ServiceCase>("service_file")) {
  test(`readServiceFile() knows the rule "${one.name}"`, () => {
    const read = (): unknown =>
      readServiceFile(one.text, one.service, "/f")?.map(({ keyword, value, line }) => [
        keyword,
        value,
        line,
      ]);
    if (one.error === undefined) {
      assert.deepEqual(read() ?? null, one.entries);
      return;
    }
    const { error: expected } = one;
    assert.throws(read, (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.keyword, "service");
      assert.ok(error.message.includes(expected), error.message);
      return true;
    });
  });
}

test("no error of a service file holds what stands in it", () => {
  const secret = "Xy7Zq";
  const lines = [
    secret,
    `${secret}=x`,
    `password =${secret}`,
    `service=${secret}`,
    `password=${secret.padEnd(1100, "x")}`,
    `passwort=${secret}`,
  ];
  for (const line of lines) {
    assert.throws(() => readServiceFile(`[a]\n${line}\n`, "a", "/f"), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.ok(!`${error.message}${error.stack}${JSON.stringify(error)}`.includes(secret), line);
      return true;
    });
  }
});
