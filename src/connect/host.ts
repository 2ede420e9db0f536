import { ConfigError } from "../errors.ts";
import { nodeProcess, ON_BUN, ON_DENO, ON_WINDOWS } from "../transport/runtime.ts";
import { filesInFolder, readFile, statFile } from "./host_files.ts";

/** What the system says about a file. */
export interface FileFacts {
  /** The nine permission bits. */
  readonly mode: number;
  readonly rootOwned: boolean;
  /** Whether it is a regular file. */
  readonly regular: boolean;
}

/**
 * What connecting may need of the machine besides sockets. Asked only when it is needed, so that a complete target
 * needs no permission on Deno. What is not `needed` is only a default: where a permission is missing it counts as
 * absent, and Deno does not prompt.
 */
export interface Host {
  readonly platform: "windows" | "posix";
  /**
   * Reads environment variables for one connection.
   *
   * @throws {ConfigError} When called: `missing-permission` for what is needed.
   */
  environmentReader(): (name: string, needed: boolean) => string | undefined;
  /** The account's name, PostgreSQL's default user. */
  userName(): Promise<string>;
  /**
   * The home directory, on Windows the directory of application data: by the environment, else by the system's
   * accounts; undefined where there is none, or it may not be looked up.
   *
   * @throws {ConfigError} `missing-permission`, if it is needed.
   */
  accountHome(needed: boolean): Promise<string | undefined>;
  /** Where this machine's servers put their Unix sockets; undefined on Windows. */
  socketDirectory(): Promise<string | undefined>;
  /**
   * The text of a file; undefined if there is none.
   *
   * @throws {ConfigError} `missing-permission`, or if the file cannot be read.
   */
  readText(path: string, keyword: string): Promise<string | undefined>;
  /** The same in octets, for files that need not be UTF-8. */
  readOctets(path: string, keyword: string): Promise<Uint8Array | undefined>;
  /**
   * The paths of the files in a directory, in the order of their names; none if there is no such directory.
   *
   * @throws {ConfigError} `missing-permission`, or if the directory cannot be read.
   */
  filesIn(path: string, keyword: string): Promise<readonly string[]>;
  /**
   * The permission bits of a file; undefined if there is none, or where the system has no such bits.
   *
   * @throws {ConfigError} `missing-permission`, or if the file cannot be looked at.
   */
  permissions(path: string, keyword: string): Promise<FileFacts | undefined>;
  /**
   * What changes when a file, or the entries of a directory, are changed: times, size, place and permissions. undefined
   * where there is no such file, or it may not be looked at.
   */
  stamp(path: string): Promise<string | undefined>;
}

/** The parts of the runtimes used here, as far as they are used. */
interface DenoRights {
  env: { get(name: string): string | undefined };
  permissions: {
    querySync(
      what: { name: string; variable?: string; path?: string; kind?: string; host?: string },
    ): { state: string };
  };
}

const { Deno } = globalThis as unknown as { Deno?: DenoRights };

/** PostgreSQL's own default (DEFAULT_PGSOCKET_DIR), and the one of Debian, Red Hat and Alpine. */
const OWN_SOCKET_DIRECTORY = "/tmp";
const PACKAGED_SOCKET_DIRECTORY = "/var/run/postgresql";

