import { ConfigError } from "../errors.ts";
import { callForeign, type ForeignFunctions } from "./calls.ts";
import type { ForeignLibrary, ForeignRuntime, ForeignThread, Signatures } from "./foreign.ts";

/** The part of Deno we use; kept minimal on purpose, checked against the real one in tests. */
interface DenoForeign {
  readonly build: { readonly os: string; readonly arch: string };
  dlopen(path: string, symbols: Record<string, DenoSymbol>): {
    readonly symbols: ForeignFunctions;
  };
  readonly UnsafePointer: {
    of(octets: Uint8Array): unknown;
    create(address: bigint): unknown;
    value(pointer: unknown): bigint;
  };
  readonly UnsafePointerView: new (pointer: unknown) => { copyInto(into: Uint8Array): void };
}

interface DenoSymbol {
  readonly name: string;
  readonly parameters: readonly ("usize" | "u32")[];
  readonly result: "u32";
  readonly nonblocking: boolean;
}

/** Foreign functions by `Deno.dlopen`; what may wait runs on Deno's own pool of threads. */
export function denoForeign(): ForeignRuntime {
  const deno = (globalThis as unknown as { Deno?: DenoForeign }).Deno;
  if (deno === undefined) {
    throw new ConfigError("Cannot call libraries by Deno.dlopen: this is not Deno", {
      code: "unsupported-setting",
    });
  }
  const { os, arch } = deno.build;
  return {
    name: "Deno.dlopen",
    platform: os === "windows" || os === "darwin" ? os : "linux",
    isX64: arch === "x86_64",
    load: (path, signatures) => load(deno, path, signatures),
  };
}

function load(deno: DenoForeign, path: string, signatures: Signatures): ForeignLibrary {
  const { symbols } = permitted(path, () => deno.dlopen(path, symbolsOf(signatures)));
  const waiting = Object.fromEntries(
    Object.keys(signatures).map((name) => [name, symbols[`${name}${WAITS}`]]),
  );
  const thread: ForeignThread = {
    call: async (name, args) => Number(await callForeign(waiting, signatures, name, args)),
    release: () => {},
  };
  return {
    path,
    call: (name, args) => Number(callForeign(symbols, signatures, name, args)),
    openThread: () => thread,
    addressOf: (octets) =>
      permitted(path, () => BigInt(deno.UnsafePointer.value(deno.UnsafePointer.of(octets)))),
    copyFrom(address, length) {
      const octets = new Uint8Array(length);
      const view = new deno.UnsafePointerView(deno.UnsafePointer.create(address));
      view.copyInto(octets);
      return octets;
    },
  };
}

/** Each function twice: on this thread, and, under a name of its own, on another. */
const WAITS = "#waits";

function symbolsOf(signatures: Signatures): Record<string, DenoSymbol> {
  const symbols: Record<string, DenoSymbol> = {};
  for (const [name, types] of Object.entries(signatures)) {
    const parameters = types.map((type) => type === "u32" ? "u32" as const : "usize" as const);
    symbols[name] = { name, parameters, result: "u32", nonblocking: false };
    symbols[`${name}${WAITS}`] = { name, parameters, result: "u32", nonblocking: true };
  }
  return symbols;
}

/** Scoped permission is not enough: where memory is shared with a library, Deno wants all of it. */
function permitted<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if ((cause as { name?: unknown } | null)?.name !== "NotCapable") throw cause;
    throw new ConfigError(`Cannot load "${path}": Deno needs the permission "--allow-ffi"`, {
      code: "missing-permission",
      cause,
      hint: "A path behind it is not enough, as memory is shared with the library",
    });
  }
}
