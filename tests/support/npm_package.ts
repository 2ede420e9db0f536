/**
 * Builds what npm publishes, into `dist/`: declarations by TypeScript, a file for every source, and modules by esbuild, as
 * few files as the ways in allow. Node looks for, reads and compiles every module by itself: as one file for every source
 * the package took three times as long to import.
 *
 * Run: `deno task build`.
 */
import { build } from "esbuild";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { executeOrThrow } from "./execute.ts";
import { machine } from "./machines.ts";
import { installPackages } from "./prepare.ts";
import { repositoryRoot } from "./repository.ts";

/** Oldest Node there is a promise for. */
const TARGET = "node20.12";

/** Builds `dist/` anew. */
export async function buildPackage(): Promise<void> {
  const root = repositoryRoot();
  const outdir = join(root, "dist");
  rmSync(outdir, { recursive: true, force: true });
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const { executable } = await machine("node-20");
  const args = [compiler, "-p", "tsconfig.build.json", "--emitDeclarationOnly"];
  await executeOrThrow("build the declarations", executable, args, { cwd: root });
  const { exports } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, string>>;
  };
  await build({
    entryPoints: Object.values(exports).map((path) => join(root, path)),
    outdir,
    outbase: root,
    // What several ways in share is shared, so that an error of one is an instance of the other's class.
    bundle: true,
    splitting: true,
    chunkNames: "src/shared/[name]-[hash]",
    format: "esm",
    platform: "neutral",
    packages: "external",
    external: ["node:*", "bun:*"],
    target: TARGET,
    absWorkingDir: root,
    logLevel: "error",
  });
}

if (import.meta.main) {
  await installPackages();
  await buildPackage();
}
