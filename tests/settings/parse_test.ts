import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../src/errors.ts";
import { parseConnectionUri } from "../../src/settings/connection_uri.ts";
import { redact } from "../../src/settings/parameters.ts";
import { parseConnectionString } from "../../src/settings/parse.ts";
import { readVectors } from "../support/vectors.ts";

interface ParseCase {
  readonly name: string;
  readonly source: string;
  readonly text: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly error?: string;
}

for (const file of ["uri", "keyword_value"]) {
  for (const one of readVectors<ParseCase>(file)) {
    test(`parseConnectionString() reads the ${file} case "${one.name}"`, () => {
      if (one.parameters !== undefined) {
        assert.deepEqual({ ...parseConnectionString(one.text) }, one.parameters);
        return;
      }
      assert.throws(() => parseConnectionString(one.text), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.code, "invalid-setting");
        assert.ok(error.message.includes(one.error ?? "no error given"), error.message);
        return true;
      });
    });
  }
}

test("no error of a connection string holds any of its values", () => {
  const secret = "Xy7Zq";
  const texts = [
    `postgres://u:${secret}%@h`,
    `postgres://u:${secret}%00@h`,
    `postgres://u:${secret}%ff@h`,
    `postgres://u:a ${secret}@h`,
    `postgres://u:p/${secret}?${secret}=x@h`,
    `postgres://u:p/x?${secret}@h`,
    `postgres://u:${secret}@[::1`,
    `postgres://u:${secret}@[]`,
    `postgres://u:${secret}@[::1]x`,
    `postgres://u:${secret}@h?password=${secret}=`,
    `postgres://u:${secret}@h?password=${secret}%zz`,
    `postgres://u:${secret}@h?nothing_alike=${secret}`,
    `postgres://h?password=a ${secret}`,
    `password='${secret}`,
    `password=a ${secret}`,
    `password=a ${secret}=x`,
    `password='a'${secret}=x`,
    `password='a'${secret}`,
    `password=${secret} nothing_alike=x`,
    `password=${secret} port`,
  ];
  for (const text of texts) {
    assert.throws(() => parseConnectionString(text), (error) => {
      assert.ok(error instanceof ConfigError);
      const printed = `${error.message} ${error.stack} ${JSON.stringify(error)} ${error.cause}`;
      assert.ok(!printed.includes(secret), `${text}: ${error.message}`);
      return true;
    });
  }
});

test("every prefix of a connection string is read or refused with a ConfigError", () => {
  const texts = [
    "postgres://us%20er:pa%C3%A9@[::1]:5432,h2:1/d%2Fb?sslmode=require&application_name=a%26b&ssl=true",
    "host = 'a\\'b' port=1 password=a\\ b  dbname='' requiressl=1 user= x",
  ];
  for (const text of texts) {
    for (let end = 0; end <= text.length; end++) {
      try {
        parseConnectionString(text.slice(0, end));
      } catch (error) {
        assert.ok(error instanceof ConfigError, `${text.slice(0, end)}: ${error}`);
      }
    }
  }
});

test("parseConnectionUri() refuses a text without the scheme", () => {
  assert.throws(
    () => parseConnectionUri("host=h"),
    /Cannot parse the connection URI: it must begin with "postgresql:\/\/" or "postgres:\/\/"/,
  );
});

test("redact() hides every secret and keeps the rest", () => {
  const parameters = parseConnectionString(
    "host=h user=u password=s1 sslpassword=s2 scram_client_key=s3 scram_server_key=s4 " +
      "oauth_client_secret=s5 application_name=''",
  );
  const hidden = "(not shown)";
  assert.deepEqual(redact(parameters), {
    host: "h",
    user: "u",
    password: hidden,
    sslpassword: hidden,
    scram_client_key: hidden,
    scram_server_key: hidden,
    oauth_client_secret: hidden,
    application_name: "",
  });
  assert.equal(parameters.password, "s1");
});
