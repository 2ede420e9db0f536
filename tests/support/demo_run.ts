/** Runs the demo's client on one runtime and collects what it says. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type {
  DemoLine,
  DemoTask,
  FailureLine,
  RefusalLine,
  SessionLine,
  TraceLine,
} from "./demo_report.ts";
import { repositoryRoot } from "./repository.ts";
import type { Runtime } from "./runtimes.ts";

/** What one runtime did. */
export interface ClientReport {
  /** As a person calls it: "Deno 2.9.6". */
  readonly title: string;
  readonly sessions: ReadonlyMap<string, SessionLine>;
  readonly refusals: ReadonlyMap<string, RefusalLine>;
  readonly trace: readonly TraceLine[];
  /** What should not have happened; empty if all went well. */
  readonly failures: readonly FailureLine[];
}

/** All of it takes two seconds on a slow computer. */
const PATIENCE_MS = 60_000;
const TITLES: Readonly<Record<Runtime["name"], string>> = {
  "deno": "Deno",
  "bun": "Bun",
  "node-20": "Node",
  "node-26": "Node",
};
const running = new Set<ChildProcess>();

/** As a person calls it: "Deno 2.9.6". */
export function titleOf(runtime: Runtime): string {
  return `${TITLES[runtime.name]} ${runtime.version}`;
}

/** Ends every client that still runs. */
export function stopClients(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** Runs the client to its end. That it fails is part of the report. */
export async function runClient(runtime: Runtime, task: DemoTask): Promise<ClientReport> {
  const flags = runtime.name === "deno" ? ["run", "--quiet", "--no-check", "-A"] : [];
  const client = join(repositoryRoot(), "tests", "support", "demo_client.ts");
  const child = spawn(runtime.executable, [...flags, client, JSON.stringify(task)], {
    cwd: repositoryRoot(),
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  const lines: DemoLine[] = [];
  let complaints = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("{")) lines.push(JSON.parse(line) as DemoLine);
    else complaints += `${line}\n`;
  });
  child.stderr.on("data", (chunk: Uint8Array) => complaints += new TextDecoder().decode(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  clearTimeout(timer);
  running.delete(child);
  return sorted(titleOf(runtime), lines, code === 0 ? "" : `it ended with ${code}\n${complaints}`);
}

function sorted(title: string, lines: readonly DemoLine[], complaints: string): ClientReport {
  const sessions = new Map<string, SessionLine>();
  const refusals = new Map<string, RefusalLine>();
  const trace: TraceLine[] = [];
  const failures: FailureLine[] = [];
  for (const line of lines) {
    if (line.kind === "session") sessions.set(line.id, line);
    else if (line.kind === "refusal") refusals.set(line.id, line);
    else if (line.kind === "trace") trace.push(line);
    else failures.push(line);
  }
  if (complaints !== "") failures.push({ kind: "failure", id: "the client", message: complaints });
  return { title, sessions, refusals, trace, failures };
}
