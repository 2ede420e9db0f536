import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { MessageFormatError, PgHandshakeError, UsageError } from "../../src/errors.ts";
import { encodeBase64 } from "../../src/auth/base64.ts";
import { ScramExchange, scramKeys } from "../../src/auth/scram.ts";
import { scramProof } from "../../src/auth/scram_keys.ts";
import { mutate, Prng } from "../support/prng.ts";

const octets = (text: string): Uint8Array => new TextEncoder().encode(text);
const KEYS = scramKeys(Uint8Array.from({ length: 32 }, (_, at) => at));

function begun(): ScramExchange {
  const exchange = new ScramExchange({
    mechanism: "SCRAM-SHA-256",
    gs2Header: "n,,",
    bindingData: new Uint8Array(0),
    nonce: "abc",
  });
  exchange.clientFirst();
  return exchange;
}

/** An exchange that waits for server-final, and the signature it waits for. */
function proven(): { readonly exchange: ScramExchange; readonly signature: Uint8Array } {
  const exchange = begun();
  exchange.serverFirst(octets("r=abcd,s=AAAA,i=1"));
  exchange.clientFinal(KEYS);
  const transcript = octets("n=,r=abc,r=abcd,s=AAAA,i=1,c=biws,r=abcd");
  return { exchange, signature: scramProof(KEYS, transcript).serverSignature };
}

const good = (): string => encodeBase64(proven().signature);

const FIRST_TAKEN: readonly (readonly [string, string, number, number])[] = [
  ["the shortest there can be", "r=abcd,s=AA==,i=1", 1, 1],
  ["a nonce of 10 kB", `r=abc${"~".repeat(10_000)},s=AAAA,i=4096`, 3, 4096],
  ["a salt of 4 kB", `r=abcd,s=${"AAAA".repeat(1366)},i=4096`, 4098, 4096],
  ["the largest count there is", "r=abcd,s=AAAA,i=2147483647", 3, 2147483647],
  ["an extension", "r=abcd,s=AAAA,i=1,x=y", 3, 1],
  ["two extensions, one of them with equals signs", "r=abcd,s=AAAA,i=1,x==,Y=a=b", 3, 1],
  ["an extension in UTF-8", "r=abcd,s=AAAA,i=1,x=\u00e4", 3, 1],
];

for (const [what, data, saltOctets, iterations] of FIRST_TAKEN) {
  test(`server-first is taken with ${what}`, () => {
    const first = begun().serverFirst(octets(data));
    assert.equal(first.salt.length, saltOctets);
    assert.equal(first.iterations, iterations);
  });
}

