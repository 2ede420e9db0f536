import "../support/guard.ts";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { ConfigError } from "../../src/errors.ts";
import { type GatheredParameters, gatherParameters } from "../../src/settings/gather.ts";
import type { HostRequest } from "../../src/settings/host_request.ts";
import { keywordInfo, KEYWORDS } from "../../src/settings/keyword_reference.ts";
import type { Keyword } from "../../src/settings/keywords.ts";
import { parametersOf } from "../../src/settings/object_parameters.ts";
import type { ConnectionParameters } from "../../src/settings/parameters.ts";
import { defaultPasswordFile } from "../../src/settings/password_file.ts";
import { resolveSettings } from "../../src/settings/resolve.ts";
import { Prng } from "../support/prng.ts";
import { seedOfRun } from "./generate.ts";
import { type Environment, loadLibpq, POISON, type Verdict } from "./libpq.ts";
import { type Surroundings, surroundingsOf } from "./surroundings.ts";

const CASES = 6_000;
const SEED = seedOfRun(process.env["SEED"]);
const libpq = await loadLibpq();
const skip = typeof libpq === "string" ? libpq : false;
const folder = mkdtempSync(join(tmpdir(), "pg-handshake-oracle-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Compiled defaults that libpq computes later, or that this build of it has not. */
const COMPILED_ELSEWHERE: readonly Keyword[] = [
  "keepalives",
  "sslcertmode",
  "min_protocol_version",
  "max_protocol_version",
  "gssencmode",
];

test("the table's defaults are those libpq was compiled with", { skip }, () => {
  if (typeof libpq === "string") return;
  const compiled: ConnectionParameters = libpq.compiled();
  for (const { keyword, default: value } of KEYWORDS) {
    if (COMPILED_ELSEWHERE.includes(keyword)) continue;
    assert.equal(value, compiled[keyword], keyword);
  }
});

test(`gatherParameters() agrees with libpq in ${CASES} surroundings`, { skip }, () => {
  if (typeof libpq === "string") return;
  const prng = new Prng(SEED);
  const account = libpq.defaults({}).user ?? "";
  const compiled = libpq.compiled();
  let accepted = 0;
  for (let count = 0; count < CASES; count++) {
    const surroundings = surroundingsOf(prng, folder);
    const { explicit, environment, files } = surroundings;
    for (const [path, text] of files) writeFileSync(path, text);
    const pairs = Object.entries(explicit).map(([key, value]) => [key, String(value)] as const);
    const theirs: Verdict = libpq.gather(pairs, environment);
    const where = `SEED=${SEED}, case ${count}: ${show(surroundings)}`;
    const gathered = gather(surroundings, account);
    if (gathered instanceof ConfigError || !theirs.accepted) {
      const message = gathered instanceof ConfigError ? gathered.message : "accepted";
      assert.ok(!theirs.accepted, `we refuse: ${message}; ${where}`);
      assert.ok(gathered instanceof ConfigError, `libpq refuses: ${theirs.message}; ${where}`);
    } else {
      accepted++;
      assertOrigins(gathered, surroundings, where);
      assert.deepEqual(asLibpq(gathered, compiled, environment), theirs.values, where);
      if (Object.keys(explicit).length === 0) {
        const ours = withCompiled(gathered, compiled);
        // Here an empty user stays empty.
        assert.deepEqual(
          { ...ours, user: ours.user ?? account },
          libpq.defaults(environment),
          where,
        );
      }
    }
    for (const path of files.keys()) rmSync(path);
  }
  assert.ok(accepted > CASES / 5 && accepted < CASES * 4 / 5, `${accepted} were accepted`);
});

function gather(surroundings: Surroundings, account: string): GatheredParameters | ConfigError {
  try {
    const gathering = gatherParameters(parametersOf(surroundings.explicit));
    let step = gathering.next();
    while (!step.done) step = gathering.next(answer(step.value, surroundings, account));
    return step.value;
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

function answer(
  request: HostRequest,
  { environment, files }: Surroundings,
  account: string,
): string | undefined {
  switch (request.want) {
    case "platform":
      return "posix";
    case "environment":
      return environment[request.name];
    case "home-directory":
      return environment["HOME"];
    case "user-name":
      return account;
    case "socket-directory":
      return "/tmp";
    case "file":
      return files.get(request.path);
  }
}

/** What was gathered, with the compiled defaults of libpq and the one that depends on another parameter. */
function withCompiled(
  { parameters }: GatheredParameters,
  compiled: ConnectionParameters,
): { [K in Keyword]?: string } {
  const strengthened = parameters.sslrootcert === "system" ? { sslmode: "verify-full" } : {};
  return { ...compiled, ...strengthened, ...parameters };
}

/** The same after libpq's first steps of judging. */
function asLibpq(
  gathered: GatheredParameters,
  compiled: ConnectionParameters,
  environment: Environment,
): ConnectionParameters {
  const values = withCompiled(gathered, compiled);
  const user = values.user || gathered.context.user || "";
  const home = environment["HOME"] ?? "";
  const passfile = values.passfile || values.password
    ? values.passfile
    : defaultPasswordFile(home, "posix");
  // That is where libpq was made to stop.
  const require_auth = POISON;
  return present({ ...values, user, dbname: values.dbname || user, passfile, require_auth });
}

function present(values: { readonly [K in Keyword]?: string | undefined }): ConnectionParameters {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** Every value stands where its origin says. */
function assertOrigins(gathered: GatheredParameters, from: Surroundings, where: string): void {
  const { parameters, context: { origins } } = gathered;
  assert.deepEqual(Object.keys(origins).sort(), Object.keys(parameters).sort(), where);
  for (const { keyword } of KEYWORDS) {
    const [value, origin] = [parameters[keyword], origins[keyword]];
    if (value === undefined || origin === undefined) continue;
    if (origin.from === "explicit") {
      assert.equal(value, parametersOf(from.explicit)[keyword], where);
    } else if (origin.from === "environment") {
      const isOld = origin.name === "PGREQUIRESSL";
      assert.equal(value, isOld ? "require" : from.environment[origin.name], where);
      if (!isOld) assert.equal(origin.name, keywordInfo(keyword).environment, where);
    } else {
      const line = from.files.get(origin.path)?.split("\n")[origin.line - 1];
      assert.equal(line?.trim(), `${keyword}=${value}`, where);
    }
  }
}

function show({ explicit, environment, files }: Surroundings): string {
  return JSON.stringify({ explicit, environment, files: [...files] }, undefined, 1);
}

test("sslrootcert=system strengthens sslmode in libpq's defaults and in ours", { skip }, () => {
  if (typeof libpq === "string") return;
  const theirs: ConnectionParameters = libpq.defaults({ PGSSLROOTCERT: "system" });
  const ours = resolveSettings({ sslrootcert: "system" }, { user: "me" });
  assert.equal(ours.sslmode, theirs.sslmode);
});
