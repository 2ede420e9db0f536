/** A server program that runs unprivileged on loopback and does not outlive the process that started it. */
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { delimiter, join } from "node:path";
import process from "node:process";
import { after } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { MachineUnavailable } from "./machines.ts";
import { busyFolders, identity, temporaryFolder } from "./postgres_programs.ts";
import { tellEnded, WATCHED_START } from "./watchdog.ts";

/** What to start, and how to tell that it runs. */
export interface ProgramOptions {
  /** How a person calls it; part of its folder's name. */
  readonly name: string;
  readonly executable: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** What the log says once connections are served, or that they are taken at all. */
  readonly ready: RegExp | "listens";
  /** What ends it at once and in order. */
  readonly signal: "SIGINT" | "SIGTERM";
  /** Writes its files and gives its arguments; called anew with another port if that one is taken. */
  prepare(folder: string, port: number): readonly string[] | Promise<readonly string[]>;
}

/** A program that runs. */
export interface Program {
  /** On 127.0.0.1. */
  readonly port: number;
  /** Its own folder, removed with it. */
  readonly folder: string;
  /** All it has written so far, to both outputs. */
  log(): string;
  /** Settles once the log holds what is looked for; rejects if the program ends before. */
  logged(pattern: RegExp): Promise<void>;
  /** Ends it and removes its folder. May be called again. */
  stop(): Promise<void>;
}

/** What was started, or why it could not be. */
export interface Started<Thing> {
  /** For the option `skip` of a test: false, or why it cannot run. */
  readonly skip: string | false;
  /** What was started; throws if `skip` is not false. */
  get(): Thing;
}

/** Below the range the kernel takes ports of clients from, which would collide now and then. */
const PORTS = { from: 15_000, to: 32_000 } as const;
const ATTEMPTS = 20;
const TAKEN = /Address already in use/i;
/** Ending takes milliseconds; what hangs is cut short after this. */
const SHUTDOWN_MS = 10_000;
const POLL_MS = 20;
/** Where Debian puts servers, which is not on everybody's PATH. */
const SERVER_FOLDERS = ["/usr/sbin", "/usr/local/sbin"] as const;

/**
 * Starts what a test file needs and stops it after the file's tests. What this machine lacks becomes the reason to skip;
 * every other error is thrown. Call it at the top of a test file.
 */
export async function startIfPossible<Thing extends { stop(): Promise<void> }>(
  start: () => Promise<Thing>,
): Promise<Started<Thing>> {
  try {
    const thing = await start();
    after(() => thing.stop());
    return { skip: false, get: () => thing };
  } catch (error) {
    if (!(error instanceof MachineUnavailable)) throw error;
    const reason = error.message;
    return {
      skip: reason,
      get: () => {
        throw new Error(`Cannot test: ${reason}`);
      },
    };
  }
}

/**
 * The path of a program of a Debian package.
 *
 * @param packageName Where its name is another.
 * @throws {MachineUnavailable} If it is not installed.
 */
export function debianProgram(name: string, packageName: string = name): string {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...SERVER_FOLDERS];
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (found === undefined) throw new MachineUnavailable(`needs the Debian package ${packageName}`);
  return found;
}

/** A port of 127.0.0.1 nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to);
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.on("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/**
 * Starts a program and waits until it serves.
 *
 * @throws {Error} With its log, if it does not start.
 */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  for (let attempt = 1;; attempt++) {
    const port = await freePort();
    const folder = temporaryFolder(options.name);
    const args = await options.prepare(folder, port);
    const watched = new Watched(options, folder, args);
    if (await watched.serves(port)) {
      return {
        port,
        folder,
        log: () => watched.log,
        logged: (pattern) => watched.logged(pattern),
        stop: () => watched.stop(),
      };
    }
    await watched.stop();
    if (!TAKEN.test(watched.log) || attempt === ATTEMPTS) {
      throw new Error(`Cannot start ${options.name}: it said\n${watched.log}`);
    }
  }
}

/** The process, its log and its end. */
class Watched {
  readonly #options: ProgramOptions;
  readonly #folder: string;
  readonly #child: ReturnType<typeof spawn>;
  readonly #exited: Promise<void>;
  readonly #drained: Promise<unknown>;
  #watchers: (() => void)[] = [];
  #log = "";
  #ended = false;

  constructor(options: ProgramOptions, folder: string, args: readonly string[]) {
    busyFolders.add(folder);
    this.#options = options;
    this.#folder = folder;
    const { executable, signal } = options;
    const script = ["-c", WATCHED_START, "sh", folder, signal.slice(3), executable, ...args];
    const child = spawn("/bin/sh", script, {
      ...identity,
      cwd: folder,
      env: { PATH: "/usr/bin:/bin", ...options.environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    // A program that ends by itself closes the pipe under us, which is no error of the test.
    child.stdin.on("error", () => {});
    this.#exited = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", () => {
        this.#ended = true;
        tellEnded(child.stdin);
        resolve();
      });
    });
    this.#drained = Promise.all([child.stdout, child.stderr].map((stream) => {
      const decoder = new TextDecoder();
      stream.on("data", (chunk: Uint8Array) => {
        this.#log += decoder.decode(chunk, { stream: true });
        for (const look of this.#watchers) look();
      });
      return new Promise<void>((resolve) => stream.on("end", resolve));
    }));
  }

  get log(): string {
    return this.#log;
  }

  /** False if it ended instead. */
  async serves(port: number): Promise<boolean> {
    const { ready } = this.#options;
    if (ready !== "listens") {
      const said = this.logged(ready).then(() => true, () => false);
      return await Promise.race([said, this.#exited.then(() => this.#drained).then(() => false)]);
    }
    while (!this.#ended) {
      if (await isTaken(port)) return true;
      await delay(POLL_MS);
    }
    await this.#drained;
    return false;
  }

  logged(pattern: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(this.#log)) return;
        this.#watchers = this.#watchers.filter((one) => one !== look);
        resolve();
      };
      this.#watchers.push(look);
      look();
      this.#drained.then(() => reject(new Error(`Cannot find ${pattern} in the log: it ended`)));
    });
  }

  async stop(): Promise<void> {
    if (!this.#ended) this.#child.kill(this.#options.signal);
    const timer = setTimeout(() => this.#child.kill("SIGQUIT"), SHUTDOWN_MS);
    await this.#exited;
    this.#child.stdin?.end();
    clearTimeout(timer);
    busyFolders.delete(this.#folder);
    // The watchdog removes the folder too; whoever comes first leaves nothing for the other.
    while (existsSync(this.#folder)) {
      rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
      await delay(5);
    }
  }
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(port, "127.0.0.1");
    probe.on("connect", () => resolve(true));
    probe.on("error", () => resolve(false));
    probe.on("close", () => probe.destroy());
    probe.on("connect", () => probe.destroy());
  });
}
