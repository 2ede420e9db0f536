/** A library in memory: every call is noted, and answered by a function of the test that sees real addresses. */
import type { ForeignLibrary, ForeignRuntime, Signatures } from "../../src/gss/foreign.ts";

/** What a function of the library does; it returns its status. */
export type FakeFunction = (memory: FakeMemory, args: readonly bigint[]) => number;

/** One call. */
export interface FakeCall {
  readonly name: string;
  readonly args: readonly bigint[];
  /** Whether it was made where waiting holds nobody up. */
  readonly waits: boolean;
}

/** Address space: what we handed over, and what the library allocates. */
export class FakeMemory {
  readonly #blocks: { readonly base: bigint; readonly octets: Uint8Array }[] = [];
  #next = 0x10000n;

  /** Gives octets an address. */
  place(octets: Uint8Array): bigint {
    const base = this.#next;
    this.#blocks.push({ base, octets });
    this.#next += BigInt(octets.length + 0x1000);
    return base;
  }

  /** The octets at an address, to the end of their block. */
  at(address: bigint): Uint8Array {
    const block = this.#blocks.find(({ base, octets }) =>
      address >= base && address < base + BigInt(octets.length)
    );
    if (block === undefined) throw new Error(`Nothing is at 0x${address.toString(16)}`);
    return block.octets.subarray(Number(address - block.base));
  }

  view(address: bigint): DataView {
    const octets = this.at(address);
    return new DataView(octets.buffer, octets.byteOffset, octets.length);
  }

  /** Reads a zero-ended text of UTF-16. */
  utf16(address: bigint): string {
    const view = this.view(address);
    let text = "";
    for (let at = 0; view.getUint16(at, true) !== 0; at += 2) {
      text += String.fromCharCode(view.getUint16(at, true));
    }
    return text;
  }
}

/** A runtime whose only library is this one. */
export class FakeLibrary {
  readonly memory: FakeMemory = new FakeMemory();
  readonly calls: FakeCall[] = [];
  readonly loaded: string[] = [];
  readonly runtime: ForeignRuntime;
  /** Threads that were not given back. */
  threads = 0;

  constructor(
    platform: Pick<ForeignRuntime, "platform" | "isX64">,
    functions: Readonly<Record<string, FakeFunction>>,
  ) {
    const load = (path: string, signatures: Signatures): ForeignLibrary => {
      this.loaded.push(path);
      const call = (name: string, args: readonly bigint[], waits: boolean): number => {
        const types = signatures[name];
        if (types === undefined) throw new Error(`"${name}" was not declared`);
        if (types.length !== args.length) throw new Error(`"${name}" takes ${types.length}`);
        this.calls.push({ name, args, waits });
        return functions[name]?.(this.memory, args) ?? 0;
      };
      return {
        path,
        call: (name, args) => call(name, args, false),
        openThread: () => {
          this.threads += 1;
          return {
            call: (name, args) => Promise.resolve().then(() => call(name, args, true)),
            release: () => {
              this.threads -= 1;
            },
          };
        },
        addressOf: (octets) => this.memory.place(octets),
        copyFrom: (address, length) => this.memory.at(address).slice(0, length),
      };
    };
    this.runtime = { name: "fake", ...platform, load };
  }

  /** The names of the calls so far. */
  get names(): readonly string[] {
    return this.calls.map(({ name }) => name);
  }
}
