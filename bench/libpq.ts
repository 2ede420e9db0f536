/** Builds and starts the client that measures libpq. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { machine } from "../tests/support/machines.ts";
import { repositoryRoot } from "../tests/support/repository.ts";
import { BUILD_FOLDER } from "./build.ts";
import { LineProcess } from "./line_process.ts";

/** A libpq that can be measured. */
export interface Libpq {
  /** "libpq 15.18 (OpenSSL 3.0.19)". */
  readonly title: string;
  /** As PQlibVersion() says it: 150018. */
  readonly version: number;
  /** Starts a process that takes orders. */
  start(): Promise<LineProcess>;
}

/** Where Linux and macOS keep the system's, most likely first. */
const SYSTEM_PATHS: readonly string[] = [
  "/usr/lib/x86_64-linux-gnu/libpq.so.5",
  "/usr/lib/aarch64-linux-gnu/libpq.so.5",
  "/usr/lib64/libpq.so.5",
  "/opt/homebrew/opt/libpq/lib/libpq.5.dylib",
];

/** The system's, then the one beside the test server; none if there is no compiler. */
export async function findLibpqs(): Promise<readonly Libpq[]> {
  const compiler = ["cc", "gcc", "clang"].find((name) =>
    spawnSync(name, ["--version"]).status === 0
  );
  if (compiler === undefined) return [];
  const program = join(repositoryRoot(), BUILD_FOLDER, "libpq_client");
  mkdirSync(dirname(program), { recursive: true });
  const source = join(repositoryRoot(), "bench", "contenders", "libpq.c");
  const built = spawnSync(compiler, ["-O2", "-o", program, source, "-ldl"], { encoding: "utf8" });
  if (built.status !== 0) throw new Error(`Cannot compile "${source}": ${built.stderr}`);
  const { executable } = await machine("postgres-18");
  const beside = join(dirname(executable), "..", "lib", "libpq.so.5");
  const paths = [SYSTEM_PATHS.find((path) => existsSync(path)), withVersion(beside)];
  const found: Libpq[] = [];
  for (const path of paths) {
    if (path !== undefined) found.push(await examine(program, path));
  }
  return found;
}

/** The npm package has the library under its full name only. */
function withVersion(path: string): string | undefined {
  return [path, `${path}.18`].find((one) => existsSync(one));
}

async function examine(program: string, path: string): Promise<Libpq> {
  const process = new LineProcess(`libpq at ${path}`, program, [path]);
  const { version, ssl } = JSON.parse(await process.line()) as { version: number; ssl: string };
  await process.end();
  const text = `${Math.trunc(version / 10_000)}.${version % 10_000}`;
  return {
    title: `libpq ${text} (${ssl.split(" ").slice(0, 2).join(" ")})`,
    version,
    async start() {
      const started = new LineProcess(`libpq ${text}`, program, [path]);
      await started.line();
      return started;
    },
  };
}
