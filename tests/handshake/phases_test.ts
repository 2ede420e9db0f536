import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { ProtocolError } from "../../src/errors.ts";
import { PHASES, type ReadingPlace } from "../../src/handshake/phases.ts";
import { TokenWanted } from "../../src/handshake/token_wanted.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { isBackendType } from "../../src/wire/codes.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import { arrive, MESSAGES, WAYS_TO_READING } from "./places.ts";

const PLACES = Object.keys(PHASES) as readonly ReadingPlace[];
const TYPES = Object.keys(MESSAGES) as readonly BackendMessage["type"][];

test("every state of PHASES has a way that leads to it, and none besides", () => {
  assert.deepEqual(Object.keys(WAYS_TO_READING).sort(), [...PLACES].sort());
});

test("every message that is legal somewhere is among those tried", () => {
  for (const { legal } of Object.values(PHASES)) {
    for (const type of legal) assert.ok(TYPES.includes(type), type);
  }
});

for (const place of PLACES) {
  const { legal, phase } = PHASES[place];
  for (const type of TYPES) {
    const octets = encodeBackend(MESSAGES[type]);
    if (legal.includes(type)) {
      test(`${type} has a place in "${place}"`, () => {
        const { machine, step: before } = arrive(WAYS_TO_READING[place]);
        assert.equal(before.next.do, "read");
        assert.equal(machine.phase, phase);
        const { next } = machine.receive(octets);
        if (next.do === "fail") assert.notEqual(next.error.code, "protocol-violation");
      });
    } else {
      test(`${type} has no place in "${place}"`, () => {
        const { machine } = arrive(WAYS_TO_READING[place]);
        assert.equal(machine.phase, phase);
        const step = machine.receive(octets);
        assert.ok(step.next.do === "fail");
        const { error } = step.next;
        assert.ok(error instanceof ProtocolError);
        assert.equal(error.code, "protocol-violation");
        assert.equal(error.phase, phase);
        assert.equal(machine.phase, phase);
        assert.ok(error.message.includes(type), error.message);
        for (const name of legal) assert.ok(error.message.includes(name), error.message);
        assert.equal(step.send.length, 0);
        // Nor does anything that comes later make it speak again.
        const later = machine.receive(encodeBackend(MESSAGES.AuthenticationCleartextPassword));
        assert.equal(later.send.length, 0);
        assert.ok(later.next.do === "fail" && later.next.error === error);
      });
    }
  }
}

for (const place of PLACES) {
  test(`no octet of a type that is not known has a place in "${place}"`, () => {
    const known = new Set(TYPES.map((type) => encodeBackend(MESSAGES[type])[0]));
    for (let octet = 0; octet < 256; octet++) {
      if (known.has(octet)) continue;
      const { machine } = arrive(WAYS_TO_READING[place]);
      const step = machine.receive(Uint8Array.of(octet, 0, 0, 0, 4));
      assert.ok(step.next.do === "fail", `octet ${octet}`);
      // In place of the very first message it is another protocol's.
      const isForeign = place === "await-authentication" && !isBackendType(octet);
      const code = isForeign ? "not-postgresql" : "protocol-violation";
      assert.equal(step.next.error.code, code);
      assert.equal(step.next.error.phase, PHASES[place].phase);
      assert.equal(step.send.length, 0);
    }
  });

  test(`the end of the stream in "${place}" is told as what it is`, () => {
    const { machine } = arrive(WAYS_TO_READING[place]);
    const step = machine.receiveEnd();
    assert.ok(step.next.do === "fail");
    const { error } = step.next;
    assert.equal(error.phase, PHASES[place].phase);
    if (place === "bearer-found") {
      // What the connection was made for is known by then.
      assert.ok(error instanceof TokenWanted);
      assert.equal(error.discovery.issuer, "https://issuer.test");
      return;
    }
    assert.equal(error.code, "connection-lost");
    assert.ok(error.message.includes(PHASES[place].atEnd), error.message);
    assert.ok(error.message.includes(PHASES[place].hintAtEnd), error.message);
    assert.equal(step.send.length, 0);
  });

  test(`"${place}" takes the length limits of its table and not one octet more`, () => {
    const { limits } = PHASES[place];
    for (let type = 0; type < 256; type++) {
      const most = limits.maxLength(type);
      const least = limits.minLength?.(type) ?? 4;
      for (const [length, fits] of [[least, true], [most, true], [most + 1, false]] as const) {
        // Only the header comes, so what fits is waited for (or is a message without a body).
        if (length === 4) continue;
        const { machine } = arrive(WAYS_TO_READING[place]);
        const { next } = machine.receive(header(type, length));
        const legacy = !fits && type === 0x45 && limits.legacyErrors;
        const isForeign = place === "await-authentication" && !isBackendType(type);
        const wanted = fits && !isForeign ? "read" : "fail";
        assert.equal(next.do, wanted, `type ${type}, length ${length}`);
        if (next.do === "fail" && !legacy) {
          assert.ok(["malformed-message", "not-postgresql"].includes(next.error.code));
        }
      }
    }
  });
}

function header(type: number, length: number): Uint8Array {
  return Uint8Array.of(type, length >>> 24, length >>> 16, length >>> 8, length);
}
