/** Makes a fresh clone ready for its tests: installs its packages, and builds for runtimes that read no TypeScript. */
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { execute, executeOrThrow } from "./execute.ts";
import { denoExecutable } from "./machines.ts";
import { repositoryRoot } from "./repository.ts";

/** Where {@link buildTests} puts its output: below the repository, so that packages are found from there. */
export const BUILD_FOLDER = ".machines/build";

/** Data that tests find by URLs relative to themselves, which therefore goes with the build. */
const DATA_FOLDERS = ["tests/vectors", "tests/fixtures"] as const;

interface PackageFile {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** Installs what package.json names, unless it is there already in these versions. */
export async function installPackages(): Promise<void> {
  const root = repositoryRoot();
  const wanted = readPackage(join(root, "package.json"));
  const all = Object.entries({ ...wanted.dependencies, ...wanted.devDependencies });
  const missing = all.filter(([name, version]) => {
    const file = join(root, "node_modules", ...name.split("/"), "package.json");
    return !existsSync(file) || readPackage(file).version !== version;
  });
  if (missing.length === 0) return;
  const deno = denoExecutable();
  if (deno === undefined) throw new Error("Cannot find Deno: set DENO_BIN to its path");
  await executeOrThrow("install packages", deno, ["install", "--quiet"], { cwd: root });
}

function readPackage(path: string): PackageFile {
  return JSON.parse(readFileSync(path, "utf8")) as PackageFile;
}

/**
 * Compiles sources and tests to JavaScript, with the data they read.
 *
 * @param node A Node of any version, which runs the compiler.
 * @returns The folder of the build, laid out as the repository, and what the compiler complained about.
 */
export async function buildTests(
  node: string,
): Promise<{ readonly folder: string; readonly complaints: string }> {
  const root = repositoryRoot();
  const folder = join(root, BUILD_FOLDER);
  rmSync(folder, { recursive: true, force: true });
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const flags = ["-p", "tsconfig.json", "--outDir", folder];
  const { ok, output } = await execute(node, [compiler, ...flags], { cwd: root });
  for (const data of DATA_FOLDERS) {
    // Compiled fixtures are kept; everything that is no source is added to them.
    const filter = (path: string): boolean => !path.endsWith(".ts");
    if (existsSync(join(root, data))) {
      cpSync(join(root, data), join(folder, data), { recursive: true, filter });
    }
  }
  return { folder, complaints: ok ? "" : output };
}
