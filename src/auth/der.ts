import { MessageFormatError } from "../errors.ts";

/** The ASN.1 tags a certificate needs, as the one octet DER writes for them. */
export const DER_TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OBJECT_IDENTIFIER: 0x06,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/** One element: its tag octet and what it holds. */
export interface DerElement {
  readonly tag: number;
  /** A view of the octets read. */
  readonly content: Uint8Array;
}

/**
 * The most octets of an object identifier; those of hash and signature algorithms have less than
 * 12.
 */
const MAX_OID_OCTETS = 64;

/**
 * Reads DER elements (ITU-T X.690) one behind the other, never beyond the octets given and never
 * into depth by itself: for what an element holds, the caller makes another reader.
 */
export class DerReader {
  readonly #octets: Uint8Array;
  #at = 0;

  /**
   * Makes a reader that stands at the first element.
   *
   * @param octets What to read; not copied.
   */
  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  /** How many octets are left. */
  get left(): number {
    return this.#octets.length - this.#at;
  }

  /** The tag of the next element, without reading it; undefined at the end. */
  get nextTag(): number | undefined {
    return this.#octets[this.#at];
  }

  /**
   * Reads the next element.
   *
   * @throws {MessageFormatError} If it is not a whole DER element with a tag of one octet.
   */
  next(): DerElement {
    const tag = this.#octet();
    if ((tag & 0x1f) === 0x1f) throw malformed("a tag has more than one octet");
    const length = this.#length();
    if (length > this.left) {
      throw malformed(`an element of ${length} octets goes beyond its end`);
    }
    const content = this.#octets.subarray(this.#at, this.#at + length);
    this.#at += length;
    return { tag, content };
  }

  /**
   * Reads the next element, which must have a certain tag.
   *
   * @param tag The tag octet.
   * @param what What it is, for the message.
   * @throws {MessageFormatError} If it has another tag, or is not a whole DER element.
   */
  expect(tag: number, what: string): Uint8Array {
    if (this.left === 0) throw malformed(`${what} is missing`);
    const element = this.next();
    if (element.tag !== tag) {
      throw malformed(
        `${what} has tag 0x${element.tag.toString(16)}, it must be 0x${tag.toString(16)}`,
      );
    }
    return element.content;
  }

  /**
   * Makes sure that nothing follows.
   *
   * @param what What should have ended, for the message.
   * @throws {MessageFormatError} If octets are left over.
   */
  end(what: string): void {
    if (this.left > 0) throw malformed(`${this.left} octets follow the end of ${what}`);
  }

  #octet(): number {
    const octet = this.#octets[this.#at];
    if (octet === undefined) throw malformed("it ends in the middle of an element");
    this.#at += 1;
    return octet;
  }

  #length(): number {
    const first = this.#octet();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    // 0x80 begins an indefinite length, which is BER; more than three octets would be 16 MB.
    if (count === 0 || count > 3) throw malformed("a length has an unsupported form");
    let length = 0;
    for (let read = 0; read < count; read++) length = length * 256 + this.#octet();
    if (length < 0x80 || length < 256 ** (count - 1)) {
      throw malformed("a length is not in its shortest form");
    }
    return length;
  }
}

/**
 * Writes the content of an OBJECT IDENTIFIER in dotted form.
 *
 * @throws {MessageFormatError} If it is empty, cut off, too long, or not in its shortest form.
 */
export function dottedOid(content: Uint8Array): string {
  if (content.length === 0 || content.length > MAX_OID_OCTETS) {
    throw malformed(`an object identifier has ${content.length} octets`);
  }
  const arcs: number[] = [];
  let arc = 0;
  let begun = false;
  for (const octet of content) {
    if (!begun && octet === 0x80) {
      throw malformed("an object identifier is not in its shortest form");
    }
    arc = arc * 128 + (octet & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) {
      throw malformed("an object identifier has an arc that is too large");
    }
    begun = octet >= 0x80;
    if (!begun) {
      arcs.push(arc);
      arc = 0;
    }
  }
  if (begun) throw malformed("an object identifier is cut off");
  const first = arcs[0] ?? 0;
  const root = Math.min(Math.floor(first / 40), 2);
  return [root, first - 40 * root, ...arcs.slice(1)].join(".");
}

function malformed(problem: string): MessageFormatError {
  return new MessageFormatError("Certificate", problem, { phase: "tls" });
}
