import "./support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { repositoryRoot } from "./support/repository.ts";

const ROOT = repositoryRoot();

/** Rooms each room may import from; `errors.ts`, `printable.ts` and the room itself are always allowed. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  auth: ["wire"],
  handshake: ["wire", "auth"],
  settings: [],
  plan: ["settings"],
  transport: [],
  oauth: ["auth", "settings", "connect"],
  connect: ["wire", "auth", "handshake", "settings", "plan", "transport"],
  gss: [],
  bridge: ["wire", "settings", "transport", "connect"],
};

/** Files of another room that may be named although the room as a whole may not. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  transport: ["auth/channel.ts"],
  // The port only; what stands behind it is an entry of its own.
  connect: ["gss/provider.ts"],
};

const PURE_ROOMS: readonly string[] = ["wire", "auth", "handshake", "settings", "plan"];
const ADAPTERS: readonly string[] = ["transport/deno.ts", "transport/bun.ts", "transport/node.ts"];

/** What a pure room may not even mention, outside comments and texts. */
const IMPURE: readonly RegExp[] = [
  /\basync\b/,
  /\bawait\b/,
  /\bPromise\b/,
  /\bsetTimeout\b|\bsetInterval\b|\bqueueMicrotask\b/,
  /\bDate\b/,
  /\bperformance\b/,
  /\bMath\.random\b/,
  /\bcrypto\./,
  /\bprocess\b/,
  /\bDeno\b/,
  /\bBun\b/,
  /\bconsole\b/,
  /"node:/,
  /\bfetch\(/,
];

const sources = filesUnder("src").map((path) => ({
  path,
  room: path.split("/")[1] ?? "",
  text: readFileSync(join(ROOT, path), "utf8"),
}));

test("every import goes down the table of the house", () => {
  const wrong = sources.flatMap(({ path, room, text }) =>
    importsOf(text).filter((target) => target.startsWith(".")).flatMap((target) => {
      const to = relative(join(ROOT, "src"), join(ROOT, dirname(path), target)).split(sep).join(
        "/",
      );
      const [toRoom = ""] = to.split("/");
      const allowed = to === "errors.ts" || to === "printable.ts" || toRoom === room ||
        (MAY_IMPORT[room] ?? []).includes(toRoom) || (EXCEPTIONS[room] ?? []).includes(to);
      return allowed ? [] : [`${path} imports ${to}`];
    })
  );
  assert.deepEqual(wrong, []);
});

test("rooms import exact files of each other, never a room's mod.ts", () => {
  const wrong = sources.filter(({ path }) => !path.endsWith("/mod.ts")).flatMap(({ path, text }) =>
    importsOf(text).filter((target) => target.endsWith("/mod.ts")).map((target) =>
      `${path} imports ${target}`
    )
  );
  assert.deepEqual(wrong, []);
});

test("nothing but the runtime switch imports an adapter, and only by a dynamic import", () => {
  const wrong = sources.flatMap(({ path, text }) =>
    importsOf(text).filter((target) => ADAPTERS.some((one) => target.endsWith(`/${one}`))).filter(
      () => path !== "src/connect/adapters.ts",
    ).map((target) => `${path} imports ${target}`)
  );
  assert.deepEqual(wrong, []);
  const { text } = sources.find(({ path }) => path === "src/connect/adapters.ts") ?? { text: "" };
  assert.equal(/^import .*transport\/(deno|bun|node)\.ts/m.test(text), false);
});

test("pure rooms contain no time, chance, promise, environment or runtime", () => {
  const wrong = sources.filter(({ path, room }) =>
    PURE_ROOMS.includes(room) || path === "src/errors.ts" || path === "src/printable.ts"
  ).flatMap(({ path, text }) => {
    const code = withoutCommentsAndTexts(text);
    return IMPURE.filter((pattern) => pattern.test(pattern.source.includes('"') ? text : code)).map(
      (pattern) => `${path} has ${pattern}`,
    );
  });
  assert.deepEqual(wrong, []);
});

test("src prints nothing and casts nothing to any", () => {
  const wrong = sources.filter(({ text }) => {
    const code = withoutCommentsAndTexts(text);
    return /\bconsole\b/.test(code) || /\bas any\b|: any\b/.test(code);
  }).map(({ path }) => path);
  assert.deepEqual(wrong, []);
});

test("test files start everything before their first test", () => {
  // Node runs the after hooks of a file whenever all tests it knows so far are done: a server that is started behind
  // the first of them may be stopped as soon as it is up.
  const wrong = filesUnder("tests").filter((path) => path.endsWith("_test.ts")).filter((path) => {
    const text = readFileSync(join(ROOT, path), "utf8");
    const first = /^ *test\(/m.exec(text)?.index ?? text.length;
    const awaits = text.matchAll(
      /^(?:const .*)?await |\bawait (?:startIfPossible|liveServers)\(/gm,
    );
    return [...awaits].some(({ index }) => index > first);
  });
  assert.deepEqual(wrong, []);
});

test("octets are copied by new Uint8Array(): slice() of a Buffer does not copy", () => {
  const wrong = sources.filter(({ text }) => /\.slice\(\)/.test(withoutCommentsAndTexts(text)));
  assert.deepEqual(wrong.map(({ path }) => path), []);
});

test("the only bare import of src is @noble/hashes", () => {
  const bare = sources.flatMap(({ text }) => importsOf(text)).filter((target) =>
    !target.startsWith(".") && !target.startsWith("node:")
  );
  assert.deepEqual(bare.filter((target) => !target.startsWith("@noble/hashes/")), []);
});

test("static imports of mod.ts lead to no node: module and no adapter", () => {
  const reached = reachedFrom("mod.ts", staticImportsOf);
  assert.ok(reached.size > 30);
  assert.deepEqual(nodeImportsOf(reached), []);
  assert.deepEqual([...reached].filter(isAdapter), []);
});

test("what mod.ts loads later imports no node: module statically, adapters excepted", () => {
  // A bundle that is one file has the static imports of all its modules at its top, and loads them for everybody.
  const reached = reachedFrom("mod.ts", importsOf);
  assert.deepEqual(nodeImportsOf([...reached].filter((path) => !isAdapter(path))), []);
});

test("only one file asks which runtime this is, and for what only Node has", () => {
  // On Deno merely asking for globalThis.process loads all that makes it like Node.
  const forNode = /^src\/(gss|bridge)\/|\/(node_\w+|duplex|runtime)\.ts$/;
  const asks = /\bprocess\b|\bsetImmediate\b|\bBuffer\b|\bin globalThis\b/;
  const wrong = sources.filter(({ path, text }) =>
    !forNode.test(path) && asks.test(withoutCommentsAndTexts(text))
  ).map(({ path }) => path);
  assert.deepEqual(wrong, []);
});

test("deno.json and package.json agree on version and entries", () => {
  const deno = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
  const npm = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  assert.equal(deno.version, npm.version);
  assert.deepEqual(Object.keys(deno.exports), Object.keys(npm.exports));
  for (const [entry, path] of Object.entries(deno.exports as Record<string, string>)) {
    const built = path.replace("./", "./dist/").replace(/\.ts$/, "");
    assert.deepEqual(npm.exports[entry], { types: `${built}.d.ts`, default: `${built}.js` });
    assert.match(readFileSync(join(ROOT, path), "utf8"), /^\/\*\*[\s\S]*?@module/, path);
  }
  assert.deepEqual(Object.keys(npm.dependencies), ["@noble/hashes"]);
});

test("every error code is explained in the README", () => {
  const text = readFileSync(join(ROOT, "src/errors.ts"), "utf8");
  const table = text.slice(text.indexOf("const SQLSTATE_OF"));
  const codes = [...table.slice(0, table.indexOf("};")).matchAll(/"([a-z-]+)": "/g)].map((found) =>
    found[1]
  );
  assert.ok(codes.length > 20);
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  assert.deepEqual(codes.filter((code) => !readme.includes(`\`${code}\``)), []);
});

test("every test file imports the guard first", () => {
  const unguarded = filesUnder("tests").filter((path) => path.endsWith("_test.ts")).filter(
    (path) => {
      const first = readFileSync(join(ROOT, path), "utf8").match(/^import .*$/m)?.[0] ?? "";
      return !first.endsWith('support/guard.ts";');
    },
  );
  assert.deepEqual(unguarded, []);
});

function filesUnder(folder: string): string[] {
  const root = join(ROOT, folder);
  assert.ok(existsSync(root), folder);
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .map((path) => `${folder}/${path.split(sep).join("/")}`)
    .filter((path) => path.endsWith(".ts")).sort();
}

/** The files a file leads to; what stands behind an adapter is left out. */
function reachedFrom(
  path: string,
  follow: (text: string) => string[],
  reached: Set<string> = new Set(),
): ReadonlySet<string> {
  if (reached.has(path)) return reached;
  reached.add(path);
  if (isAdapter(path)) return reached;
  for (const target of follow(readFileSync(join(ROOT, path), "utf8"))) {
    if (target.startsWith(".")) reachedFrom(join(dirname(path), target), follow, reached);
  }
  return reached;
}

function nodeImportsOf(paths: Iterable<string>): string[] {
  return [...paths].flatMap((path) =>
    staticImportsOf(readFileSync(join(ROOT, path), "utf8"))
      .filter((target) => target.startsWith("node:")).map((target) => `${path} imports ${target}`)
  );
}

function isAdapter(path: string): boolean {
  return ADAPTERS.some((one) => path.endsWith(`/${one}`));
}

function staticImportsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "");
  return [...code.matchAll(/^\s*(?:import|export)\s(?!type\b)(?:[^"';]*?\sfrom\s)?"([^"]+)"/gm)]
    .map((found) => found[1] ?? "");
}

function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "");
  const all = [
    ...code.matchAll(/^\s*(?:import|export)\s(?:[^"';]*?\sfrom\s)?"([^"]+)"/gm),
    ...code.matchAll(/\bimport\("([^"]+)"\)/g),
  ];
  return all.map((found) => found[1] ?? "");
}

function withoutCommentsAndTexts(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "")
    .replace(/"(?:[^"\\\n]|\\.)*"/g, '""').replace(/'(?:[^'\\\n]|\\.)*'/g, "''")
    .replace(/`(?:[^`\\]|\\.)*`/g, "``");
}
