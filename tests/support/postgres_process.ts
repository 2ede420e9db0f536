/** One process of PostgreSQL that does not outlive the process that started it. */
import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { busyFolders, identity, type PostgresPrograms } from "./postgres_programs.ts";
import { tellEnded, WATCHED_START } from "./watchdog.ts";

/** A server that was started, successfully or not. */
export interface WatchedServer {
  /** False if it ended instead; `log` says why. */
  readonly ready: boolean;
  /** All it has logged so far. */
  log(): string;
  /** Settles once the log holds what is looked for; rejects if the server ends before. */
  logged(pattern: RegExp): Promise<void>;
  /** Ends every session and the server, and removes its folder. May be called again. */
  stop(): Promise<void>;
}

const READY = "database system is ready to accept connections";
/** A fast shutdown takes 10 ms; one that hangs is cut short after this. */
const SHUTDOWN_MS = 10_000;

/**
 * Starts `postgres` and waits until it is ready or has ended.
 *
 * @param folder Removed once the server is gone.
 */
export async function startWatched(
  programs: PostgresPrograms,
  folder: string,
  args: readonly string[],
): Promise<WatchedServer> {
  busyFolders.add(folder);
  const watched = ["-c", WATCHED_START, "sh", folder, "INT", programs.postgres, ...args];
  const child = spawn("/bin/sh", watched, {
    ...identity,
    cwd: folder,
    env: { PATH: "/usr/bin:/bin", ...programs.environment },
    stdio: ["pipe", "ignore", "pipe"],
  });
  let log = "";
  let ended = false;
  let watchers: (() => void)[] = [];
  const decoder = new TextDecoder();
  const exited = new Promise<void>((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", () => {
      ended = true;
      tellEnded(child.stdin);
      resolve();
    });
  });
  const drained = new Promise<void>((resolve) => child.stderr.on("end", resolve));
  const ready = new Promise<boolean>((resolve, reject) => {
    child.stderr.on("data", (chunk: Uint8Array) => {
      log += decoder.decode(chunk, { stream: true });
      if (log.includes(READY)) resolve(true);
      for (const look of watchers) look();
    });
    Promise.all([exited, drained]).then(() => resolve(false), reject);
  });
  // A server that ends by itself closes the pipe under us, which is no error of the test.
  child.stdin.on("error", () => {});
  const stop = async (): Promise<void> => {
    if (!ended) child.kill("SIGINT");
    const timer = setTimeout(() => child.kill("SIGQUIT"), SHUTDOWN_MS);
    await exited;
    child.stdin.end();
    clearTimeout(timer);
    busyFolders.delete(folder);
    // The watchdog removes the folder too; whoever comes first leaves nothing for the other.
    while (existsSync(folder)) {
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
      await delay(5);
    }
  };
  const logged = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(log)) return;
        watchers = watchers.filter((one) => one !== look);
        resolve();
      };
      watchers.push(look);
      look();
      drained.then(() => reject(new Error(`Cannot find ${pattern} in the log: it ended`)));
    });
  return { ready: await ready, log: () => log, logged, stop };
}
