import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { executeOrThrow } from "../../tests/support/execute.ts";
import type { Runtime } from "../../tests/support/runtimes.ts";
import { type Bench, type PartResult, runtimeTitle, type Table } from "../bench.ts";
import type { ContenderName } from "../contenders/table.ts";
import { DENO_ENVIRONMENT, plainFlagsOf } from "../runtime_worker.ts";
import { placeOf, type Scenario, SCENARIOS } from "../scenarios.ts";

/** A profile as V8 and JavaScriptCore write it: who was running at every sample, and how long after the last. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Microseconds a connect, by where they were spent. */
type Places = ReadonlyMap<string, number>;

interface Profiled {
  readonly runtime: Runtime;
  readonly scenario: string;
  readonly contender: ContenderName;
  readonly places: Places;
}

const PROFILED: readonly ContenderName[] = ["raw", "ours", "ours, repeat"];
const SCENARIO_NAMES: readonly string[] = ["trust", "SCRAM"];
const CONNECTS = { full: 400, quick: 50 } as const;
const INTERVAL_US = 100;
/** A longer gap between samples was idleness, or another process's turn. */
const MAX_GAP_US = 5 * INTERVAL_US;

const GARBAGE = "collecting garbage";
const NATIVE = "the runtime, native";
const RUNTIME = "the runtime, JavaScript";
const CLIENT = "the bench";

/** Where the CPU of a connect goes, by the runtimes' own profilers. */
export async function measureProfile(bench: Bench): Promise<PartResult> {
  const count = CONNECTS[bench.options.quick ? "quick" : "full"];
  const port = bench.servers.get(18)?.port ?? 0;
  const scenarios = SCENARIOS.filter(({ name }) => SCENARIO_NAMES.includes(name));
  const data: Profiled[] = [];
  for (const runtime of bench.runtimes) {
    for (const scenario of scenarios) {
      for (const contender of PROFILED) {
        bench.progress(`profile: ${runtimeTitle(runtime)}, ${scenario.name}, ${contender}`);
        const profile = await profileOf(bench, runtime, { scenario, contender, port, count });
        data.push({
          runtime,
          scenario: scenario.name,
          contender,
          places: placesOf(profile, count),
        });
      }
    }
  }
  return {
    title: "Where the CPU of a connect goes",
    legend:
      `Microseconds a connect by the runtime's own profiler, ${count} connects in one process, what it takes to load and to ` +
      "warm up among them; compilers' and collectors' own threads are not seen.",
    tables: bench.runtimes.map((runtime) => tableOf(runtime, data)),
    summary: SCENARIO_NAMES.map((name) => ({
      figure: `CPU of a connect, ${name}: by our modules, of all the profiler sees`,
      ours: bench.runtimes.map((runtime) => shareOf(find(data, runtime, name, "ours"))),
      floor: ["–"],
      peer: "–",
    })),
    data: data.map(({ runtime, places, ...rest }) => ({
      runtime: runtimeTitle(runtime),
      ...rest,
      places: Object.fromEntries(places),
    })),
  };
}

async function profileOf(
  bench: Bench,
  runtime: Runtime,
  { scenario, contender, port, count }: {
    readonly scenario: Scenario;
    readonly contender: ContenderName;
    readonly port: number;
    readonly count: number;
  },
): Promise<Profile> {
  const folder = join(bench.folder, "profile");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  await executeOrThrow(`profile ${contender}`, runtime.executable, [
    ...plainFlagsOf(runtime),
    "--cpu-prof",
    `--cpu-prof-interval=${INTERVAL_US}`,
    `--cpu-prof-dir=${folder}`,
    join(bench.folder, "start_client.mjs"),
    contender,
    JSON.stringify(placeOf(scenario, port)),
    String(count),
  ], { environment: { ...process.env, ...DENO_ENVIRONMENT } });
  const [file] = readdirSync(folder);
  if (file === undefined) throw new Error(`${runtime.name} wrote no profile`);
  return JSON.parse(readFileSync(join(folder, file), "utf8")) as Profile;
}

function placesOf({ nodes, samples, timeDeltas }: Profile, count: number): Places {
  const places = new Map<string, number>();
  const sources = new Map<string, readonly Origin[]>();
  const placeOfNode = new Map(
    nodes.map(({ id, callFrame }) => [id, placeOfFrame(callFrame, sources)]),
  );
  for (const [at, id] of samples.entries()) {
    const place = placeOfNode.get(id);
    if (place === undefined) continue;
    const spent = Math.min(timeDeltas[at] ?? 0, MAX_GAP_US) / count;
    places.set(place, (places.get(place) ?? 0) + spent);
  }
  return places;
}

/** undefined if nobody was running. */
function placeOfFrame(
  { functionName, url, lineNumber }: Profile["nodes"][number]["callFrame"],
  sources: Map<string, readonly Origin[]>,
): string | undefined {
  if (functionName === "(idle)" || functionName === "(root)") return undefined;
  if (functionName === "(garbage collector)") return GARBAGE;
  if (url === "") return NATIVE;
  if (!url.startsWith("file:") && !url.startsWith("/")) return RUNTIME;
  const path = url.startsWith("file:") ? fileURLToPath(url) : url;
  const origins = sources.get(path) ?? originsOf(path);
  sources.set(path, origins);
  const source = origins.findLast(({ line }) => line <= lineNumber)?.source ?? "";
  return /@noble\/hashes/.exec(source)?.[0] ?? /^src\/\w+(?=\/)|^src/.exec(source)?.[0] ?? CLIENT;
}

/** From which line of a bundle on a source's code stands. */
interface Origin {
  readonly line: number;
  readonly source: string;
}

/** esbuild names the source in a comment before its code. */
function originsOf(path: string): readonly Origin[] {
  return readFileSync(path, "utf8").split("\n").flatMap((text, line) => {
    const source = /^\/\/ (\S+\.[tj]s)$/.exec(text)?.[1];
    return source === undefined ? [] : [{ line, source }];
  });
}

function tableOf(runtime: Runtime, data: readonly Profiled[]): Table {
  const columns = SCENARIO_NAMES.flatMap((scenario) =>
    PROFILED.map((contender) => ({
      title: `${scenario}: ${contender}`,
      places: find(data, runtime, scenario, contender),
    }))
  );
  const names = [...new Set(columns.flatMap(({ places }) => [...places.keys()]))].sort((
    one,
    other,
  ) => Number(isOurs(one)) - Number(isOurs(other)) || one.localeCompare(other));
  return {
    head: [runtimeTitle(runtime), ...columns.map(({ title }) => title)],
    rows: [...names, "together"].map((name) => [
      name,
      ...columns.map(({ places }) => {
        const spent = name === "together" ? sum(places.values()) : places.get(name);
        return spent === undefined ? "–" : spent.toFixed(0);
      }),
    ]),
  };
}

function find(
  data: readonly Profiled[],
  runtime: Runtime,
  scenario: string,
  contender: ContenderName,
): Places {
  return data.find((one) =>
    one.runtime === runtime && one.scenario === scenario && one.contender === contender
  )?.places ?? new Map();
}

/** What the library brings: its rooms, and the hashes. */
function isOurs(place: string): boolean {
  return place.startsWith("src") || place.startsWith("@noble");
}

function shareOf(places: Places): string {
  const ours = sum([...places].filter(([name]) => isOurs(name)).map(([, spent]) => spent));
  return `${(100 * ours / sum(places.values())).toFixed(0)} %`;
}

function sum(values: Iterable<number>): number {
  return [...values].reduce((total, value) => total + value, 0);
}
