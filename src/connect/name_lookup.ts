import { ConnectionError, PgHandshakeError } from "../errors.ts";
import type { HostEntry } from "../settings/hosts.ts";

/** How a name is looked up: by the adapter, or by the caller's own resolver. */
export type LookUp = (host: string) => Promise<readonly string[]>;

/** An attempt that takes longer is not on its way to a session: as long as RFC 8305 gives an address (section 5). */
const PATIENCE_MS = 250;

/** Looks the names of a host list up, each when it is its turn, or a little before. */
export class NameLookup {
  readonly #lookUp: LookUp;
  #early: { readonly host: HostEntry; readonly addresses: Promise<readonly string[]> } | undefined;

  /** @param lookUp How. */
  constructor(lookUp: LookUp) {
    this.#lookUp = lookUp;
  }

  /**
   * All addresses of a host.
   *
   * @throws {ConnectionError} `name-not-found`, if there are none, too.
   */
  async addressesOf(host: HostEntry): Promise<readonly string[]> {
    const early = this.#early;
    this.#early = undefined;
    const addresses = await (early?.host === host ? early.addresses : this.#ask(host.host));
    if (addresses.length > 0) return addresses;
    throw new ConnectionError(
      "name-not-found",
      `Cannot translate host name "${host.host}" to an address: it has none`,
      { phase: "resolve" },
    );
  }

  /**
   * Begins to look up the host whose turn is next, once the attempt before it takes long.
   *
   * @returns Takes it back, if it has not begun; to be called when the attempt is over.
   */
  foresee(host: HostEntry): () => void {
    const timer = setTimeout(() => {
      // An attempt before this one, at another address or otherwise encrypted, took long as well.
      if (this.#early?.host === host) return;
      const addresses = this.#ask(host.host);
      // Whose turn it is gets the failure; it may never come.
      addresses.catch(() => undefined);
      this.#early = { host, addresses };
    }, PATIENCE_MS);
    return () => clearTimeout(timer);
  }

  /** A resolver of the user's throws what it likes; it means that there is no address. */
  async #ask(host: string): Promise<readonly string[]> {
    try {
      return await this.#lookUp(host);
    } catch (error) {
      if (error instanceof PgHandshakeError) throw error;
      throw new ConnectionError(
        "name-not-found",
        `Cannot translate host name "${host}" to an address: the resolver failed`,
        { phase: "resolve", cause: error },
      );
    }
  }
}
