import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { certificatePath } from "../../tests/support/certificates.ts";
import { executeOrThrow } from "../../tests/support/execute.ts";
import type { Runtime } from "../../tests/support/runtimes.ts";
import { type Bench, bestOf, isPeer, type PartResult, titleOf } from "../bench.ts";
import type { ContenderName } from "../contenders/table.ts";
import { plainFlagsOf } from "../runtime_worker.ts";
import { placeOf, type Scenario, SCENARIOS, takesPart } from "../scenarios.ts";
import { median, type Spread, spreadOf } from "../statistics.ts";

const CHOSEN: readonly Scenario[] = SCENARIOS.filter(({ name }) =>
  ["trust", "SCRAM", "SSLRequest + SCRAM"].includes(name)
);

/** Milliseconds of every round, by who and scenario. */
type Samples = Map<string, Map<string, number[]>>;

/** How long a program takes that opens one session and ends, over a program that does nothing. */
export async function measureStart(bench: Bench): Promise<PartResult> {
  const port = bench.servers.get(18)?.port ?? 0;
  const empty = join(bench.folder, "empty.mjs");
  writeFileSync(empty, "export {};\n");
  const samples: Samples = new Map();
  for (let round = 0; round < bench.options.rounds; round++) {
    bench.progress(`start: round ${round + 1} of ${bench.options.rounds}`);
    for (const runtime of bench.runtimes) {
      for (const scenario of CHOSEN) {
        // Beside each scenario, as a machine's mood changes.
        const idle = await run(runtime, [empty]);
        for (const contender of contendersOf(bench, runtime)) {
          if (!takesPart(contender, scenario)) continue;
          const place = JSON.stringify(placeOf(scenario, port));
          const took = await run(runtime, [
            join(bench.folder, "start_client.mjs"),
            contender,
            place,
          ]);
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
      head: ["", ...CHOSEN.map(({ name }) => name)],
      rows: [...samples.keys()].map((who) => [
        who,
        ...CHOSEN.map((scenario) => textOf(spread(who, scenario))),
      ]),
    }],
    summary: CHOSEN.map((scenario) => ({
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

async function run(runtime: Runtime, args: readonly string[]): Promise<number> {
  const began = performance.now();
  await executeOrThrow(`run ${args.join(" ")}`, runtime.executable, [
    ...plainFlagsOf(runtime),
    ...args,
  ], {
    // Deno's own TLS takes roots beside the system's from here alone.
    environment: {
      ...process.env,
      DENO_CERT: certificatePath("ca.crt"),
      DENO_NO_UPDATE_CHECK: "1",
    },
  });
  return performance.now() - began;
}

function textOf(spread: Spread | undefined): string {
  if (spread === undefined) return "–";
  return `${spread.median.toFixed(0)} (${spread.low.toFixed(0)}–${spread.high.toFixed(0)})`;
}
