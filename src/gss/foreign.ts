/**
 * The port to a library of the system: calls with whole numbers only. Pointers are addresses, and memory is read and
 * written here. Each runtime has one of its own way to do that; the calls themselves are in `gssapi.ts` and `sspi.ts`.
 */

/** An argument: an address of 64 bits, or a number of 32 bits without sign. */
export type ForeignType = "address" | "u32";

/** The functions of a library by name, and their arguments. All return 32 bits without sign. */
export type Signatures = Readonly<Record<string, readonly ForeignType[]>>;

/** A library that is loaded. */
export interface ForeignLibrary {
  /** The path or soname it was loaded by. */
  readonly path: string;
  /** Calls a function on this thread: for those that only compute. */
  call(name: string, args: readonly bigint[]): number;
  /** A thread on which functions may wait without holding up the event loop. */
  openThread(): ForeignThread;
  /** The address of octets; they must stay referenced, and their buffer must not be transferred, while it is used. */
  addressOf(octets: Uint8Array): bigint;
  /** Copies memory that the library owns. */
  copyFrom(address: bigint, length: number): Uint8Array;
}

/**
 * Where waiting is done. One call at a time. Where the runtime can, all calls of one of these are made on the same
 * thread, as the library keeps the words for its last error by thread.
 */
export interface ForeignThread {
  /** Calls a function elsewhere. Memory it was given must stay referenced until it is over. */
  call(name: string, args: readonly bigint[]): Promise<number>;
  /** Gives the thread back. */
  release(): void;
}

/** How a runtime loads libraries. */
export interface ForeignRuntime {
  /** How it is called, for people: "Deno.dlopen". */
  readonly name: string;
  /** The operating system. */
  readonly platform: "linux" | "darwin" | "windows";
  /** The architecture: on x86-64 Macs MIT's header packs its structures. */
  readonly isX64: boolean;
  /**
   * Loads a library.
   *
   * @throws Whatever the runtime throws if there is none at that path.
   * @throws {ConfigError} `missing-permission`, or if the runtime has no foreign functions.
   */
  load(path: string, signatures: Signatures): ForeignLibrary;
}
