/** C sources of `tests/fixtures`, compiled by the system's compiler on first use. */
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { executeOrThrow } from "./execute.ts";
import { MachineUnavailable } from "./machines.ts";
import { giveAway, temporaryFolder } from "./postgres_programs.ts";

/** What a source becomes. */
export interface Compiled {
  /** The folder it lies in, where every user may read it. */
  readonly folder: string;
  /** Its path. */
  readonly path: string;
}

/**
 * Compiles a source.
 *
 * @param source The name of the file, without ".c".
 * @param kind A library for `dlopen`, or a program.
 * @throws {MachineUnavailable} If there is no compiler; skip the test then.
 */
export async function compiled(source: string, kind: "library" | "program"): Promise<Compiled> {
  if (spawnSync("cc", ["--version"]).status !== 0) {
    throw new MachineUnavailable("no C compiler (cc) is installed");
  }
  const folder = temporaryFolder(source, tmpdir());
  const path = join(folder, kind === "library" ? `${source}.so` : source);
  const flags = kind === "library" ? ["-shared", "-fPIC"] : [];
  const file = fileURLToPath(new URL(`../fixtures/${source}.c`, import.meta.url));
  const undefinedLater = process.platform === "darwin" && kind === "library"
    ? ["-undefined", "dynamic_lookup"]
    : [];
  await executeOrThrow(`compile ${source}.c`, "cc", [
    ...flags,
    ...undefinedLater,
    "-O1",
    "-o",
    path,
    file,
  ]);
  giveAway(path);
  return { folder, path };
}
