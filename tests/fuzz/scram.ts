/** SCRAM with servers that know the password, and with ones that send nearly the right thing. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { ScramExchange } from "../../src/auth/scram.ts";
import { MessageFormatError, PolicyError } from "../../src/errors.ts";
import { RFC7677_KEYS } from "../handshake/converse.ts";
import { mutate, type Prng } from "../support/prng.ts";
import { toHex } from "../support/vectors.ts";
import { fewerOctets, fuzz, type Report, type Target } from "./fuzz.ts";
import { assertHides, assertPeerError, needlesOf, outcome, saidBy } from "./parts.ts";

interface Input {
  readonly bound: boolean;
  readonly nonce: string;
  readonly first: Uint8Array;
  /** What server-final is to be, made of the right signature. */
  readonly final: (signature: Uint8Array) => Uint8Array;
  /** Made of another signature, to be shown. */
  readonly finalKind: string;
}

const DECLARED = [MessageFormatError, PolicyError];
const HIDDEN = needlesOf(RFC7677_KEYS.clientKey, RFC7677_KEYS.serverKey);
const BINDING = Uint8Array.from({ length: 32 }, (_, at) => at);
const PRINTABLE = "!#$%&'()*+-./09:;<=>?@AZ[]^_`az{|}~";
const BASE64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?";
const EXTENSIONS = "((?:,[bdfghjkloqtuwxyzA-Z]=[^,]+)*)";
const SERVER_FIRST = new RegExp(
  `^r=([\\x21-\\x2b\\x2d-\\x7e]+),s=(${BASE64}),i=([1-9][0-9]{0,9})${EXTENSIONS}$`,
  "s",
);
const SERVER_FINAL = new RegExp(`^v=(${BASE64})${EXTENSIONS}$`, "s");

const TARGET: Target<Input> = {
  name: "scram",
  generate(prng) {
    const nonce = word(prng, 1 + prng.below(30));
    const theirs = prng.below(10) === 0 ? word(prng, 20) : nonce;
    const salt = base64(prng.octets(prng.pick([0, 1, 16, 16, 60])));
    const count = prng.pick(["1", "4096", "2147483647", "2147483648", "04096", "0", "-1", "1e3"]);
    const plain = ascii(
      `r=${theirs}${word(prng, prng.below(30))},s=${salt},i=${
        prng.below(4) === 0 ? count : "4096"
      }${extension(prng)}`,
    );
    const kind = prng.below(5);
    const seed = prng.below(0xffff_ffff);
    const tail = extension(prng);
    return {
      bound: prng.below(2) === 0,
      nonce,
      first: prng.below(3) === 0 ? mutate(plain, prng) : plain,
      final: (signature) => finalOf(signature, kind, seed, tail),
      finalKind: `${kind}, seed ${seed}, extension ${JSON.stringify(tail)}`,
    };
  },
  check: checkExchange,
  show: ({ bound, nonce, first, finalKind }) =>
    JSON.stringify({ bound, nonce, first: toHex(first), finalKind }),
  *smaller(input) {
    for (const first of fewerOctets(input.first)) yield { ...input, first };
  },
};

/** Plays exchanges. */
export function run(seed: number, cases: number): Report {
  return fuzz(TARGET, seed, cases);
}

