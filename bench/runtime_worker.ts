/** Starts `worker.ts` on a runtime. */
import { join } from "node:path";
import { certificatePath } from "../tests/support/certificates.ts";
import type { Runtime } from "../tests/support/runtimes.ts";
import type { ContenderName } from "./contenders/table.ts";
import { LineProcess } from "./line_process.ts";
import type { Order } from "./orders.ts";

/** Deno's own TLS takes roots beside the system's from here alone. */
export const DENO_ENVIRONMENT: Readonly<Record<string, string>> = {
  DENO_CERT: certificatePath("ca.crt"),
  DENO_NO_UPDATE_CHECK: "1",
};

/** A process of one runtime with one contender loaded. */
export class RuntimeWorker {
  readonly #process: LineProcess;

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  /** @param folder Where {@link buildPrograms} has put `worker.mjs`. */
  static async start(
    runtime: Runtime,
    contender: ContenderName,
    folder: string,
  ): Promise<RuntimeWorker> {
    const args = [...flagsOf(runtime), join(folder, "worker.mjs")];
    const name = `${contender} on ${runtime.name}`;
    const worker = new RuntimeWorker(
      new LineProcess(name, runtime.executable, args, { environment: DENO_ENVIRONMENT }),
    );
    await worker.ask({ do: "load", contender });
    return worker;
  }

  ask<Answer>(order: Order): Promise<Answer> {
    return this.#process.ask(JSON.stringify(order));
  }

  end(): Promise<void> {
    return this.#process.end();
  }
}

/** What stands between the runtime's name and a script's, for programs that collect garbage. */
export function flagsOf(runtime: Runtime): readonly string[] {
  switch (runtime.name) {
    case "deno":
      return [...plainFlagsOf(runtime), "--v8-flags=--expose-gc"];
    case "bun":
      return [];
    case "node-20":
    case "node-26":
      return ["--expose-gc"];
  }
}

/** The same as users have it: with flags for V8, Deno would not use what it compiled before. */
export function plainFlagsOf({ name }: Runtime): readonly string[] {
  return name === "deno" ? ["run", "--quiet", "--no-check", "-A"] : [];
}
