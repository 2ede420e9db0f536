import type { ForeignThread, Signatures } from "./foreign.ts";

/** The part of `node:worker_threads` we use, on Bun and Node alike. */
interface WorkerThreads {
  readonly Worker: new (
    source: string,
    options: { readonly eval: true; readonly workerData: unknown },
  ) => OffloadWorker;
}

interface OffloadWorker {
  on(event: "message", listener: (answer: { result?: number; error?: string }) => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  on(event: "exit", listener: () => void): unknown;
  postMessage(message: unknown): void;
  ref(): void;
  unref(): void;
}

/**
 * What runs on the other thread: it opens the library once more, which is the same memory in the same process, and calls
 * what it is told by name. A text and no module, so that it is found however this package is installed or bundled.
 */
const SOURCE = `
const { parentPort, workerData } = require("node:worker_threads");
const { ffi, path, symbols, types } = workerData;
const library = process.getBuiltinModule(ffi).dlopen(path, symbols);
const functions = library.symbols ?? library.functions ?? library;
parentPort.on("message", ({ name, args }) => {
  try {
    const given = args.map((arg, index) => types[name][index] === "u32" ? Number(arg) : arg);
    parentPort.postMessage({ result: Number(functions[name](...given)) });
  } catch (error) {
    parentPort.postMessage({ error: String(error) });
  }
});
`;

/** How the other thread opens the library. */
export interface OffloadOptions {
  /** The runtime's module: "bun:ffi" or "node:ffi". */
  readonly ffi: "bun:ffi" | "node:ffi";
  readonly path: string;
  /** What that module's `dlopen` is given. */
  readonly symbols: unknown;
  readonly signatures: Signatures;
}

/**
 * Threads for a runtime whose foreign functions hold up the thread that calls them. A thread that is given back serves
 * the next; a call that waits for a KDC that is dead keeps nobody else waiting.
 */
export class Offload {
  readonly #options: OffloadOptions;
  readonly #threads: WorkerThreads;
  #idle: OffloadThread | undefined;

  /**
   * @param options How a thread opens the library.
   */
  constructor(options: OffloadOptions) {
    this.#options = options;
    const found = builtin("node:worker_threads");
    this.#threads = found as WorkerThreads;
  }

  /** A thread that nobody else uses until it is released. */
  open(): ForeignThread {
    const thread = this.#idle ?? this.#start();
    this.#idle = undefined;
    return thread;
  }

  #start(): OffloadThread {
    const { ffi, path, symbols, signatures } = this.#options;
    const workerData = { ffi, path, symbols, types: signatures };
    const worker = new this.#threads.Worker(SOURCE, { eval: true, workerData });
    return new OffloadThread(worker, (thread) => {
      // One is kept; its twin ends with it.
      if (this.#idle === undefined && thread.alive) this.#idle = thread;
      else thread.end();
    });
  }
}

interface Waiter {
  readonly resolve: (result: number) => void;
  readonly reject: (error: unknown) => void;
}

/** One worker, which keeps the process alive only while it works. */
class OffloadThread implements ForeignThread {
  readonly #worker: OffloadWorker & { terminate(): unknown };
  readonly #giveBack: (thread: OffloadThread) => void;
  #waiter: Waiter | undefined;
  #failure: Error | undefined;

  constructor(worker: OffloadWorker, giveBack: (thread: OffloadThread) => void) {
    this.#worker = worker as OffloadWorker & { terminate(): unknown };
    this.#giveBack = giveBack;
    worker.unref();
    worker.on("message", ({ result, error }) => {
      if (result === undefined) this.#settle((waiter) => waiter.reject(new Error(error)));
      else this.#settle((waiter) => waiter.resolve(result));
    });
    worker.on("error", (cause) => this.#fail(cause));
    worker.on("exit", () => this.#fail(undefined));
  }

  get alive(): boolean {
    return this.#failure === undefined;
  }

  call(name: string, args: readonly bigint[]): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      if (this.#waiter !== undefined) return reject(new Error("a call is under way already"));
      this.#waiter = { resolve, reject };
      this.#worker.ref();
      this.#worker.postMessage({ name, args });
    });
  }

  release(): void {
    this.#giveBack(this);
  }

  end(): void {
    this.#worker.terminate();
  }

  #settle(how: (waiter: Waiter) => void): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    this.#worker.unref();
    if (waiter !== undefined) how(waiter);
  }

  #fail(cause: unknown): void {
    this.#failure ??= new Error("the thread that calls the library has ended", { cause });
    const failure = this.#failure;
    this.#settle((waiter) => waiter.reject(failure));
  }
}

/** A module of the runtime; undefined where it has none of that name. */
export function builtin(name: string): unknown {
  const { process } = globalThis as unknown as {
    process?: { getBuiltinModule?(name: string): unknown };
  };
  return process?.getBuiltinModule?.(name);
}