const FIRST_REFUSED: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
  ["that is empty", "", /it is empty/],
  ["with a zero octet", "r=abcd,s=AAAA,i=1\0", /zero octet/],
  ["with a zero octet inside", "r=abcd\0,s=AAAA,i=1", /zero octet/],
  ["that is not UTF-8", Uint8Array.of(0x72, 0x3d, 0xff), /not UTF-8/],
  ["behind a byte order mark", "\ufeffr=abcd,s=AAAA,i=1", /"r" is missing/],
  ["with a mandatory extension", "m=ext,r=abcd,s=AAAA,i=1", /mandatory extension.*not supported/],
  ["with a mandatory extension behind", "r=abcd,s=AAAA,i=1,m=ext", /no extension/],
  ["in the wrong order", "s=AAAA,r=abcd,i=1", /"r" is missing or not in its place/],
  ["without nonce", "s=AAAA,i=1", /"r" is missing/],
  ["without salt", "r=abcd,i=1", /"s" is missing/],
  ["without count", "r=abcd,s=AAAA", /"i" is missing/],
  ["with two nonces", "r=abcd,r=abcd,s=AAAA,i=1", /"s" is missing/],
  ["with a second nonce behind", "r=abcd,s=AAAA,i=1,r=abcd", /no extension/],
  ["with a second count behind", "r=abcd,s=AAAA,i=1,i=2", /no extension/],
  ["with an upper-case attribute", "R=abcd,s=AAAA,i=1", /"r" is missing/],
  ["with a comma at the end", "r=abcd,s=AAAA,i=1,", /no extension/],
  ["with garbage behind", "r=abcd,s=AAAA,i=1,garbage", /no extension/],
  ["with an extension without value", "r=abcd,s=AAAA,i=1,x=", /no extension/],
  ["with an extension named by a digit", "r=abcd,s=AAAA,i=1,1=x", /no extension/],
  ["with a blank in its nonce", "r=abc d,s=AAAA,i=1", /nonce is not printable/],
  ["with a control character in its nonce", "r=abc\x1b,s=AAAA,i=1", /nonce is not printable/],
  ["with a nonce outside ASCII", "r=abc\u00e4,s=AAAA,i=1", /nonce is not printable/],
  ["with an empty nonce", "r=,s=AAAA,i=1", /nonce is not printable/],
  ["with a comma in its nonce", "r=abc,d,s=AAAA,i=1", /"s" is missing/],
  ...["", "AAA", "A===", "AA AA", "AA\nA", "-_-_", "AB==", "AAAA====", "A\u00e4=="].map((salt) =>
    [`with the salt ${JSON.stringify(salt)}`, `r=abcd,s=${salt},i=1`, /salt is not base64/] as const
  ),
  ...[
    "",
    "0",
    "-1",
    "+1",
    "01",
    " 1",
    "1 ",
    "4096x",
    "0x10",
    "1e3",
    "2147483648",
    "4294967297",
    "9".repeat(400),
    "\u0661",
  ].map((count) =>
    [
      `with the count ${JSON.stringify(count)}`,
      `r=abcd,s=AAAA,i=${count}`,
      /iteration count is ".*", it must be 1 to 2147483647$/,
    ] as const
  ),
];

for (const [what, data, message] of FIRST_REFUSED) {
  test(`server-first is refused ${what}`, () => {
    const exchange = begun();
    assert.throws(
      () => exchange.serverFirst(typeof data === "string" ? octets(data) : data),
      (error: unknown) => {
        assert.ok(error instanceof MessageFormatError);
        assert.equal(error.messageName, "AuthenticationSASLContinue");
        assert.equal(error.phase, "authenticate");
        assert.match(error.message, message);
        assert.match(error.message, /^[\x20-\x7e]{1,300}$/);
        return true;
      },
    );
    assert.throws(() => exchange.serverFirst(octets("r=abcd,s=AAAA,i=1")), UsageError);
    assert.throws(() => exchange.clientFinal(KEYS), UsageError);
  });
}

for (const nonce of ["abc", "ab", "abd", "xabc", "ABCd", "Abcd", "~"]) {
  test(`server-first is refused when its nonce "${nonce}" does not extend our "abc"`, () => {
    assert.throws(() => begun().serverFirst(octets(`r=${nonce},s=AAAA,i=1`)), {
      name: "PolicyError",
      code: "server-not-verified",
      phase: "authenticate",
    });
  });
}

test("server-final with the right signature is taken, extensions ignored", () => {
  for (const behind of ["", ",x=y", ",x=a=b,Z=\u00e4"]) {
    const { exchange, signature } = proven();
    const server = exchange.serverFinal(octets(`v=${encodeBase64(signature)}${behind}`));
    assert.equal(server.mechanism, "SCRAM-SHA-256");
  }
});

