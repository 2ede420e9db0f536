import { build } from "esbuild";
import { gzipSync } from "node:zlib";
import { repositoryRoot } from "../../tests/support/repository.ts";
import type { Bench, PartResult } from "../bench.ts";

/** What is bundled: its name, its source, and what is left out. */
export interface Bundle {
  readonly name: string;
  readonly source: string;
  readonly without?: readonly string[];
}

const ADAPTERS: readonly string[] = ["deno", "bun", "node"];

/** What an application pays, from the machines alone to a whole driver. */
export const BUNDLES: readonly Bundle[] = [
  ...ADAPTERS.map((adapter) => ({
    name: `connect() and the ${adapter} adapter`,
    source: `export { connect } from "./mod.ts";`,
    without: ADAPTERS.filter((other) => other !== adapter).map((other) =>
      `*/transport/${other}.ts`
    ),
  })),
  ...ADAPTERS.map((adapter) => ({
    name: `ClientHandshake and the ${adapter} adapter`,
    source: `export { ClientHandshake } from "./src/handshake/client.ts";
export { ${adapter}Adapter } from "./src/transport/${adapter}.ts";`,
  })),
  {
    name: "the same of node, without @noble/hashes",
    source: `export { ClientHandshake } from "./src/handshake/client.ts";
export { nodeAdapter } from "./src/transport/node.ts";`,
    without: ["@noble/*"],
  },
  { name: "parseConnectionString()", source: `export * from "./src/settings/parse.ts";` },
  { name: "pg", source: `export { default } from "pg";` },
  { name: "postgres.js", source: `export { default } from "postgres";` },
  { name: "pgwire", source: `export * from "pgwire";` },
];

/** Bundles everything, minified. */
export async function measureSize(_bench: Bench): Promise<PartResult> {
  const data = [];
  for (const bundle of BUNDLES) {
    const octets = await bundled(bundle);
    const gzip = gzipSync(octets, { level: 9 }).length;
    data.push({ name: bundle.name, minified: octets.length, gzip });
  }
  return {
    title: "Size of a bundle",
    legend:
      "By esbuild, minified, one ES module, in kB. pg, postgres.js and pgwire are whole drivers.",
    tables: [{
      head: ["", "minified", "gzip -9"],
      rows: data.map(({ name, minified, gzip }) => [name, kilobytes(minified), kilobytes(gzip)]),
    }],
    data,
  };
}

/** One ES module, minified. */
export async function bundled({ source, without = [] }: Bundle): Promise<Uint8Array> {
  const { outputFiles: [file] } = await build({
    stdin: { contents: source, resolveDir: repositoryRoot(), loader: "ts" },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    platform: "node",
    mainFields: ["module", "main"],
    conditions: ["import", "default"],
    external: ["node:*", "pg-native", "cloudflare:sockets", ...without],
    absWorkingDir: repositoryRoot(),
    logLevel: "error",
  });
  if (file === undefined) throw new Error("esbuild wrote no file");
  return file.contents;
}

function kilobytes(octets: number): string {
  return (octets / 1024).toFixed(1);
}
