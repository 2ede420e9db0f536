/**
 * Fetches test machines (PostgreSQL servers, other runtimes) from the npm registry, each on first use, into
 * `.machines/` of the repository. Nothing is installed on the computer itself, and no package's script is run.
 */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { executeOrThrow } from "./execute.ts";
import {
  type MachineEntry,
  type MachineName,
  type MachinePackage,
  MACHINES,
} from "./machine_table.ts";
import { repositoryRoot } from "./repository.ts";

export type { MachineName } from "./machine_table.ts";

/** A program that is ready to be run. */
export interface Machine {
  readonly name: MachineName;
  readonly version: string;
  /** The folder of the npm package; undefined for a program found on PATH. */
  readonly folder: string | undefined;
  /** The path of the program. */
  readonly executable: string;
}

/** This platform has no such machine; a test that needs it is skipped, and the reason is this message. */
export class MachineUnavailable extends Error {
  override readonly name: string = "MachineUnavailable";
}

const POLL_MS = 200;
/** A lock without a signature belongs to a process that ended in the moment of taking it. */
const ABANDONED_MS = 60_000;
const platform: string = `${process.platform}-${process.arch}`;
const known = new Map<MachineName, Promise<Machine>>();

/**
 * The machine of that name, fetched if it is not there yet. Safe when several processes ask at once.
 *
 * @throws {MachineUnavailable} If there is none for this platform.
 * @throws {Error} If the registry does not deliver.
 */
export function machine(name: MachineName): Promise<Machine> {
  const already = known.get(name);
  if (already !== undefined) return already;
  const found = find(name);
  known.set(name, found);
  return found;
}

async function find(name: MachineName): Promise<Machine> {
  const entry = MACHINES[name];
  const source = entry.packages[platform];
  if (source === undefined) return onPath(name, entry);
  const folder = join(repositoryRoot(), ".machines", `${name}-${source.version}`);
  if (!existsSync(folder)) await install(entry, source, folder);
  const packageFolder = join(folder, "node_modules", ...source.packageName.split("/"));
  const executable = join(packageFolder, ...source.program.split("/"));
  if (!existsSync(executable)) {
    throw new Error(`Cannot use ${entry.title}: "${executable}" is missing; delete "${folder}"`);
  }
  return { name, version: source.version, folder: packageFolder, executable };
}

/** A Node of the wanted major on PATH is as good as one from the registry. */
function onPath(name: MachineName, entry: MachineEntry): Machine {
  const major = /^node-(\d+)$/.exec(name)?.[1];
  if (major !== undefined) {
    const asked = spawnSync("node", ["--version"], { encoding: "utf8" });
    const version = asked.stdout?.trim().slice(1) ?? "";
    if (asked.status === 0 && version.startsWith(`${major}.`)) {
      return { name, version, folder: undefined, executable: "node" };
    }
  }
  throw new MachineUnavailable(`no ${entry.title} for ${platform} in the registry`);
}

/** Installs beside the target and renames, so a half-made folder is never found under the final name. */
async function install(
  entry: MachineEntry,
  source: MachinePackage,
  folder: string,
): Promise<void> {
  mkdirSync(join(folder, ".."), { recursive: true });
  const lock = `${folder}.lock`;
  while (!takeLock(lock)) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    if (existsSync(folder)) return;
  }
  const part = `${folder}.part`;
  try {
    if (existsSync(folder)) return;
    process.stderr.write(`fetching ${entry.title} (${entry.megabytes} MB) ...\n`);
    rmSync(part, { recursive: true, force: true });
    mkdirSync(part);
    const dependencies = { [source.packageName]: source.version };
    writeFileSync(join(part, "package.json"), JSON.stringify({ private: true, dependencies }));
    // An own deno.json keeps the repository's configuration, and its lock file, out of this.
    const config = { nodeModulesDir: "manual", lock: false };
    writeFileSync(join(part, "deno.json"), JSON.stringify(config));
    await runInstaller(entry, part);
    renameSync(part, folder);
  } finally {
    rmSync(part, { recursive: true, force: true });
    rmSync(lock, { recursive: true, force: true });
  }
}

/** True if this process holds the lock now. A lock whose process is gone is removed for the next attempt. */
function takeLock(lock: string): boolean {
  const owner = join(lock, "pid");
  try {
    mkdirSync(lock);
    writeFileSync(owner, String(process.pid));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  if (isStale(lock, owner)) rmSync(lock, { recursive: true, force: true });
  return false;
}

function isStale(lock: string, owner: string): boolean {
  try {
    if (!existsSync(owner)) return Date.now() - statSync(lock).mtimeMs > ABANDONED_MS;
    const pid = Number(readFileSync(owner, "utf8"));
    return pid > 0 && !isAlive(pid);
  } catch (error) {
    // Released between our look and now, or taken but not signed yet.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return false;
  }
}

/** True if a process of that id runs on this computer. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The path of a Deno, if one is known: `DENO_BIN`, or the one that runs this. */
export function denoExecutable(): string | undefined {
  const deno = (globalThis as unknown as { Deno?: { execPath(): string } }).Deno;
  return process.env["DENO_BIN"] ?? deno?.execPath();
}

async function runInstaller(entry: MachineEntry, folder: string): Promise<void> {
  const deno = denoExecutable();
  const windows = process.platform === "win32";
  const [program, args] = deno !== undefined
    ? [deno, ["install", "--quiet"]]
    : [windows ? "npm.cmd" : "npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"]];
  await executeOrThrow(`fetch ${entry.title}`, program, args, {
    cwd: folder,
    shell: deno === undefined && windows,
  });
}
