import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { ClientHandshake } from "../../src/handshake/client.ts";
import { MAX_START_OCTETS } from "../../src/handshake/phases.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import { MAX_PREPARE_LENGTH } from "../../src/wire/codes.ts";
import { join } from "../support/vectors.ts";
import { type Conversation, converse } from "./converse.ts";
import { clientConfig, octets, scriptOf } from "./vector_case.ts";

const OK = octets("520000000800000000");
const READY = octets("5a0000000549");

/** A NoticeResponse of so many octets in all. */
function notice(length: number): Uint8Array {
  // Type octet, length word, field code, two zero octets.
  return encodeBackend({ type: "NoticeResponse", fields: { message: "x".repeat(length - 8) } });
}

/** A login that takes so many octets, most of them notices. */
function login(length: number): Uint8Array {
  const longest = MAX_PREPARE_LENGTH + 1;
  const parts = [OK];
  let left = length - OK.length - READY.length;
  while (left > longest + 8) {
    parts.push(notice(longest - 8));
    left -= longest - 8;
  }
  parts.push(notice(left), READY);
  return join(...parts);
}

function play(flight: Uint8Array, pieceOctets: number): Conversation<unknown> {
  const script = scriptOf({ name: "-", source: "-", server: [], outcome: { waits: "prepare" } });
  const machine = new ClientHandshake(clientConfig({}, false));
  return converse(machine, { ...script, flights: [flight] }, pieceOctets);
}

for (const pieceOctets of [Infinity, 60_000]) {
  const how = pieceOctets === Infinity ? "in one piece" : `in pieces of ${pieceOctets}`;

  test(`a login of MAX_START_OCTETS octets is taken ${how}`, () => {
    const flight = login(MAX_START_OCTETS);
    assert.equal(flight.length, MAX_START_OCTETS);
    assert.equal(play(flight, pieceOctets).end.kind, "finish");
  });

  test(`a login of one octet more is refused ${how}`, () => {
    const { end } = play(login(MAX_START_OCTETS + 1), pieceOctets);
    assert.ok(end.kind === "fail");
    assert.equal(end.error.code, "protocol-violation");
    assert.equal(end.error.phase, "prepare");
    assert.ok(end.error.message.includes(String(MAX_START_OCTETS)), end.error.message);
  });

  test(`octets behind ReadyForQuery do not count, ${how}`, () => {
    const surplus = new Uint8Array(MAX_START_OCTETS);
    const { end } = play(join(OK, READY, surplus), pieceOctets);
    assert.equal(end.kind, "finish", "what counts must not depend on how the stream is cut");
  });
}
