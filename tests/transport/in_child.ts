/** Runs the TLS part of the contract in a child process and registers its tests here. */
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { ChildResult } from "./child.ts";
import type { Register } from "./contract.ts";

/**
 * @param adapter `node`, `deno` or `bun`.
 * @param environment Added to our own.
 * @param register Takes each test of the child, and one that says whether the child came to its end.
 */
export async function contractTestsInChild(
  adapter: string,
  environment: Readonly<Record<string, string>>,
  register: Register,
): Promise<void> {
  const under = Object.keys(environment).filter((name) => !name.startsWith("TRANSPORT_")).join(
    ", ",
  );
  const { results, exit, stderr } = await runChild(adapter, environment);
  for (const { title, error } of results) {
    register(`${title} (${under})`, () => {
      if (error === null) return Promise.resolve();
      return Promise.reject(new Error(error));
    });
  }
  register(`${adapter}: the tests under ${under} came to their end`, () => {
    if (exit === 0 && results.length > 0) return Promise.resolve();
    return Promise.reject(new Error(`the child ended with ${exit}: ${stderr}`));
  });
}

function runChild(
  adapter: string,
  environment: Readonly<Record<string, string>>,
): Promise<{ results: readonly ChildResult[]; exit: number | null; stderr: string }> {
  // Compiled tests are .js beside us, the others .ts.
  const script = new URL(
    import.meta.url.endsWith(".js") ? "./child.js" : "./child.ts",
    import.meta.url,
  );
  const runtime = "Deno" in globalThis ? ["run", "-A", "--no-check", "--quiet"] : [];
  const child = spawn(process.execPath, [...runtime, fileURLToPath(script), adapter], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("close", (exit) => {
      const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
      done({ results: lines.map((line) => JSON.parse(line) as ChildResult), exit, stderr });
    });
  });
}