test("server-final with any single bit wrong is refused as a server that was not verified", () => {
  for (let bit = 0; bit < 256; bit++) {
    const { exchange, signature } = proven();
    signature[bit >> 3] = (signature[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => exchange.serverFinal(octets(`v=${encodeBase64(signature)}`)), {
      name: "PolicyError",
      code: "server-not-verified",
    });
  }
});

const FINAL_REFUSED: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
  ["that is empty", "", /it is empty/],
  ["with a zero octet", `v=${good()}\0`, /zero octet/],
  ["that is not UTF-8", Uint8Array.of(0x76, 0x3d, 0xc3), /not UTF-8/],
  ["with a mandatory extension", `m=x,v=${good()}`, /mandatory extension/],
  ["without signature", "x=y", /"v" is missing/],
  ["with an empty signature", "v=", /signature is not base64 of 32 octets/],
  ["with a signature of 31 octets", `v=${encodeBase64(new Uint8Array(31))}`, /of 32 octets/],
  ["with a signature of 33 octets", `v=${encodeBase64(new Uint8Array(33))}`, /of 32 octets/],
  ["with a signature of 4000 octets", `v=${encodeBase64(new Uint8Array(4000))}`, /of 32 octets/],
  ["with a signature without padding", `v=${good().slice(0, -1)}`, /of 32 octets/],
  ["with an empty error", "e=", /"v" is missing/],
  ["with signature and error", `v=${good()},e=other-error`, /no extension/],
  ["with error and signature", `e=other-error,v=${good()}`, /no extension/],
  ["with two signatures", `v=${good()},v=${good()}`, /no extension/],
  ["with garbage behind", `v=${good()},garbage`, /no extension/],
  ["with a comma behind", `v=${good()},`, /no extension/],
];

for (const [what, data, message] of FINAL_REFUSED) {
  test(`server-final is refused ${what}`, () => {
    const { exchange } = proven();
    assert.throws(
      () => exchange.serverFinal(typeof data === "string" ? octets(data) : data),
      (error: unknown) => {
        assert.ok(error instanceof MessageFormatError);
        assert.equal(error.messageName, "AuthenticationSASLFinal");
        assert.match(error.message, message);
        return true;
      },
    );
    assert.throws(() => exchange.serverFinal(octets(`v=${good()}`)), UsageError);
  });
}

test("server-final with an error of RFC 5802 shows its word", () => {
  assert.throws(() => proven().exchange.serverFinal(octets("e=invalid-proof")), {
    code: "server-not-verified",
    message: 'Cannot verify the server: it ended the SCRAM exchange with the error "invalid-proof"',
  });
  assert.throws(() => proven().exchange.serverFinal(octets("e=no-resources,x=y")), {
    message: 'Cannot verify the server: it ended the SCRAM exchange with the error "no-resources"',
  });
});

test("server-final with an error nobody knows shows it escaped and cut", () => {
  const hostile = `e=\x1b[31m"${"x".repeat(500)}`;
  assert.throws(() => proven().exchange.serverFinal(octets(hostile)), (error: unknown) => {
    assert.ok(error instanceof PgHandshakeError);
    assert.equal(error.code, "server-not-verified");
    assert.match(error.message, /the error "\\u\{1b\}\[31m\\u\{22\}x{58}\.\.\."$/);
    return true;
  });
});

test("every prefix of server-first and server-final is refused or read, never anything else", () => {
  const first = octets("r=abcd,s=c2FsdA==,i=4096,x=y");
  for (let length = 0; length < first.length; length++) {
    assertDeclared(() => begun().serverFirst(first.subarray(0, length)), `first ${length}`);
  }
  const final = octets(`v=${good()}`);
  for (let length = 0; length < final.length; length++) {
    const { exchange } = proven();
    assert.throws(() => exchange.serverFinal(final.subarray(0, length)), MessageFormatError);
  }
});

test("mutations of server-first and server-final end in a declared error or a sound result", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const prng = new Prng(seed);
    const first = mutate(octets("r=abcd,s=c2FsdA==,i=4096,x=y"), prng);
    assertDeclared(() => {
      const { salt, iterations } = begun().serverFirst(first);
      assert.ok(salt.length >= 1 && iterations >= 1 && iterations <= 2147483647);
    }, `seed ${seed}, server-first`);
    const { exchange, signature } = proven();
    const right = octets(`v=${encodeBase64(signature)}`);
    const final = mutate(right, prng);
    if (new TextDecoder().decode(final).startsWith(new TextDecoder().decode(right))) continue;
    assert.throws(() => exchange.serverFinal(final), PgHandshakeError, `seed ${seed}`);
  }
});

function assertDeclared(run: () => unknown, what: string): void {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof PgHandshakeError, what);
    assert.ok(error.code === "malformed-message" || error.code === "server-not-verified", what);
  }
}
