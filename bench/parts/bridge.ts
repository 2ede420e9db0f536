import { join } from "node:path";
import { certificateText } from "../../tests/support/certificates.ts";
import { executeOrThrow } from "../../tests/support/execute.ts";
import { SCRAM_PASSWORD } from "../../tests/support/postgres.ts";
import { type Bench, type PartResult, runtimeTitle } from "../bench.ts";
import type { BridgeSample, BridgeTask } from "../bridge_client.ts";
import { flagsOf } from "../runtime_worker.ts";
import { median, ratioOf, type Spread } from "../statistics.ts";

const ROUNDS = 7;
const QUICK_ROUNDS = 1;

/** pg and postgres.js over a bridge, beside the same driver alone: a large result, and small queries in turn. */
export async function measureBridge(bench: Bench): Promise<PartResult> {
  const rounds = bench.options.quick ? QUICK_ROUNDS : ROUNDS;
  const task: BridgeTask = {
    port: bench.servers.get(18)?.port ?? 0,
    user: "scram_user",
    password: SCRAM_PASSWORD,
    roots: certificateText("ca.crt"),
    rounds,
  };
  const data: { runtime: string; samples: readonly BridgeSample[] }[] = [];
  for (const runtime of bench.runtimes) {
    bench.progress(`bridge: ${runtimeTitle(runtime)}`);
    const program = join(bench.folder, "bridge_client.mjs");
    const args = [...flagsOf(runtime), program, JSON.stringify(task)];
    const printed = await executeOrThrow("measure the bridges", runtime.executable, args);
    const line = printed.split("\n").find((one) => one.startsWith("[")) ?? "";
    const samples = JSON.parse(line) as readonly BridgeSample[];
    data.push({ runtime: runtimeTitle(runtime), samples });
  }
  return {
    title: "Drivers over a bridge",
    legend:
      `Medians of ${rounds} rounds, driver and bridge in turn, a result of 100 MB and one small query of 400: the ratio is ` +
      "the speed over the bridge by that of the driver alone in the same round (quartiles); more is faster.",
    tables: [{
      head: ["", "100 MB, MB/s: alone", "bridge", "ratio", "query, µs: alone", "bridge", "ratio"],
      rows: data.flatMap(({ runtime, samples }) =>
        [...new Set(samples.map(({ way }) => way))].map((way) => [
          `${way}, ${runtime}`,
          ...cells(samples.filter((one) => one.way === way)),
        ])
      ),
    }],
    summary: ["megabytesPerS", "queryUs"].map((figure) => ({
      figure: figure === "queryUs"
        ? "pg over a bridge, small queries, against pg alone"
        : "pg over a bridge, 100 MB, against pg alone",
      ours: data.map(({ samples }) => {
        const own = cells(samples.filter(({ way }) => way === "pg"));
        return own[figure === "queryUs" ? 5 : 2] ?? "–";
      }),
      floor: ["–"],
      peer: "1",
    })),
    data,
  };
}

function cells(samples: readonly BridgeSample[]): readonly string[] {
  const of = (
    contender: BridgeSample["contender"],
    figure: "megabytesPerS" | "queryUs",
  ): readonly number[] =>
    samples.filter((one) => one.contender === contender).map((one) => one[figure]);
  const large = [of("alone", "megabytesPerS"), of("bridge", "megabytesPerS")] as const;
  const small = [of("alone", "queryUs"), of("bridge", "queryUs")] as const;
  return [
    ...large.map((speeds) => median(speeds).toFixed(0)),
    ratioText(ratioOf(large[1], large[0])),
    ...small.map((times) => median(times).toFixed(0)),
    ratioText(ratioOf(small[0], small[1])),
  ];
}

function ratioText({ median: middle, low, high }: Spread): string {
  return `${middle.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}
