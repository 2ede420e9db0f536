import type { Runtime } from "../../tests/support/runtimes.ts";
import { type Bench, bestOf, isPeer, type PartResult, runtimeTitle, titleOf } from "../bench.ts";
import type { ContenderName } from "../contenders/table.ts";
import type { Idle } from "../orders.ts";
import { RuntimeWorker } from "../runtime_worker.ts";
import { conninfoOf, placeOf, type Scenario, SCENARIOS } from "../scenarios.ts";

const SESSIONS = 150;
const CHOSEN: readonly Scenario[] = SCENARIOS.filter(({ name }) =>
  ["trust", "SSLRequest + SCRAM"].includes(name)
);

/** What a session holds that does nothing. */
export async function measureMemory(bench: Bench): Promise<PartResult> {
  const port = bench.servers.get(18)?.port ?? 0;
  const data: { who: string; scenario: string; idle: Idle }[] = [];
  for (const scenario of CHOSEN) {
    for (const libpq of bench.libpqs) {
      const process = await libpq.start();
      const idle = await process.ask<Idle>(`idle ${SESSIONS} ${conninfoOf(scenario, port)}`);
      data.push({ who: libpq.title, scenario: scenario.name, idle });
      await process.end();
    }
    for (const runtime of bench.runtimes) {
      for (const contender of bench.contendersOn(runtime)) {
        if (contender.startsWith("ours, unbound")) continue;
        bench.progress(`memory: ${contender} on ${runtimeTitle(runtime)}`);
        const worker = await RuntimeWorker.start(runtime, contender, bench.folder);
        const place = placeOf(scenario, port);
        const idle = await worker.ask<Idle>({ do: "idle", place, count: SESSIONS });
        data.push({ who: titleOf(contender, runtime), scenario: scenario.name, idle });
        await worker.end();
      }
    }
  }
  const cell = (who: string, { name }: Scenario): string => {
    const idle = data.find((one) => one.who === who && one.scenario === name)?.idle;
    if (idle === undefined) return "–";
    return `${idle.heapOctets < 0 ? "–" : kilobytes(idle.heapOctets)}, ${
      kilobytes(idle.rssOctets)
    }`;
  };
  return {
    title: "Memory of an idle session",
    legend: `JavaScript heap and resident memory in kB, of ${SESSIONS} open sessions.`,
    tables: [{
      head: ["heap, resident", ...CHOSEN.map(({ name }) => name)],
      rows: [...new Set(data.map(({ who }) => who))].map((who) => [
        who,
        ...CHOSEN.map((scenario) => cell(who, scenario)),
      ]),
    }],
    summary: CHOSEN.map((scenario) => {
      const heap = (contender: ContenderName, runtime: Runtime): number | undefined =>
        data.find(({ who, scenario: name }) =>
          who === titleOf(contender, runtime) && name === scenario.name
        )?.idle.heapOctets;
      const texts = (contender: ContenderName): readonly string[] =>
        bench.runtimes.map((runtime) => kilobytes(heap(contender, runtime) ?? NaN));
      return {
        figure: `heap of an idle session, kB, ${scenario.name}`,
        ours: texts("ours, repeat"),
        floor: texts("raw, repeat"),
        peer: bestOf(
          bench.runtimes.flatMap((runtime) =>
            bench.contendersOn(runtime).filter(isPeer).flatMap((contender) => {
              const octets = heap(contender, runtime);
              return octets === undefined
                ? []
                : [[titleOf(contender, runtime), octets / 1024] as const];
            })
          ),
        ),
      };
    }),
    data,
  };
}

function kilobytes(octets: number): string {
  return (octets / 1024).toFixed(1);
}
