import "../support/guard.ts";
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import type { ConnectionParameters } from "../../src/settings/parameters.ts";
import {
  findPassword,
  passwordFileKey,
  passwordFileProblem,
} from "../../src/settings/password_file.ts";
import { resolveSettings } from "../../src/settings/resolve.ts";
import { Prng } from "../support/prng.ts";
import { seedOfRun } from "./generate.ts";
import { loadLibpq } from "./libpq.ts";

const FILES = 2_000;
const SEED = seedOfRun(process.env["SEED"]);
/** Where this build of libpq, compiled without further options, looks for sockets. */
const SOCKET_DIRECTORY = "/tmp";
const libpq = await loadLibpq();
const skip = typeof libpq === "string" ? libpq : false;
const folder = mkdtempSync(join(tmpdir(), "pg-handshake-oracle-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const HOSTS = ["h", "db.example", "::1", "/tmp", "/run/pg", "@pg", "a:b", "a\\b", "*", "localhost"];
const DATABASES = ["d", "*", "a:b", "caf\u00e9", "d\\"];
const USERS = ["u", "u v", ":", "*"];
/** Octets: a password need not be UTF-8. */
const PASSWORDS = ["secret", "", "a\\:b", "a:b", "p\\\\", "p\\", " p ", "\u00ff\u00e9", "#x"];

test(`findPassword() agrees with libpq on ${FILES} files`, { skip }, () => {
  if (typeof libpq === "string") return;
  const prng = new Prng(SEED);
  const path = join(folder, "pgpass");
  let found = 0;
  for (let count = 0; count < FILES; count++) {
    const octets = latin1(fileText(prng));
    writeFileSync(path, octets, { mode: 0o600 });
    for (let lookups = 0; lookups < 4; lookups++) {
      const parameters = parametersOf(prng);
      const pairs = [...Object.entries(parameters), ["passfile", path] as const];
      const theirs: Uint8Array = libpq.password(pairs, { HOME: folder });
      if (theirs.length > 0) found++;
      const ours = lookUp(octets, parameters);
      const where = `SEED=${SEED}, file ${count}: ${
        JSON.stringify({ parameters, file: text(octets) })
      }`;
      assert.deepEqual(text(ours), text(theirs), where);
    }
  }
  assert.ok(found > FILES / 2, `${found} were found`);
});

test("passwordFileProblem() ignores the files libpq ignores", { skip }, () => {
  if (typeof libpq === "string") return;
  const path = join(folder, "modes");
  const octets = new TextEncoder().encode("*:*:*:*:secret\n");
  const ask = (): string =>
    text(libpq.password([["host", "h"], ["user", "u"], ["passfile", path]], { HOME: folder }));
  for (const mode of [0o600, 0o400, 0o700, 0o640, 0o604, 0o610, 0o602]) {
    writeFileSync(path, octets);
    chmodSync(path, mode);
    const problem = passwordFileProblem(path, factsOf(path));
    assert.equal(ask(), problem === undefined ? "secret" : "", mode.toString(8));
    rmSync(path);
  }
  mkdirSync(path, { mode: 0o700 });
  assert.match(passwordFileProblem(path, factsOf(path)) ?? "", /not a plain file/);
  assert.equal(ask(), "");
});

function factsOf(path: string): { readonly regular: boolean; readonly mode: number } {
  const found = statSync(path);
  return { regular: found.isFile(), mode: found.mode & 0o777 };
}

function lookUp(octets: Uint8Array, parameters: ConnectionParameters): Uint8Array {
  const settings = resolveSettings(parameters, { user: "me", host: SOCKET_DIRECTORY });
  const [entry] = settings.hosts;
  assert.ok(entry !== undefined);
  const key = passwordFileKey(entry, settings, SOCKET_DIRECTORY);
  return findPassword(octets, key)?.reveal() ?? new Uint8Array(0);
}

function parametersOf(prng: Prng): ConnectionParameters {
  const host = prng.pick(["", ...HOSTS]);
  const hostaddr = prng.below(5) === 0 ? prng.pick(["127.0.0.1", "::1"]) : undefined;
  const port = prng.pick([undefined, "5432", "5433"]);
  return {
    user: prng.pick(USERS),
    dbname: prng.pick(DATABASES),
    ...(host !== "" && { host }),
    ...(hostaddr !== undefined && { hostaddr }),
    ...(port !== undefined && { port }),
  };
}

function fileText(prng: Prng): string {
  const lines = Array.from({ length: 1 + prng.below(5) }, () => {
    if (prng.below(10) === 0) {
      return prng.pick(["", "#*:*:*:*:x", " #c", "*:*:*:x", ":::::", "\\", "*"]);
    }
    const fields = [[...HOSTS, "127.0.0.1"], ["5432", "5433"], DATABASES, USERS].map((values) =>
      field(prng.pick(values), prng)
    );
    const line = [...fields, utf8(prng.pick(PASSWORDS))].join(":");
    return prng.below(8) === 0 ? changed(line, prng) : line;
  });
  return lines.join(prng.pick(["\n", "\n", "\r\n", "\r\r\n"])) + prng.pick(["", "\n", "\r"]);
}

function field(value: string, prng: Prng): string {
  switch (prng.below(5)) {
    case 0:
    case 1:
      return "*";
    case 2:
      return utf8(value);
    case 3:
      return utf8(value).replace(/[:\\]/g, "\\$&");
    default:
      return utf8(value).replace(/./gs, "\\$&");
  }
}

function changed(line: string, prng: Prng): string {
  const at = prng.below(line.length + 1);
  return line.slice(0, at) + prng.pick(["", ":", "\\", "*", "#", " ", "\u00ff"]) +
    line.slice(at + prng.below(2));
}

/** A text whose characters are the octets of `value`, but for characters that are meant as octets. */
function utf8(value: string): string {
  return value.includes("\u00ff") ? value : text(new TextEncoder().encode(value));
}

function latin1(octets: string): Uint8Array {
  return Uint8Array.from(octets, (character) => character.charCodeAt(0));
}

function text(octets: Uint8Array): string {
  return String.fromCharCode(...octets);
}
