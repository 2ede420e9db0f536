/** A child process that answers each line with a line. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";

/** How to start it. */
export interface LineProcessOptions {
  readonly environment?: Readonly<Record<string, string>>;
}

export class LineProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #waiting: { resolve(line: string): void; reject(error: Error): void }[] = [];
  /** Lines nobody waited for yet. */
  readonly #early: string[] = [];
  #complaints = "";
  #ended = false;

  /** @param name For errors. */
  constructor(
    name: string,
    program: string,
    args: readonly string[],
    options: LineProcessOptions = {},
  ) {
    this.#name = name;
    const { environment } = options;
    this.#child = spawn(program, args, { env: { ...globalThis.process.env, ...environment } });
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new TypeError("A spawned process has pipes");
    this.#lines = createInterface({ input: stdout });
    this.#lines.on("line", (line) => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#early.push(line);
      else next.resolve(line);
    });
    stderr.on("data", (chunk) => this.#complaints += String(chunk));
    this.#child.on("error", (error) => this.#fail(error));
    this.#child.on("close", () => {
      this.#ended = true;
      this.#fail(new Error(`"${this.#name}" has ended: ${this.#complaints.slice(-2000)}`));
    });
  }

  /** What it says next without being asked. */
  line(): Promise<string> {
    return new Promise((resolve, reject) => {
      const line = this.#early.shift();
      if (line !== undefined) resolve(line);
      else if (this.#ended) reject(new Error(`"${this.#name}" has ended: ${this.#complaints}`));
      else this.#waiting.push({ resolve, reject });
    });
  }

  /**
   * Writes a line and waits for the answer, as JSON.
   *
   * @throws {Error} With what the process complained about, if it ends instead.
   */
  async ask<Answer>(line: string): Promise<Answer> {
    this.#child.stdin?.write(`${line}\n`);
    const answer = await this.line();
    try {
      return JSON.parse(answer) as Answer;
    } catch (cause) {
      throw new Error(`"${this.#name}" said "${answer}", which is no JSON`, { cause });
    }
  }

  /** Ends it and waits. */
  async end(): Promise<void> {
    if (this.#ended) return;
    const ended = new Promise<void>((resolve) => this.#child.on("close", () => resolve()));
    this.#child.stdin?.end();
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), 2000);
    await ended;
    clearTimeout(kill);
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
