import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../src/errors.ts";
import { resolveSettings, type SettingsContext } from "../../src/settings/resolve.ts";
import { escapeOption } from "../../src/settings/run_time_parameters.ts";

type Startup = readonly (readonly [string, string])[];

/** What follows the parameters every session begins with. */
function further(context: SettingsContext): Startup {
  const settings = resolveSettings({ user: "u" }, context);
  assert.deepEqual(settings.startup.slice(0, 3), [
    ["user", "u"],
    ["database", "u"],
    ["client_encoding", "UTF8"],
  ]);
  return settings.startup.slice(3);
}

test("run-time parameters follow those of the connection, in their order", () => {
  assert.deepEqual(
    further({ runTimeParameters: { search_path: "a, b", "app.tenant": "7", TimeZone: "" } }),
    [["search_path", "a, b"], ["app.tenant", "7"], ["TimeZone", ""]],
  );
});

test("settings of the environment go before them, and give way to one of the same name", () => {
  const environmentSettings: Startup = [["datestyle", "ISO"], ["timezone", "UTC"], ["geqo", ""]];
  assert.deepEqual(further({ environmentSettings }), environmentSettings);
  assert.deepEqual(further({ environmentSettings, runTimeParameters: { TimeZone: "CET" } }), [
    ["datestyle", "ISO"],
    ["geqo", ""],
    ["TimeZone", "CET"],
  ]);
});

const REFUSED: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
  [{ user: "x" }, /run-time parameter "user": it must be given as the connection parameter user$/],
  [{ Database: "x" }, /"Database": it must be given as the connection parameter dbname$/],
  [{ replication: "1" }, /connection parameter replication$/],
  [{ OPTIONS: "-c a=b" }, /connection parameter options$/],
  [{ application_name: "x" }, /connection parameter application_name$/],
  [{ client_encoding: "LATIN1" }, /connection parameter client_encoding$/],
  [{ "_pq_.x": "1" }, /names that begin with "_pq_." belong to the protocol$/],
  [{ "_PQ_.x": "1" }, /belong to the protocol$/],
  [{ "": "x" }, /a name must not be empty$/],
  [{ work_mem: "1", Work_Mem: "2" }, /"Work_Mem": it is given twice, in upper and lower case$/],
  [{ "a\0b": "x" }, /it contains a zero octet$/],
  [{ a: "x\0" }, /it contains a zero octet$/],
  [{ a: "\ud800" }, /it contains half a surrogate pair$/],
  [{ "\udc00": "x" }, /it contains half a surrogate pair$/],
  [{ a: 1 as unknown as string }, /its value must be a text$/],
];

for (const [runTimeParameters, message] of REFUSED) {
  test(`the run-time parameters ${JSON.stringify(runTimeParameters)} are refused`, () => {
    assert.throws(() => further({ runTimeParameters }), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, message);
      return true;
    });
  });
}

test("run-time parameters count for the length of the start-up packet", () => {
  const of = (length: number): SettingsContext => ({
    runTimeParameters: { a: "x".repeat(length) },
  });
  // Version, user u, database u, client_encoding UTF8, the name a, every terminator.
  const others = 4 + 5 + 2 + 9 + 2 + 16 + 5 + 2 + 1 + 1;
  assert.equal(further(of(10_000 - others)).length, 1);
  assert.throws(() => further(of(10_001 - others)), /it has 10001 octets/);
});

const ESCAPES: readonly (readonly [string, string])[] = [
  ["", ""],
  ["public", "public"],
  ["a, b", "a,\\ b"],
  ["a\\b", "a\\\\b"],
  ["\t\n\v\f\r ", "\\\t\\\n\\\v\\\f\\\r\\ "],
  ['it\'s "é"', 'it\'s\\ "é"'],
];

for (const [text, expected] of ESCAPES) {
  test(`escapeOption() writes ${JSON.stringify(text)}, which splits to itself`, () => {
    assert.equal(escapeOption(text), expected);
    assert.deepEqual(splitOptions(`-c x=${expected} -d`), ["-c", `x=${text}`, "-d"]);
  });
}

/** The server's reading (postinit.c, pg_split_opts). */
function splitOptions(options: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < options.length; at++) {
    const unit = options[at] ?? "";
    if (/[ \t\n\v\f\r]/.test(unit)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + (unit === "\\" ? options[++at] ?? "" : unit);
  }
  return word === undefined ? words : [...words, word];
}
