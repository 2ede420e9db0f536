import {
  type Bench,
  bestOf,
  isPeer,
  type PartResult,
  type SummaryRow,
  type Table,
  titleOf,
} from "../bench.ts";
import type { ContenderName } from "../contenders/table.ts";
import type { Batch } from "../orders.ts";
import { RuntimeWorker } from "../runtime_worker.ts";
import { conninfoOf, placeOf, type Scenario, SCENARIOS, takesPart } from "../scenarios.ts";
import { median, ratioOf, type Spread, spreadOf } from "../statistics.ts";

/** Somebody who connects in batches. */
interface Runner {
  readonly title: string;
  takesPart(scenario: Scenario): boolean;
  run(scenario: Scenario, count: number): Promise<Batch>;
  end(): Promise<void>;
}

/** What one runner took in one scenario: a value a round, in microseconds. */
interface Series {
  readonly runner: string;
  readonly scenario: string;
  readonly readyUs: number[];
  readonly totalUs: number[];
  readonly cpuUs: number[];
}

/** Rounds that only make the compilers warm: what a process does a hundred times is compiled by then. */
const WARM_UP = 10;
const QUICK_WARM_UP = 2;
const FIGURES = ["readyUs", "cpuUs", "totalUs"] as const;
const SHORT_TITLES = { readyUs: "latency", cpuUs: "CPU" } as const;
const TITLES = { readyUs: "latency to ReadyForQuery", cpuUs: "client CPU", totalUs: "with close" };

/** Sequential connects of everybody, batch by batch in turn. */
export async function measureLatency(bench: Bench): Promise<PartResult> {
  const { rounds, batch, quick } = bench.options;
  const runners = await startRunners(bench);
  const series = new Map<string, Series>();
  try {
    for (let round = quick ? -QUICK_WARM_UP : -WARM_UP; round < rounds; round++) {
      bench.progress(`latency: round ${round + 1} of ${rounds}`);
      for (const scenario of SCENARIOS) {
        const all = runners.filter((one) => one.takesPart(scenario));
        // Who comes first changes every round: it has the colder caches.
        const shift = Math.abs(round) % all.length;
        for (const runner of [...all.slice(shift), ...all.slice(0, shift)]) {
          const result = await runner.run(scenario, batch);
          if (round >= 0) add(series, runner, scenario, result);
        }
      }
    }
  } finally {
    for (const runner of runners) await runner.end();
  }
  const all = [...series.values()];
  return {
    title: "Sequential connects",
    legend:
      `Medians of ${rounds} rounds of ${batch} connects, everybody in turn: ratio to libpq in the same ` +
      "round (quartiles), and microseconds. The base is the first libpq that knows the scenario.",
    tables: FIGURES.map((figure) => tableOf(figure, runners, all)),
    summary: summaryOf(bench, all),
    data: all,
  };
}

/** What a connect costs that knows nothing, and one that repeats, where that makes a difference. */
function summaryOf(bench: Bench, all: readonly Series[]): readonly SummaryRow[] {
  return (["readyUs", "cpuUs"] as const).flatMap((figure) =>
    SCENARIOS.flatMap((scenario) => {
      const of = (runner: string): number | undefined => {
        const own = all.find((one) => one.runner === runner && one.scenario === scenario.name);
        const base = all.find((one) => one.scenario === scenario.name);
        return own && base && ratioOf(own[figure], base[figure]).median;
      };
      const texts = (contender: ContenderName): readonly string[] =>
        bench.runtimes.map((runtime) => of(titleOf(contender, runtime))?.toFixed(2) ?? "–");
      const peer = bestOf(bench.runtimes.flatMap((runtime) =>
        bench.contendersOn(runtime).filter(isPeer).flatMap((contender) => {
          const value = of(titleOf(contender, runtime));
          return value === undefined ? [] : [[titleOf(contender, runtime), value] as const];
        })
      ));
      const row = (
        note: string,
        ours: ContenderName,
        floor: ContenderName,
      ): readonly SummaryRow[] =>
        takesPart(ours, scenario)
          ? [{
            figure: `${SHORT_TITLES[figure]}, ${scenario.name}${note}`,
            ours: texts(ours),
            floor: texts(floor),
            peer,
          }]
          : [];
      return [
        ...row("", "ours", "raw"),
        ...(scenario.password === undefined ? [] : [
          ...row(", repeat", "ours, repeat", "raw, repeat"),
          ...row(", repeat, unbound", "ours, unbound, repeat", "raw, repeat"),
        ]),
      ];
    })
  );
}

async function startRunners(bench: Bench): Promise<readonly Runner[]> {
  const server = bench.servers.get(18);
  if (server === undefined) throw new TypeError("There is no server to measure with");
  const { port } = server;
  const runners: Runner[] = [];
  for (const libpq of bench.libpqs) {
    const process = await libpq.start();
    runners.push({
      title: libpq.title,
      takesPart: ({ encryption }) => encryption !== "direct" || libpq.version >= 170_000,
      run: (scenario, count) => process.ask(`batch ${count} ${conninfoOf(scenario, port)}`),
      end: () => process.end(),
    });
  }
  for (const runtime of bench.runtimes) {
    for (const contender of bench.contendersOn(runtime)) {
      const worker = await RuntimeWorker.start(runtime, contender, bench.folder);
      runners.push({
        title: titleOf(contender, runtime),
        takesPart: (scenario) => takesPart(contender, scenario),
        run: (scenario, count) =>
          worker.ask({ do: "batch", place: placeOf(scenario, port), count }),
        end: () => worker.end(),
      });
    }
  }
  return runners;
}

function add(
  series: Map<string, Series>,
  runner: Runner,
  { name: scenario }: Scenario,
  result: Batch,
): void {
  const id = `${runner.title} ${scenario}`;
  let one = series.get(id);
  if (one === undefined) {
    one = { runner: runner.title, scenario, readyUs: [], totalUs: [], cpuUs: [] };
    series.set(id, one);
  }
  one.readyUs.push(median(result.readyUs));
  one.totalUs.push(median(result.totalUs));
  one.cpuUs.push(result.cpuUs);
}

function tableOf(
  figure: typeof FIGURES[number],
  runners: readonly Runner[],
  all: readonly Series[],
): Table {
  const rows = runners.map(({ title }) => [
    title,
    ...SCENARIOS.map(({ name }) => {
      const own = all.find((one) => one.runner === title && one.scenario === name);
      const base = all.find((one) => one.scenario === name);
      if (own === undefined || base === undefined) return "–";
      return cell(ratioOf(own[figure], base[figure]), spreadOf(own[figure]));
    }),
  ]);
  return { head: [TITLES[figure], ...SCENARIOS.map(({ name }) => name)], rows };
}

function cell(ratio: Spread, { median }: Spread): string {
  const spread = ratio.low === ratio.high
    ? ""
    : ` (${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)})`;
  return `${ratio.median.toFixed(2)}${spread}, ${median.toFixed(0)}`;
}
