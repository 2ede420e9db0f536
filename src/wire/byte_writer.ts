import { UsageError } from "../errors.ts";
import { MAX_LENGTH_WORD } from "./codes.ts";
import { encodeText } from "./text.ts";

const FIRST_CAPACITY = 128;
/** Up to this many characters, writing them one by one is faster than a call of TextEncoder. */
const SHORT = 32;

/**
 * The length word for a body: four more than its octets.
 *
 * @param octets How many octets the body has.
 * @throws {UsageError} If the word would exceed 2^31 - 1: it must never wrap (CVE-2024-27304).
 */
export function lengthWord(octets: number): number {
  if (octets + 4 > MAX_LENGTH_WORD) {
    throw new UsageError(
      `Cannot encode a message of ${octets} octets: it must be at most ${MAX_LENGTH_WORD - 4}`,
    );
  }
  return octets + 4;
}

/** Builds octets from front to back in a buffer that grows. */
export class ByteWriter {
  #buffer: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  #at = 0;
  /** Where the length word of the message being written stands. */
  #lengthAt: number | undefined;

  /** How many octets were written. */
  get length(): number {
    return this.#at;
  }

  /**
   * Begins a message: its type octet, and room for the length word.
   *
   * @param type The type octet; undefined for start-up packets, which have none.
   * @throws {UsageError} If the message before was not ended.
   */
  begin(type: number | undefined): void {
    if (this.#lengthAt !== undefined) {
      throw new UsageError("Cannot begin a message: the one before must be ended first");
    }
    if (type !== undefined) this.u8(type);
    this.#lengthAt = this.#at;
    this.i32(0);
  }

  /**
   * Ends the message: fills in its length word.
   *
   * @throws {UsageError} If no message was begun, or it is too long.
   */
  end(): void {
    const lengthAt = this.#lengthAt;
    if (lengthAt === undefined) {
      throw new UsageError("Cannot end a message: none was begun");
    }
    const length = lengthWord(this.#at - lengthAt - 4);
    this.#put32(lengthAt, length);
    this.#lengthAt = undefined;
  }

  /** One octet. */
  u8(value: number): void {
    integer(value, 0, 0xff);
    const at = this.#reserve(1);
    this.#buffer[at] = value;
  }

  /** Two octets, from -32768 to 32767. */
  i16(value: number): void {
    integer(value, -0x8000, 0x7fff);
    const at = this.#reserve(2);
    this.#buffer[at] = value >>> 8;
    this.#buffer[at + 1] = value;
  }

  /** Four octets, from -2^31 to 2^31 - 1. */
  i32(value: number): void {
    integer(value, -0x8000_0000, 0x7fff_ffff);
    this.#put32(this.#reserve(4), value);
  }

  /** Four octets, from 0 to 2^32 - 1. */
  u32(value: number): void {
    integer(value, 0, 0xffff_ffff);
    this.#put32(this.#reserve(4), value);
  }

  /**
   * A text as UTF-8 and a zero octet.
   *
   * @param text What to write.
   * @param what Names the text in errors, which never show the text.
   * @throws {UsageError} If the text holds a zero octet or half a surrogate pair.
   */
  cstring(text: string, what = "a text"): void {
    if (text.length <= SHORT && this.#ascii(text)) return;
    this.bytes(encodeText(text, what));
    this.u8(0);
  }

  /** The octets as they are; copied. */
  bytes(octets: Uint8Array): void {
    const at = this.#reserve(octets.length);
    this.#buffer.set(octets, at);
  }

  /**
   * Everything written; the writer is empty afterwards and the octets belong to the caller.
   *
   * @throws {UsageError} If a message was not ended.
   */
  finish(): Uint8Array {
    if (this.#lengthAt !== undefined) {
      throw new UsageError("Cannot finish: the message begun must be ended first");
    }
    const whole = this.#buffer.slice(0, this.#at);
    // It may have been a password.
    this.#buffer.fill(0, 0, this.#at);
    this.#at = 0;
    return whole;
  }

  /** Writes a text of ASCII characters and its zero octet; writes nothing, and returns false, for any other. */
  #ascii(text: string): boolean {
    const at = this.#reserve(text.length + 1);
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code === 0 || code > 0x7f) {
        this.#buffer.fill(0, at, at + index);
        this.#at = at;
        return false;
      }
      this.#buffer[at + index] = code;
    }
    this.#buffer[at + text.length] = 0;
    return true;
  }

  #put32(at: number, value: number): void {
    this.#buffer[at] = value >>> 24;
    this.#buffer[at + 1] = value >>> 16;
    this.#buffer[at + 2] = value >>> 8;
    this.#buffer[at + 3] = value;
  }

  /** Makes room for `n` octets and returns where they begin. */
  #reserve(n: number): number {
    const at = this.#at;
    const needed = at + n;
    if (needed > this.#buffer.length) {
      lengthWord(needed - 4);
      const bigger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
      bigger.set(this.#buffer.subarray(0, at));
      this.#buffer.fill(0, 0, at);
      this.#buffer = bigger;
    }
    this.#at = needed;
    return at;
  }
}

/** @throws {UsageError} If the value is no integer of that range, and would be cut to fit. */
function integer(value: number, least: number, greatest: number): void {
  if (!Number.isInteger(value) || value < least || value > greatest) {
    throw new UsageError(
      `Cannot encode the integer "${value}": it must be ${least} to ${greatest}`,
    );
  }
}
