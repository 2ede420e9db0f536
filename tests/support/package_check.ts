/**
 * Packs the npm package, installs it into an empty project, and uses it there as its users would: from Node (as an ES
 * module and by `require`), Bun, Deno and the TypeScript compiler, against a real server where the platform has one.
 *
 * Run: `deno run -A tests/support/package_check.ts`. Needs npm.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { executeOrThrow } from "./execute.ts";
import { machine, MachineUnavailable } from "./machines.ts";
import { PASSWORD, type PostgresServer, startPostgres } from "./postgres.ts";
import { buildPackage } from "./npm_package.ts";
import { installPackages } from "./prepare.ts";
import { repositoryRoot } from "./repository.ts";
import { getRuntime, RUNTIME_NAMES } from "./runtimes.ts";
import * as frontDoor from "../../mod.ts";

const NAME = "pg-handshake";
const NPM = process.platform === "win32" ? "npm.cmd" : "npm";
const SHELL = { shell: process.platform === "win32" };
/** What may be in the package besides `dist/mod.*` and `dist/src/`. */
const ALLOWED =
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|dist\/(mod|src\/.+)\.(js|d\.ts))$/;
const root: string = repositoryRoot();
const project: string = mkdtempSync(join(tmpdir(), "pg-handshake-package-"));

try {
  await installPackages();
  await buildPackage();
  say("builds");
  await pack();
  await compileAgainst();
  await useEverywhere();
} finally {
  rmSync(project, { recursive: true, force: true });
}

function say(what: string): void {
  process.stdout.write(`ok   ${what}\n`);
}

/** The package manifest, as far as it is read here. */
interface Manifest {
  readonly exports: Readonly<Record<string, unknown>>;
}

/** Every way in, as a user writes it. */
function specifiers(): readonly string[] {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
  return Object.keys(exports).map((entry) => entry.replace(/^\./, NAME));
}

async function pack(): Promise<void> {
  const options = { cwd: root, ...SHELL };
  const args = ["pack", "--json", "--silent", "--ignore-scripts", "--pack-destination", project];
  const output = await executeOrThrow("pack", NPM, args, options);
  const tarball = /"filename":\s*"([^"]+)"/.exec(output)?.[1];
  if (tarball === undefined) throw new Error(`Cannot pack: npm said ${output}`);
  const files = [...output.matchAll(/"path":\s*"([^"]+)"/g)].map(([, path = ""]) => path);
  const strange = files.filter((path) => !ALLOWED.test(path));
  if (files.length === 0 || strange.length > 0) {
    throw new Error(`Cannot publish the package: it holds "${strange.join('", "')}"`);
  }
  say(`packs ${files.length} files`);
  writeFileSync(join(project, "package.json"), '{ "private": true }');
  const install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", `./${tarball}`];
  await executeOrThrow("install the package", NPM, install, { cwd: project, ...SHELL });
  say("installs into an empty project");
}

/** Without the types of any runtime, and with our declarations checked: a user may have neither. */
async function compileAgainst(): Promise<void> {
  const imports = specifiers().map((one, index) => `import * as entry${index} from "${one}";`);
  const uses = specifiers().map((_, index) => `entry${index}`).join(", ");
  const shape =
    `const session = await entry0.connect("postgres://localhost/app", { password: "x" });
const number: number = session.serverVersion.number;
await session.close();`;
  writeFileSync(
    join(project, "use.mts"),
    `${
      imports.join("\n")
    }\nexport const all: unknown[] = [${uses}];\n${shape}\nexport { number };\n`,
  );
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const { executable } = await machine("node-20");
  const flags = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2023"];
  const environment = ["--types", "", "--lib", "esnext,dom,dom.iterable"];
  const args = [compiler, ...flags, ...environment, "use.mts"];
  await executeOrThrow("compile against the package", executable, args, { cwd: project });
  say("compiles for a user without types of a runtime");
}

async function useEverywhere(): Promise<void> {
  const server = await startServer();
  try {
    writeFileSync(join(project, "use.mjs"), esModule(server));
    writeFileSync(join(project, "use.cjs"), commonModule(server));
    for (const name of RUNTIME_NAMES) {
      const runtime = await getRuntime(name).catch((error: unknown) => {
        if (error instanceof MachineUnavailable) return undefined;
        throw error;
      });
      if (runtime === undefined) continue;
      const { executable, version } = runtime;
      const before = name === "deno" ? ["run", "-A"] : [];
      const options = { cwd: project };
      await executeOrThrow(`use it on ${name}`, executable, [...before, "use.mjs"], options);
      say(`works on ${name} ${version}`);
      if (!name.startsWith("node") || !await canRequire(executable)) continue;
      await executeOrThrow(`require it on ${name}`, executable, ["use.cjs"], options);
      say(`works on ${name} ${version} by require`);
    }
  } finally {
    await server?.stop();
  }
  if (!existsSync(join(project, "node_modules", NAME))) throw new Error("Cannot find the package");
}

/** Whether this Node loads ES modules by `require`: from 20.19 on. */
async function canRequire(node: string): Promise<boolean> {
  const asked = await executeOrThrow("ask Node", node, ["-p", "process.features.require_module"]);
  return asked.trim() === "true";
}

async function startServer(): Promise<PostgresServer | undefined> {
  try {
    return await startPostgres();
  } catch (error) {
    if (error instanceof MachineUnavailable) return undefined;
    throw error;
  }
}

function esModule(server: PostgresServer | undefined): string {
  const imports = specifiers().map((one) => `await import("${one}")`).join(",\n  ");
  return `const entries = [\n  ${imports},\n];\n${use("entries[0]", "entries", server)}`;
}

function commonModule(server: PostgresServer | undefined): string {
  const requires = specifiers().map((one) => `require("${one}")`).join(",\n  ");
  const body = use("entries[0]", "entries", server);
  return `const entries = [\n  ${requires},\n];\n(async () => {\n${body}})();\n`;
}

/** The same few lines for both kinds of module; a failure is an uncaught error. */
function use(door: string, entries: string, server: PostgresServer | undefined): string {
  const checks = `for (const name of ${JSON.stringify(Object.keys(frontDoor))}) {
  if (!(name in ${door})) throw new Error("no " + name);
}
if (${entries}.some((one) => Object.keys(one).length === 0)) throw new Error("an empty entry");
`;
  const kerberos = `const kerberos = "Deno" in globalThis
  ? "denoGss"
  : "Bun" in globalThis ? "bunGss" : "nodeGss";
const provider = ${entries}.find((one) => kerberos in one)[kerberos]();
// Whatever it finds: it has to find its own parts. A machine without Kerberos, and a Node without koffi, say so.
await provider.findCredentials({ library: undefined }).catch((error) => {
  if (error.code !== "unsupported-setting") throw error;
});
`;
  if (server === undefined) return checks + kerberos;
  const url = `postgres://tls_user@127.0.0.1:${server.port}/app?sslmode=require`;
  return `${checks}${kerberos}const session = await ${door}.connect("${url}", { password: "${PASSWORD}" });
if (Math.floor(session.serverVersion.number / 10000) !== ${server.version}) throw new Error("version");
await session.query("select 1 as one");
await session.close();
`;
}
