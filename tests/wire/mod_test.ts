import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import * as wire from "../../src/wire/mod.ts";

test("The room's example runs as it is written", () => {
  const deframer = new wire.Deframer();
  deframer.push(wire.encodeBackend({ type: "ParameterStatus", name: "TimeZone", value: "UTC" }));
  deframer.push(wire.encodeBackend({ type: "ReadyForQuery", status: "I" }));
  const names: string[] = [];
  let frame = deframer.message(wire.SESSION_LIMITS);
  for (; frame; frame = deframer.message(wire.SESSION_LIMITS)) {
    names.push(wire.decodeBackend(frame).type);
  }
  assert.deepEqual(names, ["ParameterStatus", "ReadyForQuery"]);
});

test("Codes of requests are the pairs of numbers the manual gives", () => {
  const pair = (high: number, low: number): number => high * 0x10000 + low;
  assert.equal(wire.CANCEL_REQUEST_CODE, pair(1234, 5678));
  assert.equal(wire.SSL_REQUEST_CODE, pair(1234, 5679));
  assert.equal(wire.GSSENC_REQUEST_CODE, pair(1234, 5680));
  assert.equal(wire.PROTOCOL_3_0, pair(3, 0));
  assert.equal(wire.PROTOCOL_3_2, pair(3, 2));
  assert.equal(String.fromCharCode(wire.SSL_ACCEPTED, wire.GSSENC_ACCEPTED), "SG");
  assert.equal(wire.ENCRYPTION_REFUSED, "N".charCodeAt(0));
});

test("An octet is shown as a character only if it can be printed", () => {
  assert.equal(wire.showOctet(0x52), '"R"');
  for (const octet of [0x00, 0x1b, 0x20, 0x7f, 0xff]) {
    assert.equal(wire.showOctet(octet), `0x${octet.toString(16).padStart(2, "0")}`);
    assert.equal(wire.showType(octet), `0x${octet.toString(16).padStart(2, "0")}`);
  }
  assert.equal(wire.showType(0x52), '0x52 ("R")');
});
