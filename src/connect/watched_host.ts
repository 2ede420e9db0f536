import type { FileFacts, Host } from "./host.ts";

/** One answer of the machine that something was made of. */
interface Observation {
  /** What it was asked. */
  now(): string | undefined | Promise<string | undefined>;
  /** What it answered. */
  readonly then: string | undefined;
}

/**
 * The machine, with a note of everything it was asked: environment variables with their values, files with their
 * stamps. So what was made of the answers can be kept until one of them changes.
 */
export class WatchedHost implements Host {
  readonly platform: Host["platform"];
  readonly #host: Host;
  readonly #variables: { readonly name: string; needed: boolean; value: string | undefined }[] = [];
  readonly #observations = new Map<string, Observation>();

  /** @param host Whom to ask. */
  constructor(host: Host) {
    this.#host = host;
    this.platform = host.platform;
  }

  /** Whether the machine would answer everything as it did. */
  async isUnchanged(): Promise<boolean> {
    const read = this.#host.environmentReader();
    for (const { name, needed, value } of this.#variables) {
      if (read(name, needed) !== value) return false;
    }
    if (this.#observations.size === 0) return true;
    const same = await Promise.all(
      [...this.#observations.values()].map(async (one) => await one.now() === one.then),
    );
    return same.every((one) => one);
  }

  environmentReader(): (name: string, needed: boolean) => string | undefined {
    const read = this.#host.environmentReader();
    return (name, needed) => {
      const value = read(name, needed);
      this.#variables.push({ name, needed, value });
      return value;
    };
  }

  userName(): Promise<string> {
    // The account of a running process stays.
    return this.#host.userName();
  }

  async accountHome(needed: boolean): Promise<string | undefined> {
    const then = await this.#host.accountHome(needed);
    this.#observations.set("account", { now: () => this.#host.accountHome(needed), then });
    return then;
  }

  async socketDirectory(): Promise<string | undefined> {
    const then = await this.#host.socketDirectory();
    this.#observations.set("sockets", { now: () => this.#host.socketDirectory(), then });
    return then;
  }

  async readText(path: string, keyword: string): Promise<string | undefined> {
    await this.#watch(path);
    return await this.#host.readText(path, keyword);
  }

  async readOctets(path: string, keyword: string): Promise<Uint8Array | undefined> {
    await this.#watch(path);
    return await this.#host.readOctets(path, keyword);
  }

  async filesIn(path: string, keyword: string): Promise<readonly string[]> {
    await this.#watch(path);
    return await this.#host.filesIn(path, keyword);
  }

  async permissions(path: string, keyword: string): Promise<FileFacts | undefined> {
    await this.#watch(path);
    return await this.#host.permissions(path, keyword);
  }

  stamp(path: string): Promise<string | undefined> {
    return this.#host.stamp(path);
  }

  /** The stamp comes first: what changes while it is read is read again the next time. */
  async #watch(path: string): Promise<void> {
    const name = `file ${path}`;
    if (this.#observations.has(name)) return;
    const then = await this.#host.stamp(path);
    this.#observations.set(name, { now: () => this.#host.stamp(path), then });
  }
}
