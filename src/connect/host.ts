import { ConfigError } from "../errors.ts";

/**
 * What connecting may need of the machine besides sockets. Asked only when it is needed, so that a complete target
 * needs no permission on Deno.
 */
export interface Host {
  /** The account's name, PostgreSQL's default user. */
  userName(): Promise<string>;
  /** The home directory; undefined where there is none, or it may not be known. */
  homeDirectory(): string | undefined;
  /**
   * The text of a file; undefined if there is none.
   *
   * @throws {ConfigError} `missing-permission`, or if the file cannot be read.
   */
  readText(path: string, keyword: string): Promise<string | undefined>;
  /** The permission bits of a file and whether root owns it; undefined where the system has no such bits. */
  permissions(
    path: string,
  ): Promise<{ readonly mode: number; readonly rootOwned: boolean } | undefined>;
}

/** The parts of the runtimes used here, as far as they are used. */
interface DenoFiles {
  env: { get(name: string): string | undefined };
  permissions: {
    querySync(what: { name: string; variable?: string; path?: string }): { state: string };
  };
  readTextFile(path: string): Promise<string>;
  stat(path: string): Promise<{ mode: number | null; uid: number | null }>;
}
interface NodeProcess {
  env: Record<string, string | undefined>;
  platform: string;
}

const scope = globalThis as unknown as { Deno?: DenoFiles; process?: NodeProcess };

/** The machine this runtime runs on. */
export const host: Host = {
  async userName(): Promise<string> {
    try {
      const { userInfo } = await import("node:os");
      return userInfo().username;
    } catch (cause) {
      throw new ConfigError('Cannot find the name of the account to use as "user"', {
        keyword: "user",
        ...(isDenied(cause) ? { code: "missing-permission" as const } : {}),
        cause,
        hint: 'Give "user" in the target (on Deno, --allow-sys=uid lets the account be looked up)',
      });
    }
  },

  homeDirectory(): string | undefined {
    const name = scope.process?.platform === "win32" ? "APPDATA" : "HOME";
    const { Deno } = scope;
    if (Deno === undefined) return scope.process?.env[name];
    // Asking first keeps Deno from prompting for something that is only a default.
    const { state } = Deno.permissions.querySync({ name: "env", variable: name });
    return state === "granted" ? Deno.env.get(name) : undefined;
  },

  async readText(path: string, keyword: string): Promise<string | undefined> {
    try {
      if (scope.Deno !== undefined) return await scope.Deno.readTextFile(path);
      const { readFile } = await import("node:fs/promises");
      return await readFile(path, "utf8");
    } catch (cause) {
      if (isMissing(cause)) return undefined;
      const denied = isDenied(cause);
      throw new ConfigError(`Cannot read the file "${path}" of "${keyword}"`, {
        keyword,
        ...(denied ? { code: "missing-permission" as const } : {}),
        cause,
        ...(denied ? { hint: `Deno needs --allow-read=${path}` } : {}),
      });
    }
  },

  async permissions(path: string) {
    if (scope.process?.platform === "win32") return undefined;
    if (scope.Deno !== undefined) {
      const { mode, uid } = await scope.Deno.stat(path);
      return mode === null ? undefined : { mode: mode & 0o777, rootOwned: uid === 0 };
    }
    const { stat } = await import("node:fs/promises");
    const { mode, uid } = await stat(path);
    return { mode: mode & 0o777, rootOwned: uid === 0 };
  },
};

/** Whether Deno may read this path without being asked; elsewhere always. */
export function mayRead(path: string): boolean {
  const state = scope.Deno?.permissions.querySync({ name: "read", path }).state;
  return state === undefined || state === "granted";
}

function isMissing(error: unknown): boolean {
  return isErrorLike(error) && (error.code === "ENOENT" || error.name === "NotFound");
}

function isDenied(error: unknown): boolean {
  return isErrorLike(error) && error.name === "NotCapable";
}

function isErrorLike(error: unknown): error is { name: string; code?: string } {
  return typeof error === "object" && error !== null && "name" in error;
}