function checkExchange({ bound, nonce, first, final }: Input): string {
  const exchange = new ScramExchange({
    mechanism: bound ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256",
    gs2Header: bound ? "p=tls-server-end-point,," : "n,,",
    bindingData: bound ? BINDING : new Uint8Array(0),
    nonce,
  });
  const header = bound ? "p=tls-server-end-point,," : "n,,";
  assert.equal(latin1(exchange.clientFirst()), `${header}n=,r=${nonce}`);
  const lent = new Uint8Array(first);
  const read = outcome(DECLARED, () => exchange.serverFirst(lent));
  // What was handed over is the caller's again.
  lent.fill(0x61);
  const expected = expectedFirst(first, nonce);
  if (read.kind === "error") {
    assertPeerError(read.error);
    assert.ok(expected === undefined, `refused: ${read.error.message}`);
    return `first ${read.error.code}`;
  }
  assert.ok(expected !== undefined, "a wrong server-first is taken");
  assert.equal(base64(read.value.salt), expected.salt);
  assert.equal(read.value.iterations, expected.iterations);
  const binding = base64(bound ? Buffer.concat([ascii(header), BINDING]) : ascii(header));
  const withoutProof = `c=${binding},r=${expected.nonce}`;
  const transcript = Buffer.concat([
    ascii(`n=,r=${nonce},`),
    first,
    ascii(`,${withoutProof}`),
  ]);
  const sent = latin1(exchange.clientFinal(RFC7677_KEYS));
  assert.equal(sent.slice(0, sent.lastIndexOf(",p=")), withoutProof);
  const proof = sent.slice(sent.lastIndexOf(",p=") + 3);
  const signature = new Uint8Array(
    createHmac("sha256", RFC7677_KEYS.serverKey).update(transcript).digest(),
  );
  const answer = final(signature);
  const verified = outcome(DECLARED, () => exchange.serverFinal(answer));
  const [, given] = SERVER_FINAL.exec(utf8(answer) ?? "") ?? [];
  const isRight = given === base64(signature);
  assert.equal(verified.kind === "value", isRight, "the server's signature is misjudged");
  if (verified.kind === "value") return "verified";
  assertPeerError(verified.error);
  assertHides(saidBy(verified.error), [...HIDDEN, proof, ...needlesOf(signature)], "the error");
  return `final ${verified.error.code}`;
}

function expectedFirst(
  first: Uint8Array,
  nonce: string,
): { readonly nonce: string; readonly salt: string; readonly iterations: number } | undefined {
  const text = utf8(first);
  if (text === undefined || text.includes("\0")) return undefined;
  const [, theirs = "", salt = "", count = ""] = SERVER_FIRST.exec(text) ?? [];
  const isExtended = theirs.startsWith(nonce) && theirs.length > nonce.length;
  const isCanonical = salt !== "" && base64(Buffer.from(salt, "base64")) === salt;
  if (!isExtended || !isCanonical || Number(count) > 2 ** 31 - 1) return undefined;
  return { nonce: theirs, salt, iterations: Number(count) };
}

function finalOf(signature: Uint8Array, kind: number, seed: number, tail: string): Uint8Array {
  const right = ascii(`v=${base64(signature)}${tail}`);
  switch (kind) {
    case 0:
      return right;
    case 1: {
      const other = new Uint8Array(signature);
      const at = seed % other.length;
      other[at] = (other[at] ?? 0) ^ (1 << (seed % 8));
      return ascii(`v=${base64(other)}${tail}`);
    }
    case 2:
      return ascii(["e=other-error", "e=", "e=\x1b]0;x", "v=", "", "m=x,v="][seed % 6] ?? "");
    case 3:
      return ascii(`v=${base64(signature.slice(0, seed % 33))}`);
    default: {
      const changed = new Uint8Array(right);
      changed[seed % changed.length] = (seed >>> 8) & 0xff;
      return changed;
    }
  }
}

function word(prng: Prng, length: number): string {
  return Array.from({ length }, () => PRINTABLE.charAt(prng.below(PRINTABLE.length))).join("");
}

function extension(prng: Prng): string {
  return prng.below(5) === 0
    ? prng.pick([",x=1", ",X=a=b", ",", ",x=", ",r=a", ",m=1", ",xy=1"])
    : "";
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64");
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function latin1(octets: Uint8Array): string {
  return Buffer.from(octets).toString("latin1");
}

/** Undefined if the octets are not UTF-8. */
function utf8(octets: Uint8Array): string | undefined {
  const text = Buffer.from(octets).toString("utf8");
  return Buffer.from(text, "utf8").equals(Buffer.from(octets)) ? text : undefined;
}
