import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { pbkdf2Sync } from "node:crypto";
import { UsageError } from "../../src/errors.ts";
import { saslprep } from "../../src/auth/saslprep.ts";
import { ScramExchange, scramKeys, VerifiedServer } from "../../src/auth/scram.ts";
import type { Gs2Header, ScramMechanism, ScramOptions } from "../../src/auth/scram.ts";
import { scramProof } from "../../src/auth/scram_keys.ts";
import { decodeBase64 } from "../../src/auth/base64.ts";
import { hex, readVectors, toHex } from "../support/vectors.ts";
import type { VectorCase } from "../support/vectors.ts";

interface ProofCase extends VectorCase {
  readonly kind: "proof";
  readonly password: string;
  readonly salt: string;
  readonly iterations: number;
  readonly saltedPassword: string;
  readonly clientKey: string;
  readonly serverKey: string;
  readonly clientFirstBare: string;
  readonly serverFirst: string;
  readonly withoutProof: string;
  readonly clientProof: string;
  readonly serverSignature: string;
}

interface ExchangeCase extends VectorCase {
  readonly kind: "exchange";
  readonly mechanism: ScramMechanism;
  readonly gs2Header: Gs2Header;
  readonly bindingData: string;
  readonly nonce: string;
  readonly password: string;
  readonly saltedPassword: string;
  readonly salt: string;
  readonly iterations: number;
  readonly clientFirst: string;
  readonly serverFirst: string;
  readonly clientFinal: string;
  readonly serverFinal: string;
}

const octets = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);

/** PBKDF2 as connect/ does it, from the password's octets. */
function saltPassword(password: Uint8Array, salt: string, iterations: number): Uint8Array {
  const salted = pbkdf2Sync(saslprep(password), decodeBase64(salt) ?? "", iterations, 32, "sha256");
  return new Uint8Array(salted);
}

const NONE = new Uint8Array(0);
const PLAIN: ScramOptions = {
  mechanism: "SCRAM-SHA-256",
  gs2Header: "n,,",
  bindingData: NONE,
  nonce: "abc",
};

for (const one of readVectors<ProofCase | ExchangeCase>("scram")) {
  if (one.kind === "proof") {
    test(`SCRAM's keys and proofs are those of the ${one.name}`, () => {
      const salted = saltPassword(octets(one.password), one.salt, one.iterations);
      assert.equal(toHex(salted), one.saltedPassword);
      const keys = scramKeys(salted);
      assert.equal(toHex(keys.clientKey), one.clientKey);
      assert.equal(toHex(keys.serverKey), one.serverKey);
      const transcript = [one.clientFirstBare, one.serverFirst, one.withoutProof].join(",");
      const { clientProof, serverSignature } = scramProof(keys, octets(transcript));
      assert.equal(toHex(clientProof), one.clientProof);
      assert.equal(toHex(serverSignature), one.serverSignature);
    });
    continue;
  }
  test(`ScramExchange speaks octet by octet as libpq does: ${one.name}`, () => {
    const salted = saltPassword(hex(one.password), one.salt, one.iterations);
    assert.equal(toHex(salted), one.saltedPassword);
    const exchange = new ScramExchange({
      mechanism: one.mechanism,
      gs2Header: one.gs2Header,
      bindingData: hex(one.bindingData),
      nonce: one.nonce,
    });
    assert.equal(text(exchange.clientFirst()), one.clientFirst);
    const first = exchange.serverFirst(octets(one.serverFirst));
    assert.deepEqual(first, { salt: decodeBase64(one.salt), iterations: one.iterations });
    assert.equal(text(exchange.clientFinal(scramKeys(salted))), one.clientFinal);
    const server = exchange.serverFinal(octets(one.serverFinal));
    assert.equal(VerifiedServer.isGenuine(server), true);
    assert.equal(server.mechanism, one.mechanism);
  });
}

test("ScramExchange proves over server-first as received, extensions included", () => {
  const keys = scramKeys(new Uint8Array(32));
  const final = (serverFirst: string): string => {
    const exchange = new ScramExchange(PLAIN);
    exchange.clientFirst();
    const data = octets(serverFirst);
    exchange.serverFirst(data);
    data.fill(0x2c); // the exchange must have copied what it keeps
    const sent = text(exchange.clientFinal(keys));
    const at = sent.indexOf(",p=");
    const transcript = octets(`n=,r=abc,${serverFirst},${sent.slice(0, at)}`);
    const proof = decodeBase64(sent.slice(at + 3));
    assert.deepEqual(proof, scramProof(keys, transcript).clientProof);
    return sent;
  };
  assert.notEqual(final("r=abcd,s=AAAA,i=1"), final("r=abcd,s=AAAA,i=1,x=extension"));
});

