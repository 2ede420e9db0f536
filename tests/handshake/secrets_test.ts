import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { CancelHandshake } from "../../src/handshake/cancel.ts";
import { CancelKey } from "../../src/handshake/cancel_key.ts";
import { ClientHandshake } from "../../src/handshake/client.ts";
import type { Step } from "../../src/handshake/step.ts";
import { readVectors } from "../support/vectors.ts";
import { type Conversation, converse, RFC7677_KEYS } from "./converse.ts";
import { assertNoSecret, needles, printed } from "./secrets.ts";
import {
  cancelConfig,
  clientConfig,
  type HandshakeCase,
  handshakeCases,
  octets,
  scriptOf,
} from "./vector_case.ts";

const CANCEL_KEY = octets("89abcdef");

for (const one of handshakeCases()) {
  test(`no secret can be printed: ${one.name}`, () => {
    const script = scriptOf(one);
    const machine = new ClientHandshake(clientConfig(one.config));
    const told = converse(machine, script, Infinity);
    const secrets = new Map([
      ["ClientKey", RFC7677_KEYS.clientKey],
      ["ServerKey", RFC7677_KEYS.serverKey],
      ["the cancel key", CANCEL_KEY],
      ...secretsIn(told.sent),
    ]);
    if (script.password.length > 0) secrets.set("the password", script.password);
    assertNone(machine, told, secrets);
  });
}

for (const one of readVectors<HandshakeCase>("handshake_cancel")) {
  test(`no key can be printed: ${one.name}`, () => {
    const config = cancelConfig(one.config);
    const machine = new CancelHandshake(config);
    const told = converse(machine, scriptOf(one), Infinity);
    const secrets = new Map([["the cancel key", octets(one.config?.key ?? "89abcdef")]]);
    assertNoSecret(config.key, secrets, "the key");
    assertNone(machine, told, secrets);
  });
}

test("a CancelKey prints its process and nothing else", () => {
  const given = octets("0123456789abcdef0123456789abcdef");
  const key = new CancelKey(4711, given);
  assert.equal(JSON.stringify(key), '{"processId":4711}');
  assert.equal(key.keyLength, 16);
  assertNoSecret(key, new Map([["the key", given]]), "the key");
  assert.deepEqual(Object.keys(key), ["processId"]);
  assert.deepEqual(structuredClone({ ...key }), { processId: 4711 });
});

test("the search finds what it looks for, whatever prints it", () => {
  const secret = octets("89abcdef");
  const holders: readonly unknown[] = [
    { secret },
    { secret: new Uint8Array([1, 2, ...secret, 3]).subarray(2, 3) },
    { secret: Buffer.from(secret) },
    new Error(`it is ${Buffer.from(secret).toString("base64")}`),
    { deep: { deeper: new Map([["key", [...secret]]]) } },
    Object.defineProperty({}, "hidden", { value: secret, enumerable: false }),
  ];
  for (const holder of holders) {
    assert.throws(
      () => assertNoSecret(holder, new Map([["the key", secret]]), "it"),
      /shows the key/,
      printed(holder),
    );
  }
  assert.ok(needles(octets("text:pencil")).includes("pencil"));
});

/** Everything a caller gets, but for the octets that are to be sent, which carry secrets by their nature. */
function assertNone<R>(
  machine: object,
  told: Conversation<R>,
  secrets: ReadonlyMap<string, Uint8Array>,
): void {
  assertNoSecret(machine, secrets, "the machine");
  for (const step of told.steps) {
    const { send: _, ...rest }: Step<R> = step;
    assertNoSecret(rest, secrets, "a step");
  }
  if (told.end.kind === "fail") assertNoSecret(told.end.error, secrets, "the error");
  if (told.end.kind === "finish") assertNoSecret(told.end.result, secrets, "the result");
}

/** The proof and the MD5 answer, found in what was sent. */
function secretsIn(sent: Uint8Array): readonly [string, Uint8Array][] {
  const text = Buffer.from(sent).toString("latin1");
  const proof = /,p=([A-Za-z0-9+/=]{44})/.exec(text)?.[1];
  const md5 = /md5[0-9a-f]{32}/.exec(text)?.[0];
  return [
    ...(proof === undefined
      ? []
      : [["the proof", new Uint8Array(Buffer.from(proof, "base64"))] as [string, Uint8Array]]),
    ...(md5 === undefined
      ? []
      : [["the MD5 answer", octets(`text:${md5}`)] as [string, Uint8Array]]),
  ];
}
