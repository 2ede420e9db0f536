/** Runs a program to its end. */
import { spawn } from "node:child_process";

/** How to run it. */
export interface ExecuteOptions {
  readonly cwd?: string;
  /** The whole environment; ours unless said. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** What to write to its standard input; nothing unless said. */
  readonly input?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** When to kill it, in milliseconds; never unless said. */
  readonly limitMs?: number;
  /** Through a shell, which Windows needs for programs that are scripts. */
  readonly shell?: boolean;
}

/** How it ended. */
export interface Outcome {
  readonly ok: boolean;
  /** The exit code; null if a signal ended it, as at the limit. */
  readonly code: number | null;
  /** All it wrote, to both outputs, in the order it came. */
  readonly output: string;
}

const GRACE_MS = 5_000;

/**
 * Runs a program and waits for its end, however it ends.
 *
 * @throws {Error} If it cannot be started at all.
 */
export async function execute(
  program: string,
  args: readonly string[],
  options: ExecuteOptions = {},
): Promise<Outcome> {
  const { environment, input = "", limitMs, ...rest } = options;
  const child = spawn(program, args, {
    ...rest,
    ...(environment === undefined ? {} : { env: { ...environment } }),
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    const decoder = new TextDecoder();
    stream.on("data", (chunk: Uint8Array) => output += decoder.decode(chunk, { stream: true }));
  }
  // A program that does not read its input closes the pipe, which is no failure of it.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  // Asked first, as what it has started itself is ended by it, if by anybody.
  const ask = (): void => void child.kill("SIGTERM");
  const force = (): void => {
    child.kill("SIGKILL");
    // Its children may hold the other ends.
    for (const stream of [child.stdout, child.stderr]) stream.destroy();
  };
  const timers = limitMs === undefined
    ? []
    : [setTimeout(ask, limitMs), setTimeout(force, limitMs + GRACE_MS)];
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  }).finally(() => timers.forEach(clearTimeout));
  return { ok: code === 0, code, output };
}

/**
 * Runs a program that must end well.
 *
 * @returns All it wrote.
 * @throws {Error} `Cannot <purpose>: ...` with all it wrote.
 */
export async function executeOrThrow(
  purpose: string,
  program: string,
  args: readonly string[],
  options: ExecuteOptions = {},
): Promise<string> {
  const { ok, output } = await execute(program, args, options);
  if (!ok) throw new Error(`Cannot ${purpose}: it said\n${output}`);
  return output;
}
