import type { HostEntry } from "../settings/hosts.ts";
import {
  defaultPasswordFile,
  findPassword,
  passwordFileKey,
  passwordFileProblem,
} from "../settings/password_file.ts";
import type { Settings } from "../settings/resolve.ts";
import type { Secret } from "../settings/secret.ts";
import { type Host, mayRead } from "./host.ts";

/** What the password file gave: a password, or why it could not be asked. */
export interface FilePassword {
  readonly path: string;
  readonly password: Secret<Uint8Array> | undefined;
  /** Why the file was ignored; undefined if it was read. */
  readonly problem: string | undefined;
}

/** The password files of one target, and what was found in them until they change. */
export class PasswordFiles {
  readonly #host: Host;
  #found = new WeakMap<HostEntry, { readonly stamp: string; readonly password: FilePassword }>();

  /** @param host The machine. */
  constructor(host: Host) {
    this.#host = host;
  }

  /**
   * Looks a host up in the password file (manual, section The Password File). Read only when a server asks for a
   * password and none was given; a file that is missing, or that Deno may not read and nobody named, counts as absent.
   *
   * @returns undefined if there is no password file.
   */
  async find(entry: HostEntry, settings: Settings): Promise<FilePassword | undefined> {
    const named = settings.passfile;
    const path = named ?? await defaultPath(this.#host);
    if (path === undefined || (named === undefined && !mayRead(path))) return undefined;
    const stamp = await this.#host.stamp(path);
    const before = this.#found.get(entry);
    // The permissions are part of the stamp.
    if (before !== undefined && before.stamp === stamp && before.password.path === path) {
      return before.password;
    }
    const password = await readPassword(path, entry, settings, this.#host);
    if (password !== undefined && stamp !== undefined) {
      this.#found.set(entry, { stamp, password });
    }
    return password;
  }

  /** Forgets what was found. */
  clear(): void {
    this.#found = new WeakMap();
  }
}

async function readPassword(
  path: string,
  entry: HostEntry,
  settings: Settings,
  host: Host,
): Promise<FilePassword | undefined> {
  // Looked at before it is read: a pipe would block, a directory fail.
  const facts = await host.permissions(path, "passfile");
  const problem = facts === undefined ? undefined : passwordFileProblem(path, facts);
  if (problem !== undefined) return { path, password: undefined, problem };
  const octets = await host.readOctets(path, "passfile");
  if (octets === undefined) return undefined;
  const socketDirectory = entry.kind === "unix" ? await host.socketDirectory() : undefined;
  const key = passwordFileKey(entry, settings, socketDirectory);
  return { path, password: findPassword(octets, key), problem: undefined };
}

async function defaultPath(host: Host): Promise<string | undefined> {
  const home = await host.accountHome(false);
  return home === undefined ? undefined : defaultPasswordFile(home, host.platform);
}
