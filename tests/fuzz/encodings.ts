/** SASLprep, the MD5 answer and base64, each against another implementation or a list of rules. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { decodeBase64, encodeBase64 } from "../../src/auth/base64.ts";
import { md5Password } from "../../src/auth/md5.ts";
import { saslprep } from "../../src/auth/saslprep.ts";
import { mutate, type Prng } from "../support/prng.ts";
import { toHex } from "../support/vectors.ts";
import { fewerOctets, fuzz, type Report, type Target } from "./fuzz.ts";
import { octets } from "./parts.ts";

/** What a character becomes, and whether it may stand in a password that is to be prepared. */
interface Character {
  readonly is: string;
  readonly becomes: string;
  readonly kind: "plain" | "left" | "right" | "forbidden";
}

/** RFC 3454: mapped (B.1, C.1.2), of a direction (D.1, D.2), prohibited (C.2 to C.9), unassigned (A.1). */
const CHARACTERS: readonly Character[] = [
  ...[..."aZ"].map((is) => ({ is, becomes: is, kind: "left" }) as const),
  ...[..."09 .-"].map((is) => ({ is, becomes: is, kind: "plain" }) as const),
  { is: "\u00a0", becomes: " ", kind: "plain" },
  { is: "\u3000", becomes: " ", kind: "plain" },
  { is: "\u00ad", becomes: "", kind: "plain" },
  { is: "\u200d", becomes: "", kind: "plain" },
  { is: "\ufe0f", becomes: "", kind: "plain" },
  { is: "\u00aa", becomes: "\u00aa", kind: "left" },
  { is: "\u2168", becomes: "\u2168", kind: "left" },
  { is: "e\u0301", becomes: "e\u0301", kind: "left" },
  { is: "\u0627", becomes: "\u0627", kind: "right" },
  { is: "\u05d0", becomes: "\u05d0", kind: "right" },
  { is: "\u0085", becomes: "", kind: "forbidden" },
  { is: "\u0007", becomes: "", kind: "forbidden" },
  { is: "\ue000", becomes: "", kind: "forbidden" },
  { is: "\ufffd", becomes: "", kind: "forbidden" },
  { is: "\u200e", becomes: "", kind: "forbidden" },
  { is: "\u0221", becomes: "", kind: "forbidden" },
];

interface Prepared {
  readonly password: Uint8Array;
  /** Undefined if the octets were changed. */
  readonly characters: readonly Character[] | undefined;
}

const SASLPREP: Target<Prepared> = {
  name: "saslprep",
  generate(prng) {
    const few = CHARACTERS.filter(({ kind }) => kind !== "forbidden" || prng.below(4) === 0);
    const characters = Array.from({ length: prng.below(7) }, () => prng.pick(few));
    const password = Buffer.from(characters.map(({ is }) => is).join(""));
    if (prng.below(3) > 0) return { password: new Uint8Array(password), characters };
    return { password: mutate(password, prng), characters: undefined };
  },
  check({ password, characters }) {
    const lent = new Uint8Array(password);
    const prepared = saslprep(lent);
    lent.fill(0xee);
    const same = toHex(prepared) === toHex(password);
    if (characters === undefined) {
      const text = Buffer.from(password).toString("utf8");
      const isUtf8 = Buffer.from(text).equals(Buffer.from(password));
      if (!isUtf8) assert.ok(same, "octets that are not UTF-8 are changed");
      const again = Buffer.from(prepared).toString("utf8");
      if (!same) assert.equal(again, again.normalize("NFKC"), "it is not normalized");
      return same ? "as it is" : "changed";
    }
    assert.equal(toHex(prepared), toHex(expected(password, characters)));
    return same ? "as it is" : "prepared";
  },
  show: ({ password }) => toHex(password),
  *smaller(input) {
    if (input.characters !== undefined) return;
    for (const password of fewerOctets(input.password)) yield { ...input, password };
  },
};

function expected(password: Uint8Array, characters: readonly Character[]): Uint8Array {
  if (password.every((octet) => octet < 0x80)) return password;
  const kept = characters.filter(({ becomes, kind }) => becomes !== "" || kind === "forbidden");
  const kinds = kept.map(({ kind }) => kind);
  const mixed = kinds.includes("right") &&
    (kinds.includes("left") || kinds[0] !== "right" || kinds.at(-1) !== "right");
  if (kept.length === 0 || kinds.includes("forbidden") || mixed) return password;
  return Buffer.from(kept.map(({ becomes }) => becomes).join("").normalize("NFKC"));
}

interface Hashed {
  readonly password: Uint8Array;
  readonly user: Uint8Array;
  readonly salt: Uint8Array;
}

const MD5: Target<Hashed> = {
  name: "md5",
  generate: (prng) => ({
    password: octets(prng, prng.pick([0, 20, 200])),
    user: octets(prng, 20),
    salt: prng.octets(4),
  }),
  check({ password, user, salt }) {
    const inner = createHash("md5").update(password).update(user).digest("hex");
    const outer = createHash("md5").update(inner).update(salt).digest("hex");
    assert.equal(new TextDecoder().decode(md5Password(password, user, salt)), `md5${outer}`);
    return "answered";
  },
  show: ({ password, user, salt }) => [password, user, salt].map(toHex).join(" "),
};

const DIGITS = "ABCXYZabcxyz0189+/=";

const BASE64: Target<string> = {
  name: "base64",
  generate: (prng) => prng.below(2) === 0 ? nearly(prng) : encodeBase64(octets(prng, 40)),
  check(text) {
    const read = decodeBase64(text);
    const other = Buffer.from(text, "base64");
    const isCanonical = other.toString("base64") === text;
    assert.equal(read !== undefined, isCanonical, "canonical or not");
    if (read === undefined) return "refused";
    assert.equal(toHex(read), toHex(other));
    assert.equal(encodeBase64(read), text);
    return "read";
  },
  show: (text) => JSON.stringify(text),
};

/** Digits without a plan, or canonical base64 with one character changed. */
function nearly(prng: Prng): string {
  if (prng.below(2) === 0) {
    return Array.from({ length: prng.below(10) }, () => DIGITS.charAt(prng.below(DIGITS.length)))
      .join("");
  }
  const text = encodeBase64(octets(prng, 12));
  const at = prng.below(text.length + 1);
  const put = prng.pick([..."=AB/+-_ \n", ""]);
  return text.slice(0, at) + put + text.slice(at + prng.below(2));
}

/** Passwords prepared. */
export function runSaslprep(seed: number, cases: number): Report {
  return fuzz(SASLPREP, seed, cases);
}

/** Passwords hashed. */
export function runMd5(seed: number, cases: number): Report {
  return fuzz(MD5, seed, cases);
}

/** Texts that may be base64. */
export function runBase64(seed: number, cases: number): Report {
  return fuzz(BASE64, seed, cases);
}
