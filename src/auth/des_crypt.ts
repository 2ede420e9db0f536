import { ProtocolError } from "../errors.ts";
import {
  DES_PBOX,
  DES_PC1,
  DES_PC2,
  DES_ROTATIONS,
  DES_SBOXES,
  desExpansion,
  desFinal,
} from "./des_tables.ts";

/** The digits of crypt(3), six bits each. */
const DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** How often crypt(3) runs DES over a block of zeros. */
const RUNS = 25;
/** crypt(3) looks at no more of a password. */
const KEY_OCTETS = 8;

/**
 * The answer to AuthenticationCryptPassword: traditional crypt(3), which is DES with the password for its key and a salt
 * that swaps bits of its expansion. It takes hours to undo today; the method exists for servers up to PostgreSQL 8.3.
 *
 * @param password The password's octets as given: of the first eight, seven bits each.
 * @param salt The two octets of the request, of `./0-9A-Za-z`.
 * @returns 13 ASCII octets: the salt and eleven digits.
 * @throws {ProtocolError} If the salt is none.
 */
export function cryptPassword(password: Uint8Array, salt: Uint8Array): Uint8Array {
  const digits = Array.from(salt, (octet) => DIGITS.indexOf(String.fromCharCode(octet)));
  const [low = -1, high = -1, ...more] = digits;
  if (low < 0 || high < 0 || more.length > 0) {
    throw new ProtocolError(
      "Cannot answer AuthenticationCryptPassword: its salt must be two of ./0-9A-Za-z",
      { phase: "authenticate" },
    );
  }
  const subkeys = subkeysOf(bitsOfPassword(password));
  const expansion = salted(low | high << 6);
  let block: Bits = new Uint8Array(64);
  for (let run = 0; run < RUNS; run++) block = encrypt(block, subkeys, expansion);
  for (const key of subkeys) key.fill(0);
  const answer = new Uint8Array(13);
  answer.set(salt);
  answer.set(digitsOf(block), 2);
  return answer;
}

/** One bit an element, most significant first, as the tables of FIPS 46-3 count. */
type Bits = Uint8Array;

function permuted(bits: Bits, table: readonly number[]): Bits {
  return Uint8Array.from(table, (place) => bits[place - 1] ?? 0);
}

/** Seven bits an octet, and a zero where DES has its parity. */
function bitsOfPassword(password: Uint8Array): Bits {
  const bits = new Uint8Array(64);
  password.subarray(0, KEY_OCTETS).forEach((octet, at) => {
    for (let bit = 0; bit < 7; bit++) bits[8 * at + bit] = octet >> (6 - bit) & 1;
  });
  return bits;
}

function subkeysOf(key: Bits): readonly Bits[] {
  const chosen = permuted(key, DES_PC1);
  key.fill(0);
  let left: Bits = chosen.slice(0, 28);
  let right: Bits = chosen.slice(28);
  return DES_ROTATIONS.map((places) => {
    left = rotated(left, places);
    right = rotated(right, places);
    return permuted(Uint8Array.of(...left, ...right), DES_PC2);
  });
}

function rotated(bits: Bits, places: number): Bits {
  return Uint8Array.of(...bits.subarray(places), ...bits.subarray(0, places));
}

/** The expansion with bit n and bit n + 24 swapped wherever the salt has bit n. */
function salted(salt: number): readonly number[] {
  const table = desExpansion();
  for (let bit = 0; bit < 12; bit++) {
    if ((salt >> bit & 1) === 0) continue;
    const kept = table[bit] ?? 0;
    table[bit] = table[bit + 24] ?? 0;
    table[bit + 24] = kept;
  }
  return table;
}

/** One run of DES without its initial and final permutation, which undo each other between runs; see `digitsOf`. */
function encrypt(block: Bits, subkeys: readonly Bits[], expansion: readonly number[]): Bits {
  let left: Bits = block.slice(0, 32);
  let right: Bits = block.slice(32);
  for (const subkey of subkeys) {
    const mixed = round(right, subkey, expansion);
    mixed.forEach((bit, at) => mixed[at] = bit ^ (left[at] ?? 0));
    left = right;
    right = mixed;
  }
  return Uint8Array.of(...right, ...left);
}

function round(half: Bits, subkey: Bits, expansion: readonly number[]): Bits {
  const wide = permuted(half, expansion);
  wide.forEach((bit, at) => wide[at] = bit ^ (subkey[at] ?? 0));
  const out = new Uint8Array(32);
  DES_SBOXES.forEach((box, number) => {
    const [b0 = 0, b1 = 0, b2 = 0, b3 = 0, b4 = 0, b5 = 0] = wide.subarray(6 * number);
    const place = (b0 << 1 | b5) * 16 + (b1 << 3 | b2 << 2 | b3 << 1 | b4);
    const value = parseInt(box.charAt(place), 16);
    for (let bit = 0; bit < 4; bit++) out[4 * number + bit] = value >> (3 - bit) & 1;
  });
  return permuted(out, DES_PBOX);
}

/** The final permutation, then six bits a digit, with two zeros behind the last. */
function digitsOf(block: Bits): Uint8Array {
  const bits = permuted(block, desFinal());
  return Uint8Array.from({ length: 11 }, (_, digit) => {
    let value = 0;
    for (let bit = 0; bit < 6; bit++) value = value << 1 | (bits[6 * digit + bit] ?? 0);
    return DIGITS.charCodeAt(value);
  });
}
