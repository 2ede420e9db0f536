import "../support/guard.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { saslprep } from "../../src/auth/saslprep.ts";
import { copyScramKeys, scramKeys, wipeScramKeys } from "../../src/auth/scram_keys.ts";
import { ScramExchange } from "../../src/auth/scram.ts";
import { CancelKey } from "../../src/handshake/cancel_key.ts";
import { Secret } from "../../src/settings/secret.ts";
import { createMemoryPair } from "../../src/transport/memory.ts";
import { GssDeframer } from "../../src/wire/gss_frames.ts";

// A Buffer is a Uint8Array, but its slice() is a view: what is said to be copied must be, whoever gives it.

function clientFinal(overwrite: boolean): string {
  const exchange = new ScramExchange({
    mechanism: "SCRAM-SHA-256",
    gs2Header: "n,,",
    bindingData: new Uint8Array(0),
    nonce: "rOprNGfwEbeRWgbNEkqO",
  });
  exchange.clientFirst();
  const serverFirst = Buffer.from(
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  );
  exchange.serverFirst(serverFirst);
  if (overwrite) serverFirst.fill(0);
  return new TextDecoder().decode(exchange.clientFinal(scramKeys(new Uint8Array(32).fill(7))));
}

test("a Buffer that is used again does not change the SCRAM transcript", () => {
  assert.equal(clientFinal(true), clientFinal(false));
});

test("channel binding data may be a Buffer that is used again", () => {
  const [first, second] = [true, false].map((overwrite) => {
    const bindingData = Buffer.alloc(32, 5);
    const exchange = new ScramExchange({
      mechanism: "SCRAM-SHA-256-PLUS",
      gs2Header: "p=tls-server-end-point,,",
      bindingData,
      nonce: "abc",
    });
    if (overwrite) bindingData.fill(0);
    exchange.clientFirst();
    exchange.serverFirst(Buffer.from("r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
    return Buffer.from(exchange.clientFinal(scramKeys(new Uint8Array(32)))).toString();
  });
  assert.equal(first, second);
});

for (const password of ["secret", "pass\u00e9", "\u0627a"]) {
  test(`saslprep() gives octets of its own for "${password}" in a Buffer`, () => {
    const given = Buffer.from(password);
    saslprep(given).fill(0);
    assert.equal(given.toString(), password);
  });
}

test("a copy of SCRAM keys that are Buffers can be wiped apart", () => {
  const keys = { clientKey: Buffer.alloc(32, 1), serverKey: Buffer.alloc(32, 2) };
  wipeScramKeys(copyScramKeys(keys));
  assert.deepEqual([keys.clientKey[0], keys.serverKey[0]], [1, 2]);
});

test("a long cancel key may be a Buffer that is used again", () => {
  const given = Buffer.from("00112233445566778899", "hex");
  const key = new CancelKey(1, given);
  given.fill(0);
  assert.equal(Buffer.from(key.request()).subarray(12).toString("hex"), "00112233445566778899");
});

test("a secret is neither the Buffer it was given nor one it gave", () => {
  const given = Buffer.from("pw");
  const secret = new Secret<Uint8Array>(given);
  given.fill(0);
  secret.reveal().fill(0);
  secret.revealOctets().fill(0);
  assert.equal(new TextDecoder().decode(secret.revealOctets()), "pw");
});

test("pieces of an encrypted stream may come in a Buffer that is used again", () => {
  const deframer = new GssDeframer();
  const pool = Buffer.from([0, 0, 0, 2, 0x61]);
  deframer.push(pool);
  pool.fill(0x7a);
  deframer.push(Buffer.from([0x62]));
  assert.deepEqual([...deframer.next(16_384, false) ?? []], [0x61, 0x62]);
});

test("what a memory transport was given to write may be used again", async () => {
  const [client, server] = createMemoryPair();
  const pool = Buffer.from("hello");
  await client.write(pool);
  pool.fill(0);
  assert.equal(new TextDecoder().decode(await server.read()), "hello");
  client.close();
  server.close();
});
