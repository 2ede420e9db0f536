import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../src/errors.ts";
import { ClientHandshake } from "../../src/handshake/client.ts";
import { CLIENT_NONCE, clientConfig, flight } from "./vector_case.ts";

/** A machine whose nonce is drawn, and how often it was. */
function drawing(nonce = CLIENT_NONCE): { readonly machine: ClientHandshake; drawn(): number } {
  let drawn = 0;
  const clientNonce = (): string => (drawn++, nonce);
  return {
    machine: new ClientHandshake({ ...clientConfig(), clientNonce }),
    drawn: () => drawn,
  };
}

test("a nonce is drawn when SCRAM begins, once, and sent as one that was given", () => {
  const { machine, drawn } = drawing();
  machine.start();
  assert.equal(drawn(), 0);
  const { send } = machine.receive(flight("ask-scram"));
  assert.equal(drawn(), 1);
  const given = new ClientHandshake(clientConfig());
  given.start();
  assert.deepEqual(send, given.receive(flight("ask-scram")).send);
  assert.equal(machine.receive(flight("server-first")).next.do, "answer");
  assert.equal(drawn(), 1);
});

test("no nonce is drawn for a server that does not ask for SCRAM", () => {
  const { machine, drawn } = drawing();
  machine.start();
  assert.equal(machine.receive(flight("welcome")).next.do, "finish");
  assert.equal(drawn(), 0);
});

test("a nonce for an early SASLInitialResponse is drawn with it", () => {
  let drawn = 0;
  const machine = new ClientHandshake({
    ...clientConfig({ expected: { channel: "plain", mechanisms: ["SCRAM-SHA-256"] } }),
    clientNonce: () => (drawn++, CLIENT_NONCE),
  });
  machine.start();
  assert.equal(drawn, 1);
  machine.receive(flight("ask-scram"));
  assert.equal(drawn, 1);
});

for (const nonce of ["", "a,b", "a b", "ä", "x".repeat(513)]) {
  test(`${JSON.stringify(nonce.slice(0, 5))} of ${nonce.length} is no nonce, given or drawn`, () => {
    const given = { ...clientConfig(), clientNonce: nonce };
    assert.throws(() => new ClientHandshake(given), UsageError);
    const { machine } = drawing(nonce);
    machine.start();
    assert.throws(() => machine.receive(flight("ask-scram")), UsageError);
  });
}

test("that keys will be asked for is told while server-first is on its way, and only then", () => {
  const machine = new ClientHandshake(clientConfig());
  assert.deepEqual(machine.start().next, { do: "read" });
  const soon = { do: "read", soon: "scram-keys" };
  assert.deepEqual(machine.receive(flight("ask-scram")).next, soon);
  const first = flight("server-first");
  for (const octet of first.subarray(0, -1)) {
    assert.deepEqual(machine.receive(Uint8Array.of(octet)).next, soon);
  }
  assert.equal(machine.receive(first.subarray(-1)).next.do, "answer");
});