test("ScramExchange takes each call once and in order, everything else is misuse", () => {
  const keys = scramKeys(new Uint8Array(32));
  const calls: readonly ((exchange: ScramExchange) => unknown)[] = [
    (exchange) => exchange.clientFirst(),
    (exchange) => exchange.serverFirst(octets("r=abcd,s=AAAA,i=1")),
    (exchange) => exchange.clientFinal(keys),
    (exchange) => exchange.serverFinal(octets(`v=${"A".repeat(43)}=`)),
  ];
  for (let done = 0; done < calls.length; done++) {
    for (let next = 0; next < calls.length; next++) {
      if (next === done) continue;
      const exchange = new ScramExchange(PLAIN);
      for (const call of calls.slice(0, done)) call(exchange);
      assert.throws(() => calls[next]?.(exchange), UsageError, `call ${next} after ${done} calls`);
    }
  }
});

for (const nonce of ["", "a,b", "a b", "a\0b", "\u00e4bc", "a\n", "\x7f"]) {
  test(`ScramExchange refuses ${JSON.stringify(nonce)} as our nonce without showing it`, () => {
    assert.throws(() => new ScramExchange({ ...PLAIN, nonce }), {
      name: "UsageError",
      message: "Cannot begin SCRAM: the nonce must be printable ASCII without comma, and not empty",
    });
  });
}

test("ScramExchange refuses a mechanism, a gs2 header and binding data that contradict each other", () => {
  const bound: ScramOptions = {
    mechanism: "SCRAM-SHA-256-PLUS",
    gs2Header: "p=tls-server-end-point,,",
    bindingData: new Uint8Array(32),
    nonce: "abc",
  };
  assert.equal(text(new ScramExchange(bound).clientFirst()), "p=tls-server-end-point,,n=,r=abc");
  const wrong: readonly ScramOptions[] = [
    { ...bound, mechanism: "SCRAM-SHA-256" },
    { ...bound, gs2Header: "y,," },
    { ...bound, bindingData: NONE },
    { ...PLAIN, bindingData: new Uint8Array(32) },
    { ...PLAIN, mechanism: "SCRAM-SHA-256-PLUS" },
  ];
  for (const options of wrong) assert.throws(() => new ScramExchange(options), UsageError);
});

test("ScramExchange copies its binding data", () => {
  const bindingData = new Uint8Array(3).fill(1);
  const exchange = new ScramExchange({
    mechanism: "SCRAM-SHA-256-PLUS",
    gs2Header: "p=tls-server-end-point,,",
    bindingData,
    nonce: "abc",
  });
  bindingData.fill(2);
  exchange.clientFirst();
  exchange.serverFirst(octets("r=abcd,s=AAAA,i=1"));
  const sent = text(exchange.clientFinal(scramKeys(new Uint8Array(32))));
  assert.equal(sent.split(",")[0], `c=${btoa("p=tls-server-end-point,,\x01\x01\x01")}`);
});

test("scramKeys() and clientFinal() take 32 octets and nothing else", () => {
  for (const length of [0, 31, 33]) {
    assert.throws(() => scramKeys(new Uint8Array(length)), UsageError);
    const exchange = new ScramExchange(PLAIN);
    exchange.clientFirst();
    exchange.serverFirst(octets("r=abcd,s=AAAA,i=1"));
    const good = new Uint8Array(32);
    const bad = new Uint8Array(length);
    assert.throws(() => exchange.clientFinal({ clientKey: bad, serverKey: good }), UsageError);
    assert.throws(() => exchange.clientFinal({ clientKey: good, serverKey: bad }), UsageError);
    assert.match(text(exchange.clientFinal({ clientKey: good, serverKey: good })), /^c=biws,/);
  }
});

test("VerifiedServer can be made by a finished exchange only", () => {
  assert.throws(() => new VerifiedServer(Symbol("scram.ts"), "SCRAM-SHA-256"), UsageError);
  for (const forged of [undefined, null, {}, Object.create(VerifiedServer.prototype)]) {
    assert.equal(VerifiedServer.isGenuine(forged), false);
  }
});
