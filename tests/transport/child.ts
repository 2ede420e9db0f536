/**
 * Runs the TLS part of the contract in a process of its own, as environment variables about trust are read at its
 * start: `child.ts <adapter>`. Prints one line of JSON a test.
 */
import process from "node:process";
import type { Adapter } from "../../src/transport/transport.ts";
import { contractTests } from "./contract.ts";

/** What is printed about a test. */
export interface ChildResult {
  readonly title: string;
  /** Why it failed; null if it passed. */
  readonly error: string | null;
}

async function load(name: string | undefined): Promise<Adapter> {
  switch (name) {
    case "node":
      return (await import("../../src/transport/node.ts")).nodeAdapter;
    case "deno":
      return (await import("../../src/transport/deno.ts")).denoAdapter;
    case "bun":
      return (await import("../../src/transport/bun.ts")).bunAdapter;
    default:
      throw new Error(`Cannot test adapter "${name}": it must be node, deno or bun`);
  }
}

const tests: { readonly title: string; readonly run: () => Promise<void> }[] = [];
contractTests(await load(process.argv[2]), (title, run) => tests.push({ title, run }), ["tls"]);
for (const { title, run } of tests) {
  let error: string | null = null;
  try {
    await run();
  } catch (caught) {
    error = caught instanceof Error ? caught.stack ?? caught.message : String(caught);
  }
  const result: ChildResult = { title, error };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
process.exit(0);
