import { build } from "esbuild";
import { dirname } from "node:path";
import { gzipSync } from "node:zlib";
import { repositoryRoot } from "../../tests/support/repository.ts";
import type { Bench, PartResult } from "../bench.ts";

/** What is bundled: its name, its source, and what is left out. */
export interface Bundle {
  readonly name: string;
  readonly source: string;
  readonly without?: readonly string[];
}

/** Those that are taken apart by folder. */
const SPLIT: readonly string[] = [
  "ClientHandshake and the node adapter",
  "connect() and the node adapter",
];
/** Whole drivers, for comparison. */
export const PEERS: readonly string[] = ["pg", "postgres.js", "pgwire"];
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
  const data: {
    readonly name: string;
    readonly minified: number;
    readonly gzip: number;
    readonly rooms: Readonly<Record<string, number>>;
  }[] = [];
  for (const bundle of BUNDLES) {
    const { octets, rooms } = await bundled(bundle);
    const gzip = gzipSync(octets, { level: 9 }).length;
    data.push({ name: bundle.name, minified: octets.length, gzip, rooms });
  }
  const split = data.filter(({ name }) => SPLIT.includes(name));
  const rooms = [...new Set(split.flatMap((one) => Object.keys(one.rooms)))].sort();
  return {
    title: "Size of a bundle",
    legend:
      "By esbuild, minified, one ES module, in kB. pg, postgres.js and pgwire are whole drivers.",
    tables: [{
      head: ["", "minified", "gzip -9"],
      rows: data.map(({ name, minified, gzip }) => [name, kilobytes(minified), kilobytes(gzip)]),
    }, {
      head: ["where the minified kB are", ...split.map(({ name }) => name)],
      rows: rooms.map((room) => [room, ...split.map((one) => kilobytes(one.rooms[room] ?? 0))]),
    }],
    summary: [{
      figure: "size, minified and gzip, kB: ClientHandshake and the node adapter; connect() and it",
      ours: SPLIT.map((name) => {
        const found = data.find((one) => one.name === name);
        return kilobytes(found?.gzip ?? NaN);
      }),
      floor: ["–"],
      peer: PEERS.map((name) => {
        const found = data.find((one) => one.name === name);
        return `${kilobytes(found?.gzip ?? NaN)} (${name})`;
      }).join(", "),
    }],
    data,
  };
}

/** One ES module, minified, and how many of its octets are of which folder. */
export async function bundled({ source, without = [] }: Bundle): Promise<{
  readonly octets: Uint8Array;
  readonly rooms: Readonly<Record<string, number>>;
}> {
  const { outputFiles: [file], metafile } = await build({
    stdin: { contents: source, resolveDir: repositoryRoot(), loader: "ts" },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
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
  const rooms: Record<string, number> = {};
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      if (bytesInOutput === 0) continue;
      const room = /@noble/.exec(path)?.[0] ?? dirname(path);
      rooms[room] = (rooms[room] ?? 0) + bytesInOutput;
    }
  }
  return { octets: file.contents, rooms };
}

function kilobytes(octets: number): string {
  return (octets / 1024).toFixed(1);
}
