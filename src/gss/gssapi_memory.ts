import { Arena, type Place } from "./arena.ts";
import type { ForeignLibrary } from "./foreign.ts";
import { OID } from "./gssapi_abi.ts";

/** The longest token: what fits into a GSSResponse, or into a frame before encryption begins. */
const MAX_INPUT = 65_536;
const STRUCTURES = 2_048;

/** The memory of one context: its handles, and the structures its calls are given (gss_buffer_desc, gss_OID_desc). */
export class GssapiMemory {
  readonly #library: ForeignLibrary;
  readonly #arena: Arena;
  readonly #minor: Place;
  readonly #context: Place;
  readonly #name: Place;
  readonly #credentials: Place;
  readonly #input: Place;
  readonly #inputOctets: Place;
  readonly #output: Place;
  readonly #flags: Place;
  readonly #number: Place;
  readonly #state: Place;
  readonly #serviceType: Place;
  readonly #mechanism: Place;

  /**
   * @param library Who reads it.
   * @param mechanism Which object identifier `mechanism` is.
   * @param oidPointerOffset Where a gss_OID_desc has its pointer.
   */
  constructor(library: ForeignLibrary, mechanism: Uint8Array, oidPointerOffset: number) {
    this.#library = library;
    const arena = new Arena(library, STRUCTURES + MAX_INPUT);
    this.#arena = arena;
    this.#minor = arena.reserve(4);
    this.#context = arena.reserve(8);
    this.#name = arena.reserve(8);
    this.#credentials = arena.reserve(8);
    this.#input = arena.reserve(16);
    this.#output = arena.reserve(16);
    this.#flags = arena.reserve(4);
    this.#number = arena.reserve(4);
    this.#state = arena.reserve(4);
    this.#serviceType = reserveOid(arena, OID.hostBasedService, oidPointerOffset);
    this.#mechanism = reserveOid(arena, mechanism, oidPointerOffset);
    this.#inputOctets = arena.reserve(MAX_INPUT);
  }

  /** Where the minor status goes. */
  get minorAt(): bigint {
    return this.#arena.at(this.#minor);
  }
  /** The minor status of the last call. */
  get minor(): number {
    return this.#arena.u32(this.#minor);
  }
  /** Where the handle of the context is. */
  get contextAt(): bigint {
    return this.#arena.at(this.#context);
  }
  /** The context; 0 before its first step. */
  get context(): bigint {
    return this.#arena.u64(this.#context);
  }
  /** Where the handle of the name is. */
  get nameAt(): bigint {
    return this.#arena.at(this.#name);
  }
  /** The name; 0 before it is imported. */
  get name(): bigint {
    return this.#arena.u64(this.#name);
  }
  /** Where the handle of credentials is. */
  get credentialsAt(): bigint {
    return this.#arena.at(this.#credentials);
  }
  /** The gss_buffer_desc of what goes in. */
  get inputAt(): bigint {
    return this.#arena.at(this.#input);
  }
  /** The gss_buffer_desc of what comes out. */
  get outputAt(): bigint {
    return this.#arena.at(this.#output);
  }
  /** Where the flags of a context go. */
  get flagsAt(): bigint {
    return this.#arena.at(this.#flags);
  }
  /** The flags of the context. */
  get flags(): number {
    return this.#arena.u32(this.#flags);
  }
  /** Where a number goes: a size, or where a text of several parts goes on. */
  get numberAt(): bigint {
    return this.#arena.at(this.#number);
  }
  /** That number. */
  get number(): number {
    return this.#arena.u32(this.#number);
  }
  /** Where it goes whether something was encrypted. */
  get stateAt(): bigint {
    return this.#arena.at(this.#state);
  }
  /** Whether the last wrap or unwrap was of something encrypted. */
  get encrypted(): boolean {
    return this.#arena.u32(this.#state) !== 0;
  }
  /** The gss_OID_desc of names of the form service@host. */
  get serviceTypeAt(): bigint {
    return this.#arena.at(this.#serviceType);
  }
  /** The gss_OID_desc of the mechanism. */
  get mechanismAt(): bigint {
    return this.#arena.at(this.#mechanism);
  }

  /** Puts octets where `inputAt` points to. */
  give(octets: Uint8Array): void {
    if (octets.length > MAX_INPUT) throw new RangeError(`${octets.length} octets are too many`);
    this.#arena.set(this.#inputOctets, octets);
    this.#arena.setU64(this.#input, BigInt(octets.length));
    this.#arena.setU64(this.#input + 8, this.#arena.at(this.#inputOctets));
  }

  /** Makes ready for a call that fills these. */
  clearResults(): void {
    this.#arena.setU64(this.#output, 0n);
    this.#arena.setU64(this.#output + 8, 0n);
    this.#arena.setU32(this.#state, 0);
  }

  /** Gives what came out of a failed call back, which the words for the failure would overwrite; keeps its minor status. */
  dropOutput(): void {
    const { minor } = this;
    this.takeOutput();
    this.#arena.setU32(this.#minor, minor);
  }

  /** Sets the number a text begins with. */
  clearNumber(): void {
    this.#arena.setU32(this.#number, 0);
  }

  /** Copies what came out, and gives the library its memory back. */
  takeOutput(): Uint8Array {
    const length = Number(this.#arena.u64(this.#output));
    const address = this.#arena.u64(this.#output + 8);
    const octets = length === 0 || address === 0n
      ? new Uint8Array(0)
      : this.#library.copyFrom(address, length);
    this.#library.call("gss_release_buffer", [this.minorAt, this.outputAt]);
    this.#arena.setU64(this.#output, 0n);
    this.#arena.setU64(this.#output + 8, 0n);
    return octets;
  }

  /** Forgets everything. The library must have released its own part. */
  wipe(): void {
    this.#arena.wipe();
  }
}

function reserveOid(arena: Arena, octets: Uint8Array, pointerOffset: number): Place {
  const elements = arena.reserveFor(octets);
  const descriptor = arena.reserve(16);
  arena.setU32(descriptor, octets.length);
  arena.setU64(descriptor + pointerOffset, arena.at(elements));
  return descriptor;
}
