import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConnectionParameters } from "../../src/settings/parameters.ts";
import {
  defaultPasswordFile,
  findPassword,
  type PasswordFileKey,
  passwordFileKey,
  passwordFileProblem,
} from "../../src/settings/password_file.ts";
import { resolveSettings } from "../../src/settings/resolve.ts";
import { readVectors, type VectorCase } from "../support/vectors.ts";
import { prints } from "./prints.ts";

interface PasswordCase extends VectorCase {
  readonly file: string;
  readonly key: PasswordFileKey;
  readonly password: string | null;
}

const KEY: PasswordFileKey = { host: "h", port: "5432", database: "d", user: "u" };

for (const one of readVectors<PasswordCase>("password_file")) {
  test(`findPassword() knows the rule "${one.name}"`, () => {
    const found = findPassword(one.file, one.key);
    const text = found === undefined ? null : new TextDecoder().decode(found.reveal());
    assert.equal(text, one.password);
  });
}

test("findPassword() hands out octets that are no UTF-8 as they are", () => {
  const line = [..."*:*:*:*:"].map((character) => character.charCodeAt(0));
  const file = Uint8Array.from([...line, 0xe9, 0xff, 0x80, 0x0a]);
  assert.deepEqual(findPassword(file, KEY)?.reveal(), Uint8Array.of(0xe9, 0xff, 0x80));
});

test("what findPassword() found does not change with the file's octets, and no print shows it", () => {
  const file = new TextEncoder().encode("*:*:*:*:Xy7Zq\n");
  const found = findPassword(file, KEY);
  file.fill(0);
  assert.equal(new TextDecoder().decode(found?.reveal()), "Xy7Zq");
  for (const text of prints(found)) assert.doesNotMatch(text, /Xy7Zq|88, ?121|58 ?79/, text);
});

test("findPassword() takes every prefix of a file", () => {
  const file = "#c\n\\h:5432:a\\:b:u:pass\\:word\r\n*:*:*:*:x\\";
  for (let end = 0; end <= file.length; end++) {
    const found = findPassword(file.slice(0, end), { ...KEY, database: "a:b" });
    if (found === undefined) continue;
    // Cut behind the backslash, that one stays.
    const password = text(found.reveal()).replace(/\\$/, "");
    assert.ok("pass:word".startsWith(password), password);
  }
});

function text(octets: Uint8Array): string {
  return new TextDecoder().decode(octets);
}

const KEYS: readonly (readonly [ConnectionParameters, string])[] = [
  [{ host: "a" }, "a:5432:me:me"],
  [{ host: "a", port: "5433", user: "u", dbname: "d" }, "a:5433:d:u"],
  [{ host: "a", hostaddr: "::1" }, "a:5432:me:me"],
  [{ hostaddr: "::1" }, "::1:5432:me:me"],
  [{}, "localhost:5432:me:me"],
  [{ host: "/run/sockets" }, "localhost:5432:me:me"],
  [{ host: "/tmp" }, "/tmp:5432:me:me"],
  [{ host: "/run/sockets/" }, "/run/sockets/:5432:me:me"],
  [{ host: "@pg" }, "@pg:5432:me:me"],
];

for (const [parameters, expected] of KEYS) {
  test(`passwordFileKey() of ${JSON.stringify(parameters)} is ${expected}`, () => {
    const settings = resolveSettings(parameters, { user: "me", host: "/run/sockets" });
    const [entry] = settings.hosts;
    assert.ok(entry !== undefined);
    const key = passwordFileKey(entry, settings, "/run/sockets");
    assert.equal([key.host, key.port, key.database, key.user].join(":"), expected);
  });
}

test("without a socket directory no host is called localhost", () => {
  const settings = resolveSettings({ host: "/tmp" }, { user: "me" });
  const [entry] = settings.hosts;
  assert.ok(entry !== undefined);
  assert.equal(passwordFileKey(entry, settings, undefined).host, "/tmp");
});

test("defaultPasswordFile() is in the home directory, on Windows in the application data", () => {
  assert.equal(defaultPasswordFile("/home/me", "posix"), "/home/me/.pgpass");
  assert.equal(defaultPasswordFile("C:\\data", "windows"), "C:\\data\\postgresql\\pgpass.conf");
});

const MODES: readonly (readonly [number | undefined, boolean])[] = [
  [0o600, true],
  [0o400, true],
  [0o700, true],
  [0o000, true],
  [undefined, true],
  [0o640, false],
  [0o620, false],
  [0o610, false],
  [0o604, false],
  [0o602, false],
  [0o601, false],
  [0o644, false],
  [0o777, false],
];

for (const [mode, fine] of MODES) {
  const what = mode === undefined ? "without permission bits" : `of mode ${mode.toString(8)}`;
  test(`a password file ${what} is ${fine ? "used" : "ignored"}`, () => {
    const problem = passwordFileProblem("/p", { regular: true, mode });
    assert.equal(problem === undefined, fine, problem ?? "no problem");
    if (!fine) assert.match(problem ?? "", /group or world access, its permissions are 0[0-7]{3},/);
  });
}

test("a password file that is no regular file is ignored", () => {
  assert.equal(
    passwordFileProblem("/p", { regular: false, mode: 0o600 }),
    'Cannot use the password file "/p": it is not a plain file',
  );
});
