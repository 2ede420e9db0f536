import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { UsageError } from "../../src/errors.ts";
import { CancelHandshake } from "../../src/handshake/cancel.ts";
import { CancelKey } from "../../src/handshake/cancel_key.ts";
import type { Step } from "../../src/handshake/step.ts";
import { toHex } from "../support/vectors.ts";
import { cancelConfig, type CaseConfig, octets, securedBy } from "./vector_case.ts";

// What a cancel does on the wire stands in tests/vectors/handshake_cancel.json; here is what its caller may do.

const TLS = securedBy({ alpn: "postgresql", verified: "full" });
const SSL: CaseConfig = { encryption: "ssl-request" };

const CALLS: Readonly<Record<string, (machine: CancelHandshake) => Step<undefined>>> = {
  "start()": (machine) => machine.start(),
  "receive()": (machine) => machine.receive(octets("53")),
  "receiveEnd()": (machine) => machine.receiveEnd(),
  "secured()": (machine) => machine.secured(TLS),
  "answer()": (machine) => machine.answer({ kind: "password", password: octets("61") }),
};

/** Every place a cancel can be at, how it gets there, and what is in order there. */
const PLACES: Readonly<
  Record<string, {
    readonly config: CaseConfig;
    readonly way: readonly string[];
    readonly inOrder: readonly string[];
    readonly phase: string;
  }>
> = {
  "idle": { config: {}, way: [], inOrder: ["start()"], phase: "negotiate" },
  "await-ssl-answer": {
    config: SSL,
    way: ["start()"],
    inOrder: ["receive()", "receiveEnd()"],
    phase: "negotiate",
  },
  "await-tls": {
    config: SSL,
    way: ["start()", "receive()"],
    inOrder: ["secured()"],
    phase: "tls",
  },
  "await-end": {
    config: SSL,
    way: ["start()", "receive()", "secured()"],
    inOrder: ["receive()", "receiveEnd()"],
    phase: "cancel",
  },
  "finished": {
    config: {},
    way: ["start()", "receiveEnd()"],
    inOrder: [],
    phase: "cancel",
  },
};

function arrive(place: string): CancelHandshake {
  const { config, way } = PLACES[place] ?? assert.fail(place);
  const machine = new CancelHandshake(cancelConfig(config));
  for (const call of way) CALLS[call]?.(machine);
  return machine;
}

for (const [place, { inOrder, phase }] of Object.entries(PLACES)) {
  test(`a cancel at "${place}" is in phase "${phase}"`, () => {
    assert.equal(arrive(place).phase, phase);
  });

  for (const [call, run] of Object.entries(CALLS)) {
    if (inOrder.includes(call)) {
      test(`${call} is in order for a cancel at "${place}"`, () => {
        assert.ok(run(arrive(place)).send instanceof Uint8Array);
      });
      continue;
    }
    test(`${call} is a UsageError for a cancel at "${place}" and changes nothing`, () => {
      const machine = arrive(place);
      assert.throws(() => run(machine), UsageError);
      assert.equal(machine.phase, phase);
      const next = inOrder.at(-1);
      if (next === undefined) return;
      const told = CALLS[next]?.(machine);
      const wanted = CALLS[next]?.(arrive(place));
      assert.equal(told?.next.do, wanted?.next.do);
      assert.deepEqual(told?.send, wanted?.send);
    });
  }
}

test("a read that gives no octets is no answer to a cancel", () => {
  const machine = arrive("await-end");
  assert.equal(machine.receive(new Uint8Array(0)).next.do, "read");
  assert.equal(machine.receiveEnd().next.do, "finish");
});

test("a read that gives no octets is no answer to the SSLRequest of a cancel", () => {
  const machine = arrive("await-ssl-answer");
  assert.equal(machine.receive(new Uint8Array(0)).next.do, "read");
  assert.equal(machine.receive(octets("53")).next.do, "start-tls");
});

test("a cancel that goes on after N does not exist: the key stays unsent", () => {
  const machine = arrive("await-ssl-answer");
  const step = machine.receive(octets("4e"));
  assert.equal(step.send.length, 0);
  assert.ok(step.next.do === "fail" && step.next.error.code === "tls-refused");
  const later = machine.receiveEnd();
  assert.ok(later.next.do === "fail" && later.next.error === step.next.error);
});

test("a CancelKey copies what it is given and hands out a packet of its own each time", () => {
  const given = octets("55667788");
  const key = new CancelKey(0x11223344, given);
  given.fill(0);
  const first = key.request();
  assert.equal(toHex(first), "0000001004d2162e1122334455667788");
  first.fill(0);
  assert.equal(toHex(key.request()), "0000001004d2162e1122334455667788");
  assert.equal(key.keyLength, 4);
});
