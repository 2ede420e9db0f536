import { join } from "node:path";
import { executeOrThrow } from "../../tests/support/execute.ts";
import { type Bench, type PartResult, runtimeTitle } from "../bench.ts";
import type { DecodeSamples } from "../decode_worker.ts";
import { flagsOf } from "../runtime_worker.ts";
import { median, ratioOf } from "../statistics.ts";

/** Framing beside a bare walk over the headers, and decoding every field beside pg-protocol. */
export async function measureDecode(bench: Bench): Promise<PartResult> {
  const data: { runtime: string; samples: DecodeSamples }[] = [];
  for (const runtime of bench.runtimes) {
    bench.progress(`decode: ${runtimeTitle(runtime)}`);
    const program = join(bench.folder, "decode_worker.mjs");
    const args = [...flagsOf(runtime), program, String(bench.options.rounds)];
    const printed = await executeOrThrow("measure decoding", runtime.executable, args);
    const line = printed.split("\n").find((one) => one.startsWith("{")) ?? "";
    data.push({ runtime: runtimeTitle(runtime), samples: JSON.parse(line) as DecodeSamples });
  }
  return {
    title: "Decoding",
    legend:
      "100 000 messages in chunks of 64 KiB. Speed against the walk and against pg-protocol: more is faster.",
    tables: [{
      head: [
        "",
        "walk, MB/s",
        "framing, MB/s",
        "/ walk",
        "decoding, MB/s",
        "pg-protocol, MB/s",
        "/ pg-protocol",
      ],
      rows: data.map(({ runtime, samples }) => {
        const { octets, walk, frame, decode, pgProtocol } = samples;
        const speed = (ms: readonly number[]): string => (octets / median(ms) / 1000).toFixed(0);
        const ratio = (own: readonly number[], base: readonly number[]): string =>
          ratioOf(base, own).median.toFixed(2);
        return [
          runtime,
          speed(walk),
          speed(frame),
          ratio(frame, walk),
          speed(decode),
          speed(pgProtocol),
          ratio(decode, pgProtocol),
        ];
      }),
    }],
    summary: [
      ["framing, against a walk over the headers", "frame", "walk"] as const,
      ["decoding every field, against pg-protocol", "decode", "pgProtocol"] as const,
    ].map(([figure, own, base]) => ({
      figure,
      ours: data.map(({ samples }) => ratioOf(samples[base], samples[own]).median.toFixed(2)),
      floor: ["–"],
      peer: "1",
    })),
    data,
  };
}
