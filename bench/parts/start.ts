import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { executeOrThrow } from "../../tests/support/execute.ts";
import type { Runtime } from "../../tests/support/runtimes.ts";
import { type Bench, bestOf, isPeer, type PartResult, titleOf } from "../bench.ts";
import type { ContenderName } from "../contenders/table.ts";
import { DENO_ENVIRONMENT, plainFlagsOf } from "../runtime_worker.ts";
import { COLD_SCENARIOS, placeOf, type Scenario, takesPart } from "../scenarios.ts";
import { median, type Spread, spreadOf } from "../statistics.ts";

/** Milliseconds of every round, by who and scenario. */
type Samples = Map<string, Map<string, number[]>>;

/** How long a program takes that opens one session and ends, over a program that does nothing. */
export async function measureStart(bench: Bench): Promise<PartResult> {
  const port = bench.servers.get(18)?.port ?? 0;
  const client = join(bench.folder, "start_client.mjs");
  const empty = join(bench.folder, "empty.mjs");
  writeFileSync(empty, "export {};\n");
  const samples: Samples = new Map();
  for (let round = 0; round < bench.options.rounds; round++) {
    bench.progress(`start: round ${round + 1} of ${bench.options.rounds}`);
    for (const runtime of bench.runtimes) {
      for (const scenario of COLD_SCENARIOS) {
        // Beside each scenario, as a machine's mood changes.
        const idle = await run(runtime, empty);
        for (const contender of contendersOf(bench, runtime)) {
          if (!takesPart(contender, scenario)) continue;
          const place = JSON.stringify(placeOf(scenario, port));
          const took = await run(runtime, client, contender, place);
          const own = samples.get(titleOf(contender, runtime)) ?? new Map<string, number[]>();
          own.set(scenario.name, [...own.get(scenario.name) ?? [], took - idle]);
          samples.set(titleOf(contender, runtime), own);
        }
      }
    }
  }
  const spread = (who: string, { name }: Scenario): Spread | undefined => {
    const ms = samples.get(who)?.get(name);
    return ms && spreadOf(ms);
  };
  return {
    title: "The first session of a program",
    legend:
      "Milliseconds from the start of a process that opens one session to its end, over one that does nothing: median " +
      "(quartiles). Ours and the raw socket are bundled, the others as installed.",
    tables: [{
      head: ["", ...COLD_SCENARIOS.map(({ name }) => name)],
      rows: [...samples.keys()].map((who) => [
        who,
        ...COLD_SCENARIOS.map((scenario) => textOf(spread(who, scenario))),
      ]),
    }],
    summary: COLD_SCENARIOS.map((scenario) => ({
      figure: `first session of a program, ms, ${scenario.name}`,
      ours: bench.runtimes.map((one) => textOf(spread(titleOf("ours", one), scenario))),
      floor: bench.runtimes.map((one) => textOf(spread(titleOf("raw", one), scenario))),
      peer: bench.runtimes.map((runtime) =>
        bestOf(
          contendersOf(bench, runtime).filter(isPeer).flatMap((contender) => {
            const ms = samples.get(titleOf(contender, runtime))?.get(scenario.name);
            return ms === undefined ? [] : [[titleOf(contender, runtime), median(ms)] as const];
          }),
        )
      ).join(" / "),
    })),
    data: Object.fromEntries([...samples].map(([who, own]) => [who, Object.fromEntries(own)])),
  };
}

/** A first session has no memory. */
function contendersOf(bench: Bench, runtime: Runtime): readonly ContenderName[] {
  return bench.contendersOn(runtime).filter((contender) => !contender.endsWith("repeat"));
}

async function run(
  runtime: Runtime,
  program: string,
  ...args: readonly string[]
): Promise<number> {
  const began = performance.now();
  // Not by its arguments, which hold a password.
  await executeOrThrow(`run ${program}`, runtime.executable, [
    ...plainFlagsOf(runtime),
    program,
    ...args,
  ], { environment: { ...process.env, ...DENO_ENVIRONMENT } });
  return performance.now() - began;
}

function textOf(spread: Spread | undefined): string {
  if (spread === undefined) return "–";
  return `${spread.median.toFixed(0)} (${spread.low.toFixed(0)}–${spread.high.toFixed(0)})`;
}
