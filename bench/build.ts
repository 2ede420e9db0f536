/** Bundles what the bench runs, so that every runtime runs the same JavaScript, as after an installation. */
import { build } from "esbuild";
import { join } from "node:path";
import { repositoryRoot } from "../tests/support/repository.ts";

/** Below the repository, so that packages are found from there. */
export const BUILD_FOLDER = "node_modules/.cache/pg-handshake-bench";

/** Peers stay what their packages are. */
const EXTERNAL: readonly string[] = ["node:*", "bun", "pg", "pg-protocol", "pgwire", "postgres"];

/**
 * Bundles programs of `bench/`, keeping dynamic imports apart.
 *
 * @param names Without folder and extension.
 * @returns The folder that holds `<name>.mjs`.
 */
export async function buildPrograms(names: readonly string[]): Promise<string> {
  const root = repositoryRoot();
  const outdir = join(root, BUILD_FOLDER);
  await build({
    entryPoints: names.map((name) => join(root, "bench", `${name}.ts`)),
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["import", "default"],
    target: "es2022",
    external: [...EXTERNAL],
    absWorkingDir: root,
    logLevel: "error",
  });
  return outdir;
}
