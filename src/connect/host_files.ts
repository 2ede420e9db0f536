/** Files by what each runtime has itself: on Deno and Bun that spares loading `node:fs`, which takes milliseconds. */

import { nodeProcess } from "../transport/runtime.ts";

/** What a runtime says about a file. */
export interface FileStat {
  /** With the kind of file in its upper bits; null where the system has none. */
  readonly mode: number | null;
  readonly uid: number | null;
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  /** What changes with the file: times, size, place and permissions. Like no other if it changed a moment ago. */
  readonly stamp: string;
}

interface DenoFiles {
  readFile(path: string): Promise<Uint8Array>;
  readDir(path: string): AsyncIterable<{ name: string; isDirectory: boolean }>;
  stat(path: string): Promise<{
    mode: number | null;
    uid: number | null;
    ino: number | null;
    size: number;
    mtime: Date | null;
    ctime?: Date | null;
    isFile: boolean;
    isDirectory: boolean;
  }>;
}
interface NodeStat {
  mode: number;
  uid: number;
  ino: number;
  size: number;
  mtimeMs: number;
  ctimeMs: number;
  isFile(): boolean;
  isDirectory(): boolean;
}
interface BunFiles {
  file(path: string): { bytes(): Promise<Uint8Array>; stat(): Promise<NodeStat> };
}
interface NodeFiles {
  readFile(path: string): Promise<Uint8Array>;
  readdir(
    path: string,
    options: { withFileTypes: true },
  ): Promise<readonly { name: string; isDirectory(): boolean }[]>;
  stat(path: string): Promise<NodeStat>;
}

const { Deno, Bun } = globalThis as unknown as { Deno?: DenoFiles; Bun?: BunFiles };

/** Kept, as even the second import of a module takes longer than what it is imported for. */
let nodeFiles: NodeFiles | undefined;

async function files(): Promise<NodeFiles> {
  return nodeFiles ??= filesByCallback() ?? await import("node:fs/promises");
}

/** Node has `node:fs` from its start; loading its promises takes 4 ms. */
function filesByCallback(): NodeFiles | undefined {
  const fs = nodeProcess?.getBuiltinModule?.("node:fs");
  if (fs === undefined) return undefined;
  return {
    readFile: (path) => promised((done) => fs.readFile(path, done)),
    readdir: (path, options) => promised((done) => fs.readdir(path, options, done)),
    stat: (path) => promised((done) => fs.stat(path, done)),
  };
}

function promised<T>(run: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, value) => error ? reject(error) : resolve(value));
  });
}

/** All octets of a file. Throws what the runtime throws, as the others here. */
export async function readFile(path: string): Promise<Uint8Array> {
  if (Deno !== undefined) return await Deno.readFile(path);
  if (Bun !== undefined) return await Bun.file(path).bytes();
  return await (await files()).readFile(path);
}

/** The names of the files in a folder, folders left out. */
export async function filesInFolder(path: string): Promise<readonly string[]> {
  const names: string[] = [];
  if (Deno !== undefined) {
    for await (const { name, isDirectory } of Deno.readDir(path)) {
      if (!isDirectory) names.push(name);
    }
    return names;
  }
  const entries = await (await files()).readdir(path, { withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
}

/** What the system says about a file. */
export async function statFile(path: string): Promise<FileStat> {
  if (Deno !== undefined) {
    const { mode, uid, ino, size, mtime, ctime, isFile, isDirectory } = await Deno.stat(path);
    const times = [mtime?.getTime(), ctime?.getTime()];
    return { mode, uid, isFile, isDirectory, stamp: stampOf(times, size, ino, mode, uid) };
  }
  const found = Bun === undefined ? await (await files()).stat(path) : await Bun.file(path).stat();
  const { mode, uid, ino, size, mtimeMs, ctimeMs } = found;
  const stamp = stampOf([mtimeMs, ctimeMs], size, ino, mode, uid);
  return { mode, uid, isFile: found.isFile(), isDirectory: found.isDirectory(), stamp };
}

/** A kernel's clock for files stands still for 10 ms at most (HZ=100); runtimes cut what is below a millisecond. */
const TICK_MS = 20;
/** Where only whole seconds are told, as of the inode's change on Deno 2.9, or every other one, as by FAT. */
const COARSE_TICK_MS = 2_020;
let moments = 0;

/** What changed a moment ago may change again at the same time by that clock: such a stamp is like no other. */
function stampOf(
  times: readonly (number | undefined)[],
  ...others: readonly (number | null)[]
): string {
  const stamp = [...times, ...others].join();
  return times.some(isFresh) ? `${stamp},moment ${++moments}` : stamp;
}

function isFresh(time: number | undefined): boolean {
  if (time === undefined) return false;
  return Date.now() - time < (time % 1_000 === 0 ? COARSE_TICK_MS : TICK_MS);
}