/** The machine this runtime runs on. */
export const host: Host = {
  platform: ON_WINDOWS ? "windows" : "posix",

  environmentReader(): (name: string, needed: boolean) => string | undefined {
    if (Deno === undefined) return (name) => nodeProcess?.env[name];
    // Asked once: each question takes longer than twenty look-ups.
    const all = isGranted({ name: "env" });
    return (name, needed) => {
      if (!all && !needed && !isGranted({ name: "env", variable: name })) return undefined;
      try {
        return Deno.env.get(name);
      } catch (cause) {
        throw new ConfigError(`Cannot read the environment variable "${name}"`, {
          ...(isDenied(cause) ? { code: "missing-permission" as const } : {}),
          cause,
          hint: `Deno needs --allow-env=${name}`,
        });
      }
    };
  },

  async userName(): Promise<string> {
    try {
      const name = ON_BUN ? await passwdField("name") : undefined;
      if (name !== undefined) return name;
      const { userInfo } = await import("node:os");
      return userInfo().username;
    } catch (cause) {
      throw new ConfigError('Cannot find the name of the account to use as "user"', {
        keyword: "user",
        ...(isDenied(cause) ? { code: "missing-permission" as const } : {}),
        cause,
        hint: 'Give "user" in the target (on Deno, --allow-sys=userInfo,uid,gid lets the account ' +
          "be looked up)",
      });
    }
  },

  async accountHome(needed: boolean): Promise<string | undefined> {
    const named = host.environmentReader()(homeVariable(), needed);
    if (named || host.platform === "windows") return named || undefined;
    const mayLook = ["userInfo", "uid", "gid"].every((kind) => isGranted({ name: "sys", kind }));
    if (!needed && !mayLook) return undefined;
    try {
      // Bun's userInfo() repeats the environment.
      if (ON_BUN) return await passwdField("home");
      const { userInfo } = await import("node:os");
      return userInfo().homedir || undefined;
    } catch (cause) {
      if (!needed) return undefined;
      throw new ConfigError("Cannot find the home directory of the account", {
        ...(isDenied(cause) ? { code: "missing-permission" as const } : {}),
        cause,
        hint: "Set HOME (on Deno, --allow-sys=userInfo,uid,gid lets the account be looked up)",
      });
    }
  },

  async socketDirectory(): Promise<string | undefined> {
    if (host.platform === "windows") return undefined;
    return mayRead(PACKAGED_SOCKET_DIRECTORY) && await isDirectory(PACKAGED_SOCKET_DIRECTORY)
      ? PACKAGED_SOCKET_DIRECTORY
      : OWN_SOCKET_DIRECTORY;
  },

  async readText(path: string, keyword: string): Promise<string | undefined> {
    const octets = await host.readOctets(path, keyword);
    return octets && new TextDecoder("utf-8", { ignoreBOM: true }).decode(octets);
  },

  async readOctets(path: string, keyword: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(path);
    } catch (cause) {
      if (isMissing(cause)) return undefined;
      throw unreadable(path, keyword, cause);
    }
  },

  async filesIn(path: string, keyword: string): Promise<readonly string[]> {
    try {
      return (await filesInFolder(path)).map((name) => `${path}/${name}`).sort();
    } catch (cause) {
      if (isMissing(cause)) return [];
      throw unreadable(path, keyword, cause);
    }
  },

  async permissions(path: string, keyword: string): Promise<FileFacts | undefined> {
    if (host.platform === "windows") return undefined;
    try {
      const { mode, uid, isFile } = await statFile(path);
      return mode === null
        ? undefined
        : { mode: mode & 0o777, rootOwned: uid === 0, regular: isFile };
    } catch (cause) {
      if (isMissing(cause)) return undefined;
      throw unreadable(path, keyword, cause);
    }
  },

  async stamp(path: string): Promise<string | undefined> {
    if (!mayRead(path)) return undefined;
    try {
      return (await statFile(path)).stamp;
    } catch (cause) {
      if (isMissing(cause) || isDenied(cause)) return undefined;
      // Whoever reads it says why it cannot be read.
      if (isErrorLike(cause)) return cause.code ?? cause.name;
      throw cause;
    }
  },
};

function unreadable(path: string, keyword: string, cause: unknown): ConfigError {
  const denied = isDenied(cause);
  return new ConfigError(`Cannot read "${path}" of "${keyword}"`, {
    keyword,
    ...(denied ? { code: "missing-permission" as const } : {}),
    cause,
    ...(denied ? { hint: `${runtimeName()} needs ${readFlag()}=${path}` } : {}),
  });
}

/** Whether a path may be read without asking anybody. */
export function mayRead(path: string): boolean {
  return nodeProcess?.permission?.has("fs.read", path) !== false &&
    isGranted({ name: "read", path });
}

/** Whether an IP address may be dialed without asking anybody. */
export function mayDial(address: string, port: number): boolean {
  const host = address.includes(":") ? `[${address}]` : address;
  return isGranted({ name: "net", host: `${host}:${port}` });
}

/** Elsewhere than on Deno everything is granted. */
function isGranted(what: Parameters<DenoRights["permissions"]["querySync"]>[0]): boolean {
  const state = Deno?.permissions.querySync(what).state;
  return state === undefined || state === "granted";
}

function homeVariable(): string {
  return host.platform === "windows" ? "APPDATA" : "HOME";
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await statFile(path)).isDirectory;
  } catch (error) {
    // A default that may not be looked at counts as absent.
    if (isMissing(error) || isDenied(error)) return false;
    throw new ConfigError(`Cannot look at "${path}", the default directory of Unix sockets`, {
      keyword: "host",
      cause: error,
    });
  }
}

/** The account of this process; Bun asks the environment, which is not the one libpq logs in as. */
async function passwdField(what: "name" | "home"): Promise<string | undefined> {
  const id = nodeProcess?.geteuid?.();
  if (id === undefined) return undefined;
  const text = await host.readText("/etc/passwd", "user");
  const fields = text?.split("\n").map((line) => line.split(":"))
    .find((line) => line[2] === String(id));
  return fields?.[what === "name" ? 0 : 5] || undefined;
}

function runtimeName(): string {
  return ON_DENO ? "Deno" : "Node";
}

function readFlag(): string {
  return ON_DENO ? "--allow-read" : "--allow-fs-read";
}

function isMissing(error: unknown): boolean {
  return isErrorLike(error) &&
    (error.code === "ENOENT" || error.code === "ENOTDIR" || error.name === "NotFound");
}

function isDenied(error: unknown): boolean {
  return isErrorLike(error) &&
    (error.name === "NotCapable" || error.code === "ERR_ACCESS_DENIED");
}

function isErrorLike(error: unknown): error is { name: string; code?: string } {
  return typeof error === "object" && error !== null && "name" in error;
}
