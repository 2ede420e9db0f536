import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { CancelHandshake } from "../../src/handshake/cancel.ts";
import { ClientHandshake } from "../../src/handshake/client.ts";
import type { HandshakeEvent, MessageEvent, Step } from "../../src/handshake/step.ts";
import { join, toHex } from "../support/vectors.ts";
import { type Conversation, converse } from "./converse.ts";
import { sentMessages } from "./sent_names.ts";
import {
  cancelConfig,
  clientConfig,
  flight,
  type HandshakeCase,
  handshakeCases,
  octetAnswers,
  octets,
  scriptOf,
} from "./vector_case.ts";

const CASES = handshakeCases();

/** Type octets of the server, and how the names of what they stand for begin. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ["R", "Authentication"],
  ["v", "NegotiateProtocolVersion"],
  ["S", "ParameterStatus"],
  ["K", "BackendKeyData"],
  ["Z", "ReadyForQuery"],
  ["N", "NoticeResponse"],
  ["A", "NotificationResponse"],
]);

function messageEvents<R>(steps: readonly Step<R>[]): readonly MessageEvent[] {
  return steps.flatMap((step) => step.events).filter((event) => event.type === "message");
}

function others<R>(steps: readonly Step<R>[]): readonly HandshakeEvent[] {
  return steps.flatMap((step) => step.events).filter((event) => event.type !== "message");
}

function play(one: HandshakeCase, traced: boolean, pieceOctets = Infinity): Conversation<unknown> {
  const machine = new ClientHandshake(clientConfig(one.config, traced));
  return converse(machine, scriptOf(one), pieceOctets);
}

for (const one of CASES) {
  test(`a trace changes nothing and names what is sent: ${one.name}`, () => {
    const plain = play(one, false);
    const traced = play(one, true);
    assert.equal(messageEvents(plain.steps).length, 0);
    assert.deepEqual(others(traced.steps), others(plain.steps));
    assert.equal(toHex(traced.sent), toHex(plain.sent));
    assert.equal(traced.end.kind, plain.end.kind);
    const sent = messageEvents(traced.steps).filter(({ direction }) => direction === "sent");
    assert.deepEqual(sent.map(({ name, octets }) => ({ name, octets })), sentMessages(plain.sent));
  });

  if ("finish" in one.outcome) {
    test(`a trace names all that is received: ${one.name}`, () => {
      for (const pieceOctets of [Infinity, 3]) {
        const { steps } = play(one, true, pieceOctets);
        const received = messageEvents(steps).filter(({ direction }) => direction === "received");
        const wanted = receivedIn(one);
        assert.deepEqual(received.map((event) => event.octets), wanted.map(([, length]) => length));
        for (const [at, [begin]] of wanted.entries()) {
          const name = received[at]?.name ?? "";
          assert.ok(name.startsWith(begin), `message ${at} is ${name}, not ${begin}`);
        }
      }
    });
  }
}

/** What a case's server sends up to ReadyForQuery: how its name begins, and how long it is. */
function receivedIn(one: HandshakeCase): readonly (readonly [string, number])[] {
  const parts = scriptOf(one).flights.map((part) => part === "end" ? new Uint8Array(0) : part);
  const whole = join(...parts);
  const found: (readonly [string, number])[] = [];
  for (const name of octetAnswers(one)) found.push([name, 1]);
  let at = found.length;
  const view = new DataView(whole.buffer);
  for (;;) {
    const type = String.fromCharCode(whole[at] ?? 0);
    const length = view.getUint32(at + 1) + 1;
    found.push([NAMES.get(type) ?? `a name of type ${type}`, length]);
    if (type === "Z") return found;
    at += length;
  }
}

