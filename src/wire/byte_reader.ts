import { MessageFormatError } from "../errors.ts";
import { decodeText } from "./text.ts";

/** Reads the body of one message from front to back; every step is checked against its end. */
export class ByteReader {
  readonly #body: Uint8Array;
  readonly #messageName: string;
  #at = 0;

  /**
   * Begins at the front of a body.
   *
   * @param body The message without type octet and length word.
   * @param messageName The message's name as in PostgreSQL's manual, for errors.
   */
  constructor(body: Uint8Array, messageName: string) {
    this.#body = body;
    this.#messageName = messageName;
  }

  /** How many octets were not read yet. */
  get left(): number {
    return this.#body.length - this.#at;
  }

  /** One octet, 0 to 255. */
  u8(): number {
    const at = this.skip(1);
    return this.#body[at] ?? 0;
  }

  /** Two octets as a signed integer. */
  i16(): number {
    const at = this.skip(2);
    return ((this.#octet(at) << 24) >> 16) | this.#octet(at + 1);
  }

  /** Four octets as a signed integer. */
  i32(): number {
    const at = this.skip(4);
    return (this.#octet(at) << 24) | (this.#octet(at + 1) << 16) | (this.#octet(at + 2) << 8) |
      this.#octet(at + 3);
  }

  /** Four octets as an unsigned integer. */
  u32(): number {
    return this.i32() >>> 0;
  }

  /** A text up to its zero octet. What is not UTF-8 becomes U+FFFD; a byte order mark is kept. */
  cstring(): string {
    return decodeText(this.#untilZero());
  }

  /** A copy of the octets up to a zero octet, which is read too. */
  cstringOctets(): Uint8Array {
    return copy(this.#untilZero());
  }

  /**
   * A copy of the next `n` octets.
   *
   * @param n How many; a count from the wire may be passed unchecked.
   * @throws {MessageFormatError} If it is negative or more than there are.
   */
  bytes(n: number): Uint8Array {
    const at = this.skip(n);
    return copy(this.#body.subarray(at, at + n));
  }

  /**
   * Passes over the next `n` octets.
   *
   * @param n How many; a count from the wire may be passed unchecked.
   * @returns Where they begin in the body.
   * @throws {MessageFormatError} If it is negative or more than there are.
   */
  skip(n: number): number {
    if (n < 0) this.fail(`a length is ${n}, it must be 0 or more`);
    const at = this.#at;
    if (n > this.left) this.fail(`it ends where ${n} octets must stand, ${this.left} are left`);
    this.#at = at + n;
    return at;
  }

  /** A copy of all octets that are left. */
  rest(): Uint8Array {
    return this.bytes(this.left);
  }

  /**
   * Says that the message must be over.
   *
   * @throws {MessageFormatError} If octets are left.
   */
  end(): void {
    if (this.left > 0) this.fail(`${this.left} surplus octets follow its end`);
  }

  /**
   * Refuses the message.
   *
   * @param problem What is wrong, without a value that may be secret.
   * @throws {MessageFormatError} Always.
   */
  fail(problem: string): never {
    throw new MessageFormatError(this.#messageName, problem);
  }

  #octet(at: number): number {
    return this.#body[at] ?? 0;
  }

  #untilZero(): Uint8Array {
    const at = this.#at;
    const end = this.#body.indexOf(0, at);
    if (end === -1) this.fail("the zero octet that ends a text is missing");
    this.#at = end + 1;
    return this.#body.subarray(at, end);
  }
}

/** Not `slice()`: on a Buffer of Node that makes a view. */
function copy(octets: Uint8Array): Uint8Array {
  const own = new Uint8Array(octets.length);
  own.set(octets);
  return own;
}
