import type { ForeignLibrary, ForeignRuntime, ForeignThread, Signatures } from "./foreign.ts";
import { thisPlatform } from "./platform.ts";

/** The part of `koffi` we use; kept minimal on purpose, checked against the real one in tests. */
export interface Koffi {
  /** Loads a library. */
  load(path: string): {
    /** Declares a function. */
    func(name: string, result: string, parameters: readonly string[]): KoffiFunction;
  };
  /** The address of octets. */
  address(octets: Uint8Array): bigint | number;
  /** A view of memory. */
  view(address: bigint, length: number): ArrayBuffer;
}

/** A function of a library, as `koffi` gives it. */
export interface KoffiFunction {
  /** Calls it on this thread. */
  (...args: readonly (bigint | number)[]): number;
  /** Calls it on another thread; the last argument takes the result. */
  async(...args: readonly unknown[]): void;
}

/** Foreign functions by `koffi`; what may wait runs on the threads of libuv. */
export function koffiForeign(koffi: Koffi): ForeignRuntime {
  return {
    name: "koffi",
    ...thisPlatform(),
    load: (path, signatures) => load(koffi, path, signatures),
  };
}

function load(koffi: Koffi, path: string, signatures: Signatures): ForeignLibrary {
  const library = koffi.load(path);
  const functions = new Map<string, KoffiFunction>();
  for (const [name, types] of Object.entries(signatures)) {
    const parameters = types.map((type) => type === "u32" ? "uint32_t" : "uintptr_t");
    functions.set(name, library.func(name, "uint32_t", parameters));
  }
  const find = (name: string): KoffiFunction => {
    const found = functions.get(name);
    if (found === undefined) throw new TypeError(`"${name}" was not declared`);
    return found;
  };
  const thread: ForeignThread = {
    call: (name, args) =>
      new Promise((resolve, reject) => {
        find(name).async(
          ...args,
          (error: unknown, result: number) => error == null ? resolve(result) : reject(error),
        );
      }),
    release: () => {},
  };
  return {
    path,
    call: (name, args) => find(name)(...args),
    openThread: () => thread,
    addressOf: (octets) => BigInt(koffi.address(octets)),
    copyFrom: (address, length) =>
      length === 0 ? new Uint8Array(0) : new Uint8Array(koffi.view(address, length).slice(0)),
  };
}