test("a trace keeps the order of both directions", () => {
  const one: HandshakeCase = {
    name: "-",
    source: "-",
    config: { encryption: "ssl-request", plaintextAfterRefusal: true, protocolVersion: "3.2" },
    server: [
      [{ octets: "4e" }],
      [{ octets: "760000000c 00030000 00000000" }, "ask-scram"],
      ["server-first", "final-n", "welcome"],
    ],
    outcome: { finish: {} },
  };
  for (const pieceOctets of [Infinity, 1]) {
    const events = messageEvents(play(one, true, pieceOctets).steps);
    assert.deepEqual(events.map((event) => `${event.direction} ${event.name}`), [
      "sent SSLRequest",
      "received SSLResponse",
      "sent StartupMessage",
      "received NegotiateProtocolVersion",
      "received AuthenticationSASL",
      "sent SASLInitialResponse",
      "received AuthenticationSASLContinue",
      "sent SASLResponse",
      "received AuthenticationSASLFinal",
      "received AuthenticationOk",
      "received ParameterStatus",
      "received BackendKeyData",
      "received ReadyForQuery",
    ]);
    assert.deepEqual(events.map((event) => event.detail), [
      {},
      { answer: "N" },
      { version: "3.2", parameters: ["user=u", "database=d"] },
      { version: "3.0", unrecognized: [] },
      { mechanisms: ["SCRAM-SHA-256"] },
      { mechanism: "SCRAM-SHA-256", data: "(not shown)" },
      { data: "(not shown)" },
      { data: "(not shown)" },
      { data: "(not shown)" },
      {},
      { name: "server_version", value: "18.6" },
      { processId: 0x1234, secretKey: "(not shown)" },
      { status: "I" },
    ]);
  }
});

test("a message that has no place is traced before the failure", () => {
  const machine = new ClientHandshake(clientConfig());
  machine.start();
  const step = machine.receive(octets("5a0000000549"));
  assert.equal(step.next.do, "fail");
  assert.deepEqual(messageEvents([step]).map((event) => event.name), ["ReadyForQuery"]);
});

test("the server's texts in a trace are cut and made safe to print", () => {
  const machine = new ClientHandshake(clientConfig());
  machine.start();
  const long = `\u001b[2J\n${"x".repeat(300)}`;
  const told = new TextEncoder().encode(long);
  const head = octets("5300000138 6100");
  assert.equal(head.length + told.length + 1, 0x138 + 1);
  const step = machine.receive(join(octets("520000000800000000"), head, told, octets("00")));
  const [, parameter] = messageEvents([step]);
  assert.equal(parameter?.name, "ParameterStatus");
  const value = parameter?.detail["value"];
  assert.ok(typeof value === "string" && value.startsWith("\\x1b[2J\\nxxx"), String(value));
  assert.ok(value.length < 250 && value.includes("more characters"));
  assert.deepEqual(others([step]), [{ type: "parameter", name: "a", value: long }]);
});

test("a cancel is traced as its own messages, without the key", () => {
  const script = scriptOf({
    name: "-",
    source: "-",
    tls: { alpn: "postgresql", verified: "full" },
    server: [[{ octets: "53" }], { end: true }],
    outcome: { finish: {} },
  });
  const config = { encryption: "ssl-request", key: "00112233445566778899" } as const;
  const traced = converse(new CancelHandshake(cancelConfig(config)), script, Infinity);
  assert.deepEqual(messageEvents(traced.steps), [
    { type: "message", direction: "sent", name: "SSLRequest", octets: 8, detail: {} },
    {
      type: "message",
      direction: "received",
      name: "SSLResponse",
      octets: 1,
      detail: { answer: "S" },
    },
    {
      type: "message",
      direction: "sent",
      name: "CancelRequest",
      octets: 22,
      detail: { processId: 0x1234, secretKey: "(not shown)" },
    },
  ]);
  const plain = converse(new CancelHandshake(cancelConfig(config, false)), script, Infinity);
  assert.equal(messageEvents(plain.steps).length, 0);
  assert.equal(toHex(plain.sent), toHex(traced.sent));
});

test("every flight of the vectors is whole messages", () => {
  for (const name of ["welcome", "prepared", "ask-scram", "ask-plus", "server-first", "final-n"]) {
    const whole = flight(name);
    const view = new DataView(whole.buffer);
    let at = 0;
    while (at < whole.length) at += view.getUint32(at + 1) + 1;
    assert.equal(at, whole.length, name);
  }
});

test("parameters nobody hears are collected all the same, and everything else is reported", () => {
  const heardOf = (parametersUnheard: boolean | undefined) => {
    const machine = new ClientHandshake({ ...clientConfig(), parametersUnheard });
    machine.start();
    const { next, events } = machine.receive(flight("welcome"));
    assert.ok(next.do === "finish");
    return { parameters: next.result.parameters, types: events.map(({ type }) => type) };
  };
  const [heard, unheard] = [heardOf(undefined), heardOf(true)];
  assert.ok(heard.parameters.size > 0);
  assert.deepEqual(unheard.parameters, heard.parameters);
  assert.equal(heard.types.filter((type) => type === "parameter").length, heard.parameters.size);
  assert.deepEqual(unheard.types, heard.types.filter((type) => type !== "parameter"));
});
