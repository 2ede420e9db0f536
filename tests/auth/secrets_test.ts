import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { encodeBase64 } from "../../src/auth/base64.ts";
import { Gate } from "../../src/auth/gate.ts";
import { ScramExchange, scramKeys } from "../../src/auth/scram.ts";
import { policy, tls, verifiedServer } from "../support/auth_policy.ts";
import { makeCertificate } from "../support/der.ts";
import { toHex } from "../support/vectors.ts";

/** Everything that prints an object on any of our runtimes. */
function printed(value: unknown): string {
  const { Deno, Bun } = globalThis as unknown as Readonly<
    Record<"Deno" | "Bun", { readonly inspect?: (value: unknown) => string } | undefined>
  >;
  return [
    String(value),
    JSON.stringify(value),
    JSON.stringify(Object.entries(value as object)),
    inspect(value, { depth: null, showHidden: true, getters: false }),
    Deno?.inspect?.(value) ?? "",
    Bun?.inspect?.(value) ?? "",
    value instanceof Error ? value.stack ?? "" : "",
  ].join("\n");
}

function assertHidden(value: unknown, secrets: readonly (string | Uint8Array)[]): void {
  const text = printed(value);
  for (const secret of secrets) {
    const spellings = typeof secret === "string"
      ? [secret]
      : [toHex(secret), encodeBase64(secret), [...secret].join(","), [...secret].join(", ")];
    for (const spelling of spellings) {
      assert.ok(!text.includes(spelling), `a secret is shown in ${text.slice(0, 200)}`);
    }
  }
}

const SALTED = Uint8Array.from({ length: 32 }, (_, at) => 200 - at);
const NONCE = "a-nonce-to-look-for";
const octets = (text: string): Uint8Array => new TextEncoder().encode(text);

test("keys, proof, signature and nonce are not shown by any print of an exchange, at any step", () => {
  const keys = scramKeys(SALTED);
  const secrets = [NONCE, SALTED, keys.clientKey, keys.serverKey];
  assertHidden(keys, secrets);
  const exchange = new ScramExchange({
    mechanism: "SCRAM-SHA-256",
    gs2Header: "n,,",
    bindingData: new Uint8Array(0),
    nonce: NONCE,
  });
  assertHidden(exchange, secrets);
  exchange.clientFirst();
  assertHidden(exchange, secrets);
  exchange.serverFirst(octets(`r=${NONCE}server,s=AAAA,i=1`));
  assertHidden(exchange, secrets);
  const final = new TextDecoder().decode(exchange.clientFinal(keys));
  assertHidden(exchange, [...secrets, final.slice(final.indexOf(",p=") + 3)]);
});

test("errors of an exchange show neither nonce nor what was to be proved", () => {
  const wrong: readonly string[] = [
    "r=another-nonce-of-the-server,s=AAAA,i=1",
    `r=${NONCE},s=AAAA,i=1`,
    `r=${NONCE}x,s=salty-salt,i=1`,
    `r=${NONCE} x,s=AAAA,i=1`,
    `s=AAAA,r=${NONCE}x`,
  ];
  for (const data of wrong) {
    const exchange = new ScramExchange({
      mechanism: "SCRAM-SHA-256",
      gs2Header: "n,,",
      bindingData: new Uint8Array(0),
      nonce: NONCE,
    });
    exchange.clientFirst();
    assert.throws(() => exchange.serverFirst(octets(data)), (error: unknown) => {
      assertHidden(error, [NONCE, "another-nonce", "salty-salt"]);
      return true;
    });
  }
});

test("a wrong signature is shown neither as it came nor as it should have been", () => {
  const exchange = new ScramExchange({
    mechanism: "SCRAM-SHA-256",
    gs2Header: "n,,",
    bindingData: new Uint8Array(0),
    nonce: NONCE,
  });
  exchange.clientFirst();
  exchange.serverFirst(octets(`r=${NONCE}x,s=AAAA,i=1`));
  exchange.clientFinal(scramKeys(SALTED));
  const signature = encodeBase64(SALTED);
  assert.throws(() => exchange.serverFinal(octets(`v=${signature}`)), (error: unknown) => {
    assertHidden(error, [NONCE, signature]);
    assert.equal((error as { readonly code?: unknown }).code, "server-not-verified");
    return true;
  });
});

test("gate, evidence and admission print without octets of the exchange", () => {
  const gate = new Gate(policy());
  gate.judgeChannel(tls({ serverCertificate: makeCertificate({ dnsNames: ["db.example"] }) }));
  const challenge = gate.judgeRequest({
    type: "AuthenticationSASL",
    mechanisms: ["SCRAM-SHA-256-PLUS"],
  });
  assert.ok(challenge.kind === "scram");
  gate.judgeScramFirst({ salt: Uint8Array.of(1), iterations: 4096 });
  const server = verifiedServer(challenge);
  assertHidden(server, ["abc", new Uint8Array(32)]);
  assertHidden(gate, [challenge.bindingData]);
  const admission = gate.admit({ method: "scram-sha-256", server });
  assert.deepEqual(JSON.parse(JSON.stringify(admission)), {
    method: "scram-sha-256",
    channelBound: true,
    bindingUnavailable: false,
  });
});
