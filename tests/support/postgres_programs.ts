/** The programs of an npm-packaged PostgreSQL, made ready to be run by a user PostgreSQL accepts. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import process from "node:process";
import { isAlive, machine, type MachineName, MachineUnavailable } from "./machines.ts";

/** The major versions of PostgreSQL there are machines for. */
export type PostgresVersion = 18 | 17 | 16 | 15 | 14 | 12 | 10;

/** Those of {@link PostgresVersion} that come from npm, newest first; 15 is Debian's, which has GSSAPI. */
export const POSTGRES_VERSIONS: readonly PostgresVersion[] = [18, 17, 16, 14, 12, 10];

/** How to run the programs of one version. */
export interface PostgresPrograms {
  readonly initdb: string;
  readonly postgres: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** PostgreSQL refuses to run as root, so root lends it the user "nobody". */
const NOBODY = 65534;
/** Memory that can be used as a folder, on Linux. */
const MEMORY = "/dev/shm";
/** Six versions, a template and a server each, and some room. */
const MEMORY_WANTED = 2 ** 31;

/** Options for `spawn` that give PostgreSQL a user it accepts. */
export const identity: { readonly uid?: number; readonly gid?: number } = process.getuid?.() === 0
  ? { uid: NOBODY, gid: NOBODY }
  : {};

const dataRoot: string = chooseRoot();
const ownFolders = new Map<string, string>();
/** Folders of servers that run. */
export const busyFolders: Set<string> = new Set();
const known = new Map<PostgresVersion, Promise<PostgresPrograms>>();

/** A new folder in this process's own temporary folder, which the user of {@link identity} owns. */
export function temporaryFolder(name: string, root: string = dataRoot): string {
  const own = ownFolders.get(root) ?? makeOwnFolder(root);
  ownFolders.set(root, own);
  const folder = mkdtempSync(join(own, `${name}-`));
  giveAway(folder);
  return folder;
}

/** Data directories are made of many small files: in memory they are made and copied seven times faster. */
function chooseRoot(): string {
  if (!existsSync(MEMORY)) return tmpdir();
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize >= MEMORY_WANTED ? MEMORY : tmpdir();
}

/** Hands a file or folder to the user of {@link identity}. */
export function giveAway(path: string): void {
  if (identity.uid !== undefined) chownSync(path, NOBODY, NOBODY);
}

/** The name holds our process id, so that a later run can remove what a crash left behind. */
function makeOwnFolder(root: string): string {
  for (const name of readdirSync(root)) {
    const pid = Number(/^pgh-(\d+)-/.exec(name)?.[1] ?? 0);
    const path = join(root, name);
    if (pid > 0 && !isAlive(pid) && statSync(path).uid === process.getuid?.()) {
      rmSync(path, { recursive: true, force: true });
    }
  }
  const folder = mkdtempSync(join(root, `pgh-${process.pid}-`));
  chmodSync(folder, 0o755);
  process.on("exit", () => {
    // A server that still runs would crash without its folder; its watchdog removes both.
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (!busyFolders.has(path)) rmSync(path, { recursive: true, force: true });
    }
    if (readdirSync(folder).length === 0) rmdirSync(folder);
  });
  return folder;
}

/**
 * The programs of one version, fetched on first use.
 *
 * @throws {MachineUnavailable} If there are none for this platform.
 */
export function postgresPrograms(version: PostgresVersion): Promise<PostgresPrograms> {
  const already = known.get(version);
  if (already !== undefined) return already;
  const made = prepare(version);
  known.set(version, made);
  return made;
}

async function prepare(version: PostgresVersion): Promise<PostgresPrograms> {
  if (version === 15) return debianPrograms();
  const name: MachineName = `postgres-${version}`;
  const { folder } = await machine(name);
  if (folder === undefined) throw new MachineUnavailable(`no package of PostgreSQL ${version}`);
  const first = programsIn(folder, version);
  const tried = spawnSync(first.postgres, ["--version"], { ...identity, env: first.environment });
  if (tried.status === 0) return first;
  // The checkout lies where the other user may not look; a copy in the temporary folder can be read.
  const copy = temporaryFolder(name, tmpdir());
  cpSync(join(folder, "native"), join(copy, "native"), { recursive: true, verbatimSymlinks: true });
  return programsIn(copy, version);
}

/** Where Debian, and what is made of it, puts each major version. */
const DEBIAN = "/usr/lib/postgresql";

/** Built with everything, GSSAPI too, and found where anybody can run it. 15 is that of Debian 12; another one serves too. */
function debianPrograms(): PostgresPrograms {
  const found = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort().reverse() : [];
  const version = found.find((one) => existsSync(join(DEBIAN, one, "bin", "postgres")));
  if (version === undefined) throw new MachineUnavailable("needs the Debian package postgresql");
  const folder = join(DEBIAN, version, "bin");
  return {
    initdb: join(folder, "initdb"),
    postgres: join(folder, "postgres"),
    environment: { LC_ALL: "C" },
  };
}

/** The package makes its library links in an install script, which is not run; they are made here. */
function programsIn(folder: string, version: PostgresVersion): PostgresPrograms {
  const native = join(folder, "native");
  const list = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8")) as readonly {
    readonly source: string;
    readonly target: string;
  }[];
  // Where the loader can be told of a second folder, the package stays as it was. macOS takes DYLD_LIBRARY_PATH away
  // on the way through a shell, so there the links are made where the script would have made them.
  const inPlace = process.platform === "darwin";
  const links = inPlace ? join(native, "lib") : temporaryFolder(`lib${version}`);
  for (const { source, target } of list) {
    const link = join(links, basename(target));
    if (!existsSync(link)) symlinkSync(resolve(folder, source), link);
  }
  return {
    initdb: join(native, "bin", "initdb"),
    postgres: join(native, "bin", "postgres"),
    environment: { LD_LIBRARY_PATH: `${links}:${join(native, "lib")}`, LC_ALL: "C" },
  };
}
