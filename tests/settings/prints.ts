import { format, inspect } from "node:util";

/** Every way a runtime this test runs on prints a value. */
export function prints(value: unknown): readonly string[] {
  const runtime = globalThis as unknown as {
    Deno?: { inspect(value: unknown, options?: object): string };
    Bun?: { inspect(value: unknown): string };
  };
  return [
    String(value),
    `${value}`,
    JSON.stringify(value),
    JSON.stringify({ value }),
    inspect(value),
    inspect(value, { depth: null, showHidden: true, getters: true, customInspect: false }),
    inspect({ deep: { value } }, { depth: null }),
    format("%s %o %O %j", value, value, value, value),
    runtime.Deno?.inspect(value) ?? "",
    runtime.Deno?.inspect({ value }, { depth: 9, showHidden: true }) ?? "",
    runtime.Bun?.inspect(value) ?? "",
    runtime.Bun?.inspect({ value }) ?? "",
  ];
}
