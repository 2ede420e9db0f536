/** Runs `client.ts` on the runtime this runs on, in every way that one has to call the library. */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { execute } from "../support/execute.ts";
import type { GssConnect, GssResult, GssTask, GssWay } from "./client.ts";

/** The ways of this runtime. */
export function waysHere(): readonly GssWay[] {
  if ("Deno" in globalThis) return ["deno"];
  if ("Bun" in globalThis) return ["bun"];
  return process.getBuiltinModule?.("node:ffi") === undefined ? ["koffi"] : ["koffi", "node:ffi"];
}

const LIMIT_MS = 60_000;

/**
 * Runs connects one after the other in one process.
 *
 * @param environment Added to ours: where tickets and realms are.
 * @param permissions What Deno is given; elsewhere of no meaning.
 */
export async function runConnects(
  task: Omit<GssTask, "connects">,
  environment: Readonly<Record<string, string>>,
  connects: readonly GssConnect[],
  permissions: readonly string[] = ["-A"],
): Promise<readonly GssResult[]> {
  // Compiled tests are .js beside us, the others .ts.
  const file = import.meta.url.endsWith(".js") ? "./client.js" : "./client.ts";
  const script = fileURLToPath(new URL(file, import.meta.url));
  const flags = "Deno" in globalThis
    ? ["run", ...permissions, "--no-check", "--quiet", "--no-prompt"]
    : "Bun" in globalThis
    ? []
    : ["--no-warnings"];
  const argument = JSON.stringify({ ...task, connects } satisfies GssTask);
  // It ends itself by a signal, so that only its output tells how it went.
  const { output } = await execute(process.execPath, [...flags, script, argument], {
    environment: { ...process.env, ...environment },
    limitMs: LIMIT_MS,
  });
  const line = output.split("\n").find((one) => one.startsWith("["));
  if (line === undefined) throw new Error(`Cannot connect by ${task.way}: ${output}`);
  return JSON.parse(line) as readonly GssResult[];
}
