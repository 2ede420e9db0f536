import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executeOrThrow } from "../../tests/support/execute.ts";
import { type Bench, type PartResult, runtimeTitle } from "../bench.ts";
import { plainFlagsOf } from "../runtime_worker.ts";
import { median, spreadOf } from "../statistics.ts";
import { bundled, BUNDLES, PEERS } from "./size.ts";

const EMPTY = "an empty module";
// Without `process` on Deno: whoever asks for it there has what is measured loaded before.
const TIMER = `const [file] = globalThis.Deno?.args ?? process.argv.slice(2);
const began = performance.now();
await import(file);
console.log(performance.now() - began);
`;

/** How long a fresh process takes to import a bundle, over an empty module. */
export async function measureImport(bench: Bench): Promise<PartResult> {
  const folder = join(bench.folder, "import");
  mkdirSync(folder, { recursive: true });
  const timer = join(folder, "timer.mjs");
  writeFileSync(timer, TIMER);
  const files = new Map<string, string>([[EMPTY, join(folder, "empty.mjs")]]);
  writeFileSync(join(folder, "empty.mjs"), "export {};\n");
  for (const [at, bundle] of BUNDLES.entries()) {
    if (bundle.without?.includes("@noble/*")) continue;
    const file = join(folder, `${at}.mjs`);
    // It is CommonJS, which a bundle that is a module cannot hold.
    writeFileSync(file, bundle.name === "pg" ? bundle.source : (await bundled(bundle)).octets);
    files.set(bundle.name, file);
  }
  const data: { runtime: string; name: string; ms: readonly number[] }[] = [];
  for (const runtime of bench.runtimes) {
    const own = [...files].filter(([name]) => isFor(runtime.name, name));
    const times = new Map(own.map(([name]) => [name, [] as number[]]));
    for (let round = 0; round < bench.options.rounds; round++) {
      bench.progress(`import: ${runtimeTitle(runtime)}, round ${round + 1}`);
      for (const [name, file] of own) {
        const args = [...plainFlagsOf(runtime), timer, file];
        const printed = await executeOrThrow(`import ${name}`, runtime.executable, args);
        times.get(name)?.push(Number(printed.trim().split("\n").at(-1)));
      }
    }
    for (const [name, ms] of times) data.push({ runtime: runtimeTitle(runtime), name, ms });
  }
  const titles = bench.runtimes.map(runtimeTitle);
  const cell = (name: string, runtime: string): string => {
    const of = (wanted: string): readonly number[] =>
      data.find((one) => one.runtime === runtime && one.name === wanted)?.ms ?? [];
    if (of(name).length === 0) return "–";
    const base = median(of(EMPTY));
    const { median: middle, low, high } = spreadOf(of(name).map((ms) => ms - base));
    return `${middle.toFixed(1)} (${low.toFixed(1)}–${high.toFixed(1)})`;
  };
  return {
    title: "Import",
    legend:
      "Milliseconds over an empty module, bundled and minified but for pg, in a fresh process: median (quartiles).",
    tables: [{
      head: ["", ...titles],
      rows: [...files.keys()].filter((name) => name !== EMPTY).map((name) => [
        name,
        ...titles.map((runtime) => cell(name, runtime)),
      ]),
    }],
    summary: [{
      figure: "import of connect(), ms over an empty module",
      ours: titles.map((title) =>
        cell(`connect() and the ${title.split(" ")[0]?.toLowerCase()} adapter`, title)
      ),
      floor: titles.map(() => "–"),
      peer: PEERS.map((name) => `${name} ${titles.map((title) => cell(name, title)).join(" / ")}`)
        .join("; "),
    }],
    data,
  };
}

/** An adapter is imported where it runs; everything else everywhere. */
function isFor(runtime: string, name: string): boolean {
  const adapter = /the (deno|bun|node) adapter$/.exec(name)?.[1];
  return adapter === undefined || runtime.startsWith(adapter);
}
