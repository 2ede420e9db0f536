import { MessageFormatError } from "../errors.ts";
import {
  BACKEND,
  MAX_ERROR_LENGTH,
  MAX_LEGACY_ERROR_TEXT,
  MIN_BEFORE_OK_LENGTH,
  MIN_LENGTH,
  MIN_STARTUP_LENGTH,
  showOctet,
} from "./codes.ts";
import type { FrameLimits } from "./limits.ts";
import { decodeText } from "./text.ts";

export type { FrameLimits } from "./limits.ts";
export { BEFORE_OK_LIMITS, FRONTEND_LIMITS, PREPARE_LIMITS, SESSION_LIMITS } from "./limits.ts";

/** One message as it came: its type octet and what follows the length word. */
export interface Frame {
  /** The type octet. */
  readonly type: number;
  /** Belongs to whoever got the frame: the octets are never written again. */
  readonly body: Uint8Array;
  /** An error in the form of protocol 2: `body` is its text, without the zero octet. */
  readonly legacy?: true;
}

/** Type octet and length word. */
const HEADER = 5;
/** Blocks that gather small pieces grow up to this size. */
const MAX_SPARE_BLOCK = 16_384;
/** Below, octets are cheaper copied together than kept apart; so one at a time costs no memory. */
const MIN_ADOPTED = 1024;
/** Blocks read to their end are dropped from the list once there are so many. */
const MAX_SPENT_BLOCKS = 32;

/** The list of a deframer that holds nothing; never written to. */
const NONE: Uint8Array[] = [];

/**
 * Cuts a stream into messages, wherever its pieces were cut.
 *
 * Octets are copied when pushed, not when adopted, and once more if their message straddles blocks. Small pieces
 * that do not complete a message share blocks, so that one octet at a time costs neither time nor memory.
 */
export class Deframer {
  /** Blocks of octets; all are written to their end but the last. Written octets never change. */
  #blocks: Uint8Array[] = NONE;
  /** The block to read from, and where in it. */
  #head = 0;
  #at = 0;
  /** How far the last block is written. */
  #tailEnd = 0;
  #held = 0;
  /** Inside an error in the form of protocol 2: how much of its text is known to hold no zero octet. */
  #scanned: number | undefined;
  /** The message stepped to: its type, and where its body stands. */
  #type = 0;
  #body: Uint8Array | undefined;
  #bodyAt = 0;
  #bodyLength = 0;
  #isLegacy = false;

  /** How many octets were pushed and not taken out yet. */
  get held(): number {
    return this.#held;
  }

  /**
   * Adds octets of the stream and keeps them as they are: nobody may write them any more. Few at a time are copied all
   * the same.
   */
  adopt(octets: Uint8Array): void {
    const length = octets.length;
    if (length < MIN_ADOPTED) return this.push(octets);
    this.#cutTail();
    // Not a Buffer of Node, whose slice() does not copy.
    const { buffer, byteOffset } = octets;
    this.#append(new Uint8Array(buffer, byteOffset, length));
    this.#tailEnd = length;
    this.#held += length;
  }

