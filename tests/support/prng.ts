/**
 * Chance that can be repeated: the same seed gives the same numbers on every runtime. Print the seed in every
 * message of a failing test.
 */
export class Prng {
  #state: number;

  /** @param seed Any integer; equal seeds give equal sequences. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to 2^32 - 1. A Weyl sequence, its steps scrambled by multiplying and shifting. */
  u32(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * limit);
  }

  /** One of the items; there must be one. */
  pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new Error("Cannot pick from an empty list");
    return items[this.below(items.length)] as Item;
  }

  /** `length` octets. */
  octets(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** Octets worth trying where a length, a count or a sign stands. */
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xff];

/** A copy with one to three changes: octets replaced, bits turned, pieces cut out, doubled or added. */
export function mutate(octets: Uint8Array, prng: Prng): Uint8Array {
  let now = [...octets];
  for (let changes = 1 + prng.below(3); changes > 0; changes--) {
    const at = prng.below(now.length + 1);
    const until = at + 1 + prng.below(8);
    switch (prng.below(6)) {
      case 0:
        if (at < now.length) now[at] = prng.below(256);
        break;
      case 1:
        if (at < now.length) now[at] = prng.pick(EDGES);
        break;
      case 2:
        if (at < now.length) now[at] = (now[at] as number) ^ (1 << prng.below(8));
        break;
      case 3:
        now = [...now.slice(0, at), ...now.slice(until)];
        break;
      case 4:
        now = [...now.slice(0, until), ...now.slice(at)];
        break;
      default:
        now = [...now.slice(0, at), ...prng.octets(1 + prng.below(8)), ...now.slice(at)];
    }
  }
  return Uint8Array.from(now);
}
