/**
 * What a session needs of Kerberos: the port that `connect()` and the state machines know. `./gss/deno`, `./gss/bun` and
 * `./gss/node` are providers over the system's own library; anybody may write another.
 */

/** Makes security contexts (RFC 2743) with the credentials of the account. Given to `connect()` as `gss`. */
export interface GssProvider {
  /** What it is, for people: the library and how it is called. */
  readonly name: string;
  /**
   * Whether there are credentials to begin with, as far as that is known without asking anybody over the network.
   *
   * @throws {ConfigError} If the library cannot be loaded.
   */
  findCredentials(request: GssCredentialsRequest): Promise<GssCredentials>;
  /**
   * Begins a context as its initiator. Nothing has been sent yet.
   *
   * @throws {ConfigError} If the library cannot be loaded.
   * @throws {ConnectionError} `gss-failed`, with the library's own words.
   */
  createContext(request: GssContextRequest): Promise<GssContext>;
}

/** Where credentials are looked for. */
export interface GssCredentialsRequest {
  /** libpq's `gsslib`: which library is used on Windows; without meaning elsewhere. */
  readonly library: "gssapi" | "sspi" | undefined;
}

/** Whether there are credentials, or why not, in the library's own words. */
export type GssCredentials =
  | { readonly found: true }
  | { readonly found: false; readonly why: string };

/** What a context is for. */
export interface GssContextRequest extends GssCredentialsRequest {
  /** The service of the server, `krbsrvname`: "postgres". */
  readonly service: string;
  /** The host whose service it is, as the user named it. */
  readonly host: string;
  /** Kerberos 5 itself (RFC 4121), or SPNEGO that negotiates it (RFC 4178). */
  readonly mechanism: "kerberos" | "negotiate";
  /** Whether credentials are passed on to the server, `gssdelegation`. */
  readonly delegate: boolean;
  /** Whether the context is to encrypt a connection, or only to authenticate. */
  readonly encrypt: boolean;
}

/** What one step of a context came to. */
export interface GssStep {
  /** What to send to the server; empty if there is nothing to send. */
  readonly token: Uint8Array;
  /** Whether the context is established on this side. */
  readonly complete: boolean;
  /** Whether the server has proved itself; true only once the context is complete. */
  readonly mutual: boolean;
  /** Whether the context can encrypt; of no interest for authentication alone. */
  readonly confidential: boolean;
  /** Whether credentials were passed on. */
  readonly delegated: boolean;
}

/**
 * One security context. Steps follow each other; afterwards one `wrap` and one `unwrap` may be under way at a time, each
 * kind in the order of the stream.
 *
 * Every failure is a `ConnectionError` `gss-failed` with the library's own words. Nothing of it is shown by a print.
 */
export interface GssContext {
  /**
   * Takes the server's token, none in the first step, and gives the next of ours. May wait for a KDC, and then does not
   * hold up the event loop.
   */
  step(token: Uint8Array | undefined): Promise<GssStep>;
  /** How many octets may be wrapped at once so that not more than `maxWrapped` come out. */
  wrapSizeLimit(maxWrapped: number): Promise<number>;
  /** Encrypts and signs; never without encryption. */
  wrap(plain: Uint8Array): Promise<Uint8Array>;
  /** Verifies and decrypts; refuses what is not encrypted, and what is not next in the stream. */
  unwrap(wrapped: Uint8Array): Promise<Uint8Array>;
  /** Releases everything, once a step that is still under way is over. May be called again. */
  dispose(): void;
}
