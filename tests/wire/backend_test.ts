import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { type BackendMessage, decodeBackend, encodeBackend } from "../../src/wire/backend.ts";
import { BEFORE_OK_LIMITS, Deframer, SESSION_LIMITS } from "../../src/wire/deframer.ts";
import { hex, join, split } from "../support/vectors.ts";
import { assertPrefixesSafe, backendCases, decodeServer } from "./cases.ts";

for (const one of backendCases) {
  const legacy = one.name.startsWith("protocol 2");
  test(`decodeBackend() reads ${one.name}`, () => {
    assert.deepEqual(one.decode([one.octets]), [one.message]);
  });
  test(`decodeBackend() reads ${one.name} octet by octet`, () => {
    assert.deepEqual(one.decode(split(one.octets, 1)), [one.message]);
  });
  if (!one.decodeOnly) {
    test(`encodeBackend() writes ${one.name}`, () => {
      assert.deepEqual(encodeBackend(one.message), one.octets);
    });
  }
  // A protocol 2 error has no length word that could be shortened; its prefixes are in deframer_test.ts.
  if (!legacy) {
    test(`decodeBackend() survives every prefix of ${one.name}`, () => assertPrefixesSafe(one, 1));
  }
}

/** From AuthenticationSASL to ReadyForQuery; reference transcript of a login by SCRAM. */
const TRANSCRIPT: readonly (readonly [type: BackendMessage["type"], octets: string])[] = [
  ["AuthenticationSASL", "52000000170000000a534352414d2d5348412d3235360000"],
  [
    "AuthenticationSASLContinue",
    "520000005c0000000b723d66796b6f2b64326c626246674f4e527639716b786461774c337266634e48594a59315a" +
    "5676575673376a4141414141412c733d5732325a614a30534e5937736f457355456a623667513d3d2c693d34303936",
  ],
  [
    "AuthenticationSASLFinal",
    "52000000360000000c763d567375534e63634b4b394e426267552f6278784c34693673665a57452b467277346a67" +
    "763145594d6c6b513d",
  ],
  ["AuthenticationOk", "520000000800000000"],
  ["ParameterStatus", "53000000187365727665725f76657273696f6e0031382e3600"],
  ["BackendKeyData", "4b0000000c0000123489abcdef"],
  ["ReadyForQuery", "5a0000000549"],
];
const WHOLE = hex(TRANSCRIPT.map(([, octets]) => octets).join(" "));
const TYPES = TRANSCRIPT.map(([type]) => type);

test("A login cut in two at every octet gives the same messages", () => {
  for (let at = 0; at <= WHOLE.length; at++) {
    const pieces = [WHOLE.subarray(0, at), WHOLE.subarray(at)];
    const types = decodeServer(pieces, BEFORE_OK_LIMITS).map((message) => message.type);
    assert.deepEqual(types, TYPES, `cut at ${at}`);
  }
});

test("A login in pieces of every size gives the same messages", () => {
  for (let size = 1; size <= WHOLE.length; size++) {
    const types = decodeServer(split(WHOLE, size), BEFORE_OK_LIMITS).map((message) => message.type);
    assert.deepEqual(types, TYPES, `pieces of ${size}`);
  }
});

test("Messages written one by one are the transcript", () => {
  const messages = decodeServer([WHOLE], BEFORE_OK_LIMITS);
  assert.deepEqual(join(...messages.map(encodeBackend)), WHOLE);
});

test("ParameterStatus may repeat, and come between BackendKeyData and ReadyForQuery", () => {
  const messages: readonly BackendMessage[] = [
    { type: "ParameterStatus", name: "TimeZone", value: "UTC" },
    { type: "BackendKeyData", processId: 1, secretKey: hex("01020304") },
    { type: "ParameterStatus", name: "TimeZone", value: "Europe/Berlin" },
    { type: "ReadyForQuery", status: "I" },
  ];
  const octets = join(...messages.map(encodeBackend));
  assert.deepEqual(decodeServer([octets], SESSION_LIMITS), messages);
});

test("What a message holds does not change when the octets it came from do", () => {
  const octets = encodeBackend({
    type: "BackendKeyData",
    processId: 1,
    secretKey: hex("01020304"),
  });
  const body = octets.slice(5);
  const message = decodeBackend({ type: 0x4b, body });
  body.fill(0xff);
  assert.deepEqual(message, {
    type: "BackendKeyData",
    processId: 1,
    secretKey: hex("01020304"),
  });
});

test("A Buffer of Node is copied too, although its slice() is a view", async () => {
  const { Buffer } = await import("node:buffer");
  const buffer = Buffer.from("4b0000000c0000123489abcdef", "hex");
  const deframer = new Deframer();
  deframer.push(buffer);
  const frame = deframer.message(SESSION_LIMITS);
  const direct = decodeBackend({ type: 0x4b, body: buffer.subarray(5) });
  buffer.fill(0);
  const expected = { type: "BackendKeyData", processId: 0x1234, secretKey: hex("89abcdef") };
  assert.ok(frame);
  assert.deepEqual(decodeBackend(frame), expected);
  assert.deepEqual(direct, expected);
});
