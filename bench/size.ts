/**
 * Prints what an application pays to have `connect`: the minified and gzipped size of core plus one adapter, and the
 * time each runtime takes to import `mod.ts`, over an empty module. `deno task bench:size`.
 */
import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { machine } from "../tests/support/machines.ts";
import { repositoryRoot } from "../tests/support/repository.ts";

const ROOT = repositoryRoot();
const ROUNDS = 15;
const ADAPTERS = ["deno", "bun", "node"] as const;

interface Runtime {
  readonly name: typeof ADAPTERS[number];
  readonly command: readonly string[];
}

const runtimes: readonly Runtime[] = [
  { name: "deno", command: [Deno.execPath(), "run", "-A", "--no-check"] },
  { name: "bun", command: [(await machine("bun")).executable] },
  { name: "node", command: [(await machine("node-26")).executable] },
];

const folder = mkdtempSync(join(tmpdir(), "pg-handshake-size-"));
try {
  const empty = join(folder, "empty.mjs");
  writeFileSync(empty, "export {};\n");
  console.log("runtime  minified  gzipped   import over an empty module (median of", `${ROUNDS})`);
  for (const { name, command } of runtimes) {
    const bundle = await bundled(name);
    const file = join(folder, `${name}.mjs`);
    writeFileSync(file, bundle);
    const pairs = Array.from(
      { length: ROUNDS },
      () => importMs(command, file) - importMs(command, empty),
    );
    console.log(
      `${name.padEnd(8)} ${kilobytes(bundle.length)}  ${
        kilobytes(gzipSync(bundle, { level: 9 }).length)
      }   ${median(pairs).toFixed(1)} ms`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** One ES module of `mod.ts` with the adapter of one runtime in it, and the others left out. */
async function bundled(runtime: typeof ADAPTERS[number]): Promise<Uint8Array> {
  const others = ADAPTERS.filter((name) => name !== runtime).map((name) =>
    `*/transport/${name}.ts`
  );
  const result = await build({
    stdin: {
      contents: `export { connect } from "./mod.ts";`,
      resolveDir: ROOT,
      loader: "ts",
    },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["import", "default"],
    external: ["node:*", ...others],
    absWorkingDir: ROOT,
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error("esbuild wrote no file");
  return file.contents;
}

/** Milliseconds of one dynamic import in a fresh process, as that process measured it. */
function importMs(command: readonly string[], file: string): number {
  const script = join(folder, "time.mjs");
  writeFileSync(
    script,
    `const t = performance.now(); await import(process.argv[2]); console.log(performance.now() - t);`,
  );
  const [program = "", ...args] = command;
  const run = spawnSync(program, [...args, script, file], { encoding: "utf8" });
  if (run.status !== 0) throw new Error(`${program} failed: ${run.stderr}`);
  return Number(run.stdout.trim());
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}

function kilobytes(octets: number): string {
  return `${(octets / 1024).toFixed(1)} kB`.padStart(8);
}
