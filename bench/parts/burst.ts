import { type Bench, bestOf, isPeer, type PartResult, runtimeTitle, titleOf } from "../bench.ts";
import type { ContenderName } from "../contenders/table.ts";
import type { Burst } from "../orders.ts";
import { RuntimeWorker } from "../runtime_worker.ts";
import { COLD_SCENARIOS, conninfoOf, placeOf, type Scenario, takesPart } from "../scenarios.ts";
import { median, ratioOf } from "../statistics.ts";

const AT_ONCE = 100;
/** Every round starts a process for everybody in every scenario, which takes longer than what is measured. */
const ROUNDS = 3;
const QUICK_ROUNDS = 1;

/** A hundred connects at once, each time from a process that has connected nowhere yet. */
export async function measureBurst(bench: Bench): Promise<PartResult> {
  const rounds = bench.options.quick ? QUICK_ROUNDS : ROUNDS;
  const port = bench.servers.get(18)?.port ?? 0;
  const samples = new Map<string, Map<string, Burst[]>>();
  const add = (who: string, { name }: Scenario, burst: Burst): void => {
    const own = samples.get(who) ?? new Map<string, Burst[]>();
    samples.set(who, own.set(name, [...own.get(name) ?? [], burst]));
  };
  for (let round = 0; round < rounds; round++) {
    bench.progress(`burst: round ${round + 1} of ${rounds}`);
    for (const scenario of COLD_SCENARIOS) {
      for (const libpq of bench.libpqs) {
        const process = await libpq.start();
        add(
          libpq.title,
          scenario,
          await process.ask(`burst ${AT_ONCE} ${conninfoOf(scenario, port)}`),
        );
        await process.end();
      }
      for (const runtime of bench.runtimes) {
        for (const contender of bench.contendersOn(runtime)) {
          if (!takesPart(contender, scenario)) continue;
          const worker = await RuntimeWorker.start(runtime, contender, bench.folder);
          const place = placeOf(scenario, port);
          const burst = await worker.ask<Burst>({ do: "burst", place, count: AT_ONCE });
          await worker.end();
          add(titleOf(contender, runtime), scenario, burst);
        }
      }
    }
  }
  const [base] = samples.values();
  const cell = (own: Map<string, Burst[]>, { name }: Scenario): string => {
    const bursts = own.get(name);
    if (bursts === undefined) return "–";
    const libpq = base?.get(name) ?? [];
    const of = (key: "wallUs" | "cpuUs"): string =>
      `${ratioOf(bursts.map((one) => one[key]), libpq.map((one) => one[key])).median.toFixed(2)} ` +
      `(${(median(bursts.map((one) => one[key])) / 1000).toFixed(0)} ms)`;
    const derivations = bursts.at(-1)?.derivations ?? -1;
    return `${of("wallUs")}, CPU ${of("cpuUs")}${derivations > 0 ? `, ${derivations} PBKDF2` : ""}`;
  };
  return {
    title: `${AT_ONCE} connects at once, cold`,
    legend:
      `Medians of ${rounds} fresh processes: ratio to libpq with one poll loop, wall and CPU. ` +
      `PBKDF2 runs are counted where they go through Web Crypto, and on ${
        bench.runtimes.filter(({ name }) => name.startsWith("node")).map(runtimeTitle).join(", ") ||
        "Node"
      } through node:crypto.`,
    tables: [{
      head: ["", ...COLD_SCENARIOS.map(({ name }) => name)],
      rows: [...samples].map(([who, own]) => [who, ...COLD_SCENARIOS.map((one) => cell(own, one))]),
    }],
    summary: COLD_SCENARIOS.map((scenario) => {
      const wall = (who: string): number | undefined => {
        const own = samples.get(who)?.get(scenario.name);
        const libpq = base?.get(scenario.name) ?? [];
        return own && ratioOf(own.map((one) => one.wallUs), libpq.map((one) => one.wallUs)).median;
      };
      const texts = (contender: ContenderName): readonly string[] =>
        bench.runtimes.map((runtime) => wall(titleOf(contender, runtime))?.toFixed(2) ?? "–");
      return {
        figure: `${AT_ONCE} at once, cold, ${scenario.name}`,
        ours: texts("ours, repeat"),
        floor: texts("raw, repeat"),
        peer: bestOf(
          bench.runtimes.flatMap((runtime) =>
            bench.contendersOn(runtime).filter(isPeer).flatMap((contender) => {
              const value = wall(titleOf(contender, runtime));
              return value === undefined ? [] : [[titleOf(contender, runtime), value] as const];
            })
          ),
        ),
      };
    }),
    data: [...samples].map(([who, own]) => ({ who, scenarios: Object.fromEntries(own) })),
  };
}
