import { callForeign, type ForeignFunctions } from "./calls.ts";
import type { ForeignLibrary, ForeignRuntime, Signatures } from "./foreign.ts";
import { builtin, Offload } from "./offload.ts";
import { thisPlatform } from "./platform.ts";

/** The part of `node:ffi` (Node 26) we use; kept minimal on purpose, checked against the real one in tests. */
interface NodeForeign {
  dlopen(path: string, symbols: Record<string, NodeSymbol>): {
    readonly functions: ForeignFunctions;
  };
  getRawPointer(octets: Uint8Array): bigint;
  toArrayBuffer(address: bigint, length: number): ArrayBuffer;
}

interface NodeSymbol {
  readonly arguments: readonly ("u64" | "u32")[];
  readonly return: "u32";
}

/** Foreign functions by `node:ffi`; what may wait runs in a worker thread. Undefined where this Node has none. */
export function nodeForeign(): ForeignRuntime | undefined {
  const ffi = builtin("node:ffi") as NodeForeign | undefined;
  return ffi && {
    name: "node:ffi",
    ...thisPlatform(),
    load: (path, signatures) => load(ffi, path, signatures),
  };
}

function load(ffi: NodeForeign, path: string, signatures: Signatures): ForeignLibrary {
  const symbols = symbolsOf(signatures);
  const { functions } = ffi.dlopen(path, symbols);
  const offload = new Offload({ ffi: "node:ffi", path, symbols, signatures });
  return {
    path,
    call: (name, args) => Number(callForeign(functions, signatures, name, args)),
    openThread: () => offload.open(),
    addressOf: (octets) => BigInt(ffi.getRawPointer(octets)),
    copyFrom: (address, length) =>
      length === 0
        ? new Uint8Array(0)
        : new Uint8Array(ffi.toArrayBuffer(address, length).slice(0)),
  };
}

function symbolsOf(signatures: Signatures): Record<string, NodeSymbol> {
  const symbols: Record<string, NodeSymbol> = {};
  for (const [name, types] of Object.entries(signatures)) {
    symbols[name] = {
      arguments: types.map((type) => type === "u32" ? "u32" : "u64"),
      return: "u32",
    };
  }
  return symbols;
}
