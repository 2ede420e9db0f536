import { ConfigError } from "../errors.ts";
import { callForeign, type ForeignFunctions } from "./calls.ts";
import type { ForeignLibrary, ForeignRuntime, Signatures } from "./foreign.ts";
import { builtin, Offload } from "./offload.ts";
import { thisPlatform } from "./platform.ts";

/** The part of `bun:ffi` we use; kept minimal on purpose, checked against the real one in tests. */
interface BunForeign {
  dlopen(path: string, symbols: Record<string, BunSymbol>): {
    readonly symbols: ForeignFunctions;
  };
  ptr(octets: Uint8Array): number;
  toArrayBuffer(address: number, offset: number, length: number): ArrayBuffer;
}

interface BunSymbol {
  readonly args: readonly ("u64" | "u32")[];
  readonly returns: "u32";
}

/** Foreign functions by `bun:ffi`; what may wait runs in a Worker. */
export function bunForeign(): ForeignRuntime {
  const bun = builtin("bun:ffi") as BunForeign | undefined;
  if (bun === undefined) {
    throw new ConfigError("Cannot call libraries by bun:ffi: this is not Bun", {
      code: "unsupported-setting",
    });
  }
  return {
    name: "bun:ffi",
    ...thisPlatform(),
    load: (path, signatures) => load(bun, path, signatures),
  };
}

function load(bun: BunForeign, path: string, signatures: Signatures): ForeignLibrary {
  const symbols = symbolsOf(signatures);
  const { symbols: functions } = bun.dlopen(path, symbols);
  const offload = new Offload({ ffi: "bun:ffi", path, symbols, signatures });
  return {
    path,
    call: (name, args) => Number(callForeign(functions, signatures, name, args)),
    openThread: () => offload.open(),
    addressOf: (octets) => BigInt(bun.ptr(octets)),
    copyFrom: (address, length) =>
      length === 0
        ? new Uint8Array(0)
        : new Uint8Array(bun.toArrayBuffer(Number(address), 0, length).slice(0)),
  };
}

function symbolsOf(signatures: Signatures): Record<string, BunSymbol> {
  const symbols: Record<string, BunSymbol> = {};
  for (const [name, types] of Object.entries(signatures)) {
    symbols[name] = {
      args: types.map((type) => type === "u32" ? "u32" : "u64"),
      returns: "u32",
    };
  }
  return symbols;
}
