/** Service files, password files and environments. */
import assert from "node:assert/strict";
import { ConfigError } from "../../src/errors.ts";
import { gatherParameters } from "../../src/settings/gather.ts";
import type { HostAnswer, HostRequest } from "../../src/settings/host_request.ts";
import { KEYWORDS } from "../../src/settings/keyword_reference.ts";
import type { ConnectionParameters } from "../../src/settings/parameters.ts";
import { findPassword, type PasswordFileKey } from "../../src/settings/password_file.ts";
import { readServiceFile } from "../../src/settings/service_file.ts";
import { mutate, type Prng } from "../support/prng.ts";
import { toHex } from "../support/vectors.ts";
import { fewerOctets, fuzz, type Report, shorterTexts, type Target } from "./fuzz.ts";
import { assertHides, list, NEEDLE, needlesOf, outcome, saidBy, text } from "./parts.ts";

const HIDDEN = needlesOf(NEEDLE);
const SECRET = new TextDecoder().decode(NEEDLE);

interface ServiceInput {
  readonly file: string;
  /** What the section holds; undefined once the file was changed. */
  readonly entries: readonly (readonly [string, string])[] | undefined;
}

const SERVICE: Target<ServiceInput> = {
  name: "service-file",
  generate(prng) {
    const entries = list(prng, 4, () => entry(prng));
    const lines = [
      ...list(prng, 2, () => prng.pick(["# x", "", "[other]", "  "])),
      "[app]",
      ...entries.map(([name, value]) => `${prng.pick(["", " "])}${name}=${value}`),
      ...list(prng, 2, () => prng.pick(["[other]", "# y", "", "[app]"])),
    ];
    const file = lines.join(prng.pick(["\n", "\r\n"]));
    if (prng.below(2) === 0) return { file, entries };
    const changed = decoded(mutate(new TextEncoder().encode(file), prng));
    return { file: changed, entries: undefined };
  },
  check({ file, entries }) {
    const read = outcome([ConfigError], () => readServiceFile(file, "app", "/f"));
    if (read.kind === "error") {
      assert.ok(entries === undefined, read.error.message);
      assertHides(saidBy(read.error), HIDDEN, "the error");
      return "refused";
    }
    const found = read.value?.map(({ keyword, value }) => [keyword, value]);
    if (entries !== undefined) assert.deepEqual(found, entries);
    return read.value === undefined ? "no section" : "read";
  },
  show: ({ file }) => JSON.stringify(file),
  *smaller({ file }) {
    for (const shorter of shorterTexts(file)) yield { file: shorter, entries: undefined };
  },
};

interface PasswordInput {
  readonly file: Uint8Array;
  readonly key: PasswordFileKey;
  /** What must be found; "unknown" once the file was changed. */
  readonly expected: string | undefined;
  readonly changed: boolean;
}

const PASSWORD: Target<PasswordInput> = {
  name: "password-file",
  generate(prng) {
    const names = [field(prng), field(prng)] as const;
    const any = (): string => prng.pick(names);
    const key = { host: any(), port: prng.pick(["5432", "1"]), database: any(), user: any() };
    const wanted = [key.host, key.port, key.database, key.user];
    let expected: string | undefined;
    const lines = list(prng, 4, () => {
      if (prng.below(8) === 0) return prng.pick(["#*:*:*:*:x", "", "a:b", "*:*:*:*"]);
      const fields = wanted.map((name) => prng.pick([name, name, name, "*", any()]));
      const password = prng.below(3) === 0 ? SECRET : field(prng);
      const matches = fields.every((one, at) => one === "*" || one === wanted[at]);
      if (matches) expected ??= password;
      return [...fields.map((one) => one === "*" ? one : escaped(one)), escaped(password)].join(
        ":",
      );
    });
    const file = new TextEncoder().encode(lines.join(prng.pick(["\n", "\r\n"])));
    if (prng.below(2) === 0) return { file, key, expected, changed: false };
    return { file: mutate(file, prng), key, expected: undefined, changed: true };
  },
  check({ file, key, expected, changed }) {
    const found = findPassword(file, key);
    const octets = found?.revealOctets();
    if (octets !== undefined) assert.ok(octets.length <= file.length, "longer than the file");
    const shown = `${found}${JSON.stringify(found)}${JSON.stringify({ found })}`;
    assertHides(shown, HIDDEN, "the password found");
    if (changed) return "changed";
    const text = octets === undefined ? undefined : decoded(octets);
    assert.equal(text, expected);
    return expected === undefined ? "none" : "found";
  },
  show: ({ file, key, expected }) => JSON.stringify({ file: toHex(file), key, expected }),
  *smaller(input) {
    if (!input.changed) return;
    for (const file of fewerOctets(input.file)) yield { ...input, file };
  },
};

