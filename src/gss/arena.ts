import type { ForeignLibrary } from "./foreign.ts";

/** A place in an {@link Arena}, in octets from its begin. */
export type Place = number;

/**
 * Memory that a library reads and writes while we hold it. It is one buffer that never moves; nothing in it is ever
 * pointed to after the arena is wiped.
 */
export class Arena {
  readonly #octets: Uint8Array;
  readonly #view: DataView;
  readonly #base: bigint;
  #used = 0;

  /**
   * @param library Who reads it.
   * @param octets How much there is.
   */
  constructor(library: ForeignLibrary, octets: number) {
    this.#octets = new Uint8Array(octets);
    this.#view = new DataView(this.#octets.buffer);
    this.#base = library.addressOf(this.#octets);
  }

  /** Sets memory aside, on a boundary of eight octets. */
  reserve(octets: number): Place {
    const place = this.#used;
    this.#used = (place + octets + 7) & ~7;
    if (this.#used > this.#octets.length) throw new RangeError("the arena is too small");
    return place;
  }

  /** Sets memory aside that holds these octets. */
  reserveFor(octets: Uint8Array): Place {
    const place = this.reserve(octets.length);
    this.#octets.set(octets, place);
    return place;
  }

  /** The address of a place. */
  at(place: Place): bigint {
    return this.#base + BigInt(place);
  }

  /** Reads 32 bits. */
  u32(place: Place): number {
    return this.#view.getUint32(place, true);
  }

  /** Reads 64 bits: a pointer, a handle or a size. */
  u64(place: Place): bigint {
    return this.#view.getBigUint64(place, true);
  }

  /** Writes 32 bits. */
  setU32(place: Place, value: number): void {
    this.#view.setUint32(place, value, true);
  }

  /** Writes 64 bits. */
  setU64(place: Place, value: bigint): void {
    this.#view.setBigUint64(place, value, true);
  }

  /** Writes octets. */
  set(place: Place, octets: Uint8Array): void {
    this.#octets.set(octets, place);
  }

  /** Overwrites everything with zeros. */
  wipe(): void {
    this.#octets.fill(0);
  }
}