  /** Adds octets of the stream; they are copied. */
  push(octets: Uint8Array): void {
    const length = octets.length;
    if (length === 0) return;
    const tail = this.#blocks.at(-1);
    if (tail !== undefined && tail.length - this.#tailEnd >= length) {
      tail.set(octets, this.#tailEnd);
      this.#tailEnd += length;
    } else {
      this.#cutTail();
      // As much room again as is held: the number of blocks stays small, and at most half is spare.
      const block = new Uint8Array(Math.max(length, Math.min(this.#held, MAX_SPARE_BLOCK)));
      block.set(octets);
      this.#append(block);
      this.#tailEnd = length;
    }
    this.#held += length;
  }

  /** The next octet without taking it out; undefined if none is held. */
  peek(): number | undefined {
    return this.#held === 0 ? undefined : this.#octet(0);
  }

  /** Takes out one octet that is no message, as the answer to SSLRequest; undefined if none is held. */
  octet(): number | undefined {
    if (this.#held === 0) return undefined;
    const octet = this.#octet(0);
    this.#skip(1);
    return octet;
  }

  /**
   * Takes out the next message; undefined until all of it is held.
   *
   * @param limits What is legal in this phase.
   * @throws {MessageFormatError} As soon as the header is held, if its length word is not legal.
   */
  message(limits: FrameLimits): Frame | undefined {
    if (!this.step(limits)) return undefined;
    const type = this.#type;
    const body = this.body();
    return this.#isLegacy ? { type, body, legacy: true } : { type, body };
  }

  /**
   * Steps to the next message without making anything of it: for whoever looks at few of many. Its {@link type} and
   * {@link body} can be had until the next step.
   *
   * @param limits What is legal in this phase.
   * @returns Whether all of it was held; if not, there is no message now.
   * @throws {MessageFormatError} As soon as the header is held, if its length word is not legal.
   */
  step(limits: FrameLimits): boolean {
    return (!limits.legacyErrors && this.#stepInside(limits)) || this.#stepAnywhere(limits);
  }

  /** The usual case: a message that ends inside the block it begins in. Takes nothing, and returns false, in any other. */
  #stepInside(limits: FrameLimits): boolean {
    const block = this.#blocks[this.#head];
    const at = this.#at;
    if (block === undefined || this.#held < HEADER || at + HEADER > block.length) return false;
    const type = block[at] ?? 0;
    const length = (((block[at + 1] ?? 0) << 24) | ((block[at + 2] ?? 0) << 16) |
      ((block[at + 3] ?? 0) << 8) | (block[at + 4] ?? 0)) >>> 0;
    const next = at + 1 + length;
    if (
      length < limits.alwaysFrom || length > limits.alwaysTo || this.#held <= length + 1 ||
      next >= block.length
    ) return false;
    this.#type = type;
    this.#body = block;
    this.#bodyAt = at + HEADER;
    this.#bodyLength = length - 4;
    this.#isLegacy = false;
    this.#scanned = undefined;
    this.#at = next;
    this.#held -= length + 1;
    return true;
  }

  #stepAnywhere(limits: FrameLimits): boolean {
    this.#body = undefined;
    this.#isLegacy = false;
    if (this.#held === 0) return false;
    const type = this.#octet(0);
    this.#type = type;
    if (limits.legacyErrors && type === BACKEND.ErrorResponse && this.#isLegacyError()) {
      this.#body = this.#legacyError();
      this.#bodyAt = 0;
      this.#bodyLength = this.#body?.length ?? 0;
      this.#isLegacy = true;
      return this.#body !== undefined;
    }
    this.#scanned = undefined;
    if (this.#held < HEADER) return false;
    const length = this.#u32(1);
    const least = limits.minLength?.(type) ?? MIN_LENGTH;
    const greatest = limits.maxLength(type);
    if (length < least || length > greatest) {
      throw badLength(`message ${showOctet(type)}`, length, least, greatest);
    }
    if (this.#held <= length) return false;
    this.#skip(HEADER);
    this.#body = this.#cut(length - 4);
    this.#bodyAt = 0;
    this.#bodyLength = length - 4;
    return true;
  }

  /** The type octet of the message stepped to. */
  get type(): number {
    return this.#type;
  }

  /** What follows the length word of the message stepped to; nobody writes these octets again. */
  body(): Uint8Array {
    const length = this.#bodyLength;
    if (this.#body === undefined || length === 0) return NOTHING;
    return this.#body.subarray(this.#bodyAt, this.#bodyAt + length);
  }

  /**
   * Takes out the next start-up packet, which has no type octet; undefined until all of it is held.
   *
   * @param maxLength The greatest legal length word.
   * @returns What follows the length word.
   * @throws {MessageFormatError} As soon as the length word is held, if it is below 8 or above `maxLength`.
   */
  packet(maxLength: number): Uint8Array | undefined {
    if (this.#held < 4) return undefined;
    const length = this.#u32(0);
    if (length < MIN_STARTUP_LENGTH || length > maxLength) {
      throw badLength("the start-up packet", length, MIN_STARTUP_LENGTH, maxLength);
    }
    if (this.#held < length) return undefined;
    this.#skip(4);
    return this.#cut(length - 4);
  }

  /**
   * Takes out the text of an error in the form of protocol 2 that lacks its zero octet; for when the stream has
   * ended. Undefined if the last `message()` was not inside one.
   */
  legacyErrorAtEnd(): string | undefined {
    if (this.#scanned === undefined) return undefined;
    this.#skip(1);
    return decodeText(this.take()).trim();
  }

  /**
   * Takes out everything that is held: a copy, as what stands beside it in our block is not the caller's business
   * (the cancel key among it).
   */
  take(): Uint8Array {
    this.#scanned = undefined;
    return this.#held === 0 ? NOTHING : new Uint8Array(this.#cut(this.#held));
  }

  /**
   * libpq's rule (fe-connect.c): `E` whose length word is impossible is text. A text begins with an octet
   * other than zero, which alone makes the word too great.
   */
  #isLegacyError(): boolean {
    if (this.#held < 2) return false;
    if (this.#octet(1) !== 0) return true;
    if (this.#held < HEADER) return false;
    const length = this.#u32(1);
    return length < MIN_BEFORE_OK_LENGTH || length > MAX_ERROR_LENGTH;
  }

  #legacyError(): Uint8Array | undefined {
    const most = Math.min(this.#held - 1, MAX_LEGACY_ERROR_TEXT);
    const zero = this.#findZero(1 + (this.#scanned ?? 0), 1 + most);
    if (zero === undefined && most < MAX_LEGACY_ERROR_TEXT) {
      this.#scanned = most;
      return undefined;
    }
    this.#scanned = undefined;
    this.#skip(1);
    const body = this.#cut(zero === undefined ? most : zero - 1);
    if (zero !== undefined) this.#skip(1);
    return body;
  }

  /** Where the first zero octet stands, from `from` on and before `until`, counted from the next octet. */
  #findZero(from: number, until: number): number | undefined {
    let before = 0;
    for (let index = this.#head; before < until && index < this.#blocks.length; index++) {
      const octets = this.#unread(index);
      const start = Math.max(from - before, 0);
      const zero = octets.subarray(start, until - before).indexOf(0);
      if (zero !== -1) return before + start + zero;
      before += octets.length;
    }
    return undefined;
  }

  #append(block: Uint8Array): void {
    if (this.#blocks === NONE) this.#blocks = [block];
    else this.#blocks.push(block);
  }

  /** Ends the last block where it is written, so that another can follow. */
  #cutTail(): void {
    const last = this.#blocks.length - 1;
    const tail = this.#blocks[last];
    if (tail !== undefined && tail.length > this.#tailEnd) {
      this.#blocks[last] = tail.subarray(0, this.#tailEnd);
    }
  }

  /** What is unread of a block. */
  #unread(index: number): Uint8Array {
    const block = this.#blocks[index] ?? NOTHING;
    const end = index === this.#blocks.length - 1 ? this.#tailEnd : block.length;
    return block.subarray(index === this.#head ? this.#at : 0, end);
  }

  /** The octet `offset` behind the next; `offset` must be below `held`. */
  #octet(offset: number): number {
    let index = this.#head;
    let at = this.#at + offset;
    let block = this.#blocks[index];
    // The last block is not written to its end, but within `held` its octets are.
    while (block !== undefined && at >= block.length) {
      at -= block.length;
      block = this.#blocks[++index];
    }
    return block?.[at] ?? 0;
  }

  #u32(offset: number): number {
    const block = this.#blocks[this.#head];
    const at = this.#at + offset;
    if (block !== undefined && at + 4 <= block.length) {
      return (((block[at] ?? 0) << 24) | ((block[at + 1] ?? 0) << 16) |
        ((block[at + 2] ?? 0) << 8) | (block[at + 3] ?? 0)) >>> 0;
    }
    return ((this.#octet(offset) << 24) | (this.#octet(offset + 1) << 16) |
      (this.#octet(offset + 2) << 8) | this.#octet(offset + 3)) >>> 0;
  }

  /** Takes out `length` octets, which must be held: a view if they lie in one block. */
  #cut(length: number): Uint8Array {
    if (length === 0) return NOTHING;
    const block = this.#blocks[this.#head];
    const at = this.#at;
    // Of the last block more is there than is written, but what is asked for is held.
    if (block !== undefined && at + length <= block.length) {
      this.#skip(length);
      return block.subarray(at, at + length);
    }
    const joined = new Uint8Array(length);
    let filled = 0;
    for (let index = this.#head; filled < length; index++) {
      const octets = this.#unread(index).subarray(0, length - filled);
      joined.set(octets, filled);
      filled += octets.length;
    }
    this.#skip(length);
    return joined;
  }

  /** Drops `length` octets, which must be held. */
  #skip(length: number): void {
    this.#held -= length;
    if (this.#held === 0) {
      this.#blocks = NONE;
      this.#head = 0;
      this.#at = 0;
      this.#tailEnd = 0;
      return;
    }
    this.#at += length;
    let block = this.#blocks[this.#head];
    while (block !== undefined && this.#at >= block.length) {
      this.#at -= block.length;
      block = this.#blocks[++this.#head];
    }
    if (this.#head > MAX_SPENT_BLOCKS && this.#head * 2 > this.#blocks.length) {
      this.#blocks.splice(0, this.#head);
      this.#head = 0;
    }
  }
}

const NOTHING: Uint8Array = new Uint8Array(0);

function badLength(
  name: string,
  length: number,
  least: number,
  greatest: number,
): MessageFormatError {
  return new MessageFormatError(
    name,
    `its length word is ${length}, it must be ${least} to ${greatest}`,
  );
}