interface Machine {
  readonly explicit: ConnectionParameters;
  readonly environment: Readonly<Record<string, string>>;
  readonly file: string | undefined;
  readonly section: ReadonlyMap<string, string>;
}

const ENVIRONMENT: Target<Machine> = {
  name: "environment",
  generate(prng) {
    const section = new Map(
      list(prng, 3, () => entry(prng)).filter(([name]) => name !== "service"),
    );
    const lines = [...section].map(([name, value]) => `${name}=${value}`);
    const broken = prng.below(6) === 0 ? [prng.pick(["nothing=1", "x", `password ${SECRET}`])] : [];
    const named = prng.below(2) === 0;
    const variables = list(prng, 4, () => [
      prng.pick(KEYWORDS).environment ?? "PGNOTHING",
      prng.below(6) === 0 ? "" : plain(prng),
    ]).filter(([name]) => name !== "PGSERVICE");
    return {
      explicit: {
        ...Object.fromEntries(list(prng, 3, () => entry(prng))),
        ...(named && { service: "app" }),
      },
      environment: {
        ...Object.fromEntries(variables),
        ...(prng.below(4) === 0 && { PGREQUIRESSL: prng.pick(["1", "0", "10", ""]) }),
        ...(prng.below(4) === 0 && { PGSERVICEFILE: prng.pick(["/f", "", "/none"]) }),
      },
      file: prng.below(8) === 0 ? undefined : ["[app]", ...lines, ...broken].join("\n"),
      section: broken.length > 0 ? new Map() : section,
    };
  },
  check(input) {
    const gathered = outcome([ConfigError], () => gather(input));
    if (gathered.kind === "error") {
      assertHides(saidBy(gathered.error), HIDDEN, "the error");
      return "refused";
    }
    const { parameters, context } = gathered.value;
    assertHides(JSON.stringify(context), HIDDEN, "the context");
    const { explicit, environment, section } = input;
    for (const { keyword, environment: name } of KEYWORDS) {
      if (keyword === "service" || keyword === "sslmode") continue;
      const stored = explicit.service === undefined ? undefined : section.get(keyword);
      const variable = name === undefined ? undefined : environment[name];
      assert.equal(parameters[keyword], explicit[keyword] ?? stored ?? variable, keyword);
    }
    return explicit.service === undefined ? "gathered" : "gathered with a service";
  },
  show: (input) => JSON.stringify(input),
};

/** Service files. */
export function runService(seed: number, cases: number): Report {
  return fuzz(SERVICE, seed, cases);
}

/** Password files. */
export function runPassword(seed: number, cases: number): Report {
  return fuzz(PASSWORD, seed, cases);
}

/** Machines: what is given, a service file, an environment. */
export function runEnvironment(seed: number, cases: number): Report {
  return fuzz(ENVIRONMENT, seed, cases);
}

function gather(
  input: Machine,
): ReturnType<ReturnType<typeof gatherParameters>["next"]>["value"] & {
  readonly parameters: ConnectionParameters;
  readonly context: object;
} {
  const gathering = gatherParameters(input.explicit);
  // Each keyword has a variable at most, besides what belongs to no keyword.
  let left = KEYWORDS.length + 60;
  let step = gathering.next();
  while (!step.done) {
    if (left-- === 0) throw new Error("Gathering does not end");
    step = gathering.next(answerOf(step.value, input));
  }
  return step.value;
}

function answerOf(request: HostRequest, { environment, file }: Machine): HostAnswer {
  switch (request.want) {
    case "platform":
      return "posix";
    case "environment":
      return environment[request.name];
    case "home-directory":
      return "/home/me";
    case "user-name":
      return "me";
    case "socket-directory":
      return "/run/postgresql";
    case "file":
      return request.path === "/none" ? undefined : file;
  }
}

function entry(prng: Prng): readonly [string, string] {
  const { keyword, kind } = prng.pick(KEYWORDS.filter((one) => one.keyword !== "service"));
  return [keyword, kind === "secret" ? SECRET : plain(prng)];
}

/** A value that a line of a file can hold as it is. */
function plain(prng: Prng): string {
  // deno-lint-ignore no-control-regex -- controls are what it takes out
  return text(prng).slice(0, 200).replace(/[\x00-\x20]/g, "").trim();
}

/** A name or password that can stand in a password file. */
function field(prng: Prng): string {
  const some = text(prng).slice(0, 80).replace(/[\r\n]/g, "");
  return some === "*" || some === "" ? "x" : some;
}

/** A byte order mark is a character like others. */
function decoded(octets: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(octets);
}

function escaped(some: string): string {
  return some.replace(/[\\:]/g, "\\$&").replace(/^#/, "\\#");
}
