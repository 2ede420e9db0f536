import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import type { ErrorCode } from "../../src/errors.ts";
import { ClientHandshake } from "../../src/handshake/client.ts";
import { answerTo, converse, GSS_CHANNEL } from "./converse.ts";
import {
  clientConfig,
  type HandshakeCase,
  handshakeCases,
  octetAnswers,
  scriptOf,
} from "./vector_case.ts";

/** What the end of the stream may come to: nothing else has been said by then. */
const AT_END: readonly ErrorCode[] = ["connection-lost"];

/** Longer ones hold long texts whose prefixes are all alike. */
const MAX_OCTETS = 2_000;

for (const one of handshakeCases()) {
  if (!("finish" in one.outcome)) continue;
  const script = scriptOf(one);
  const octets = script.flights.reduce((sum, part) => sum + part.length, 0);
  if (octets > MAX_OCTETS) continue;

  test(`a stream that ends anywhere before ReadyForQuery is lost: ${one.name}`, () => {
    const whole = new ClientHandshake(clientConfig(one.config));
    const told = converse(whole, script, Infinity);
    assert.ok(told.end.kind === "finish");
    const needed = octets - told.end.result.leftover.length - told.end.unread.length;
    for (let count = 0; count < needed; count++) {
      const { error, held } = endAfter(one, count);
      assert.ok(AT_END.includes(error.code), `after ${count} octets: ${error.message}`);
      assert.equal(error.message.includes("in the middle of a message"), held, error.message);
      assert.notEqual(error.phase, "ready");
    }
  });
}

/** Plays a case one octet at a time and ends the stream behind `count`. */
function endAfter(one: HandshakeCase, count: number): {
  readonly error: { readonly code: ErrorCode; readonly phase: string; readonly message: string };
  /** Whether the stream ended inside a message. */
  readonly held: boolean;
} {
  const script = scriptOf(one);
  const machine = new ClientHandshake(clientConfig(one.config));
  let step = machine.start();
  let left = count;
  const stream = script.flights.flatMap((part) => part === "end" ? [] : [...part]);
  for (let at = 0;;) {
    switch (step.next.do) {
      case "start-tls":
        step = machine.secured(script.secured);
        break;
      case "start-gss":
        step = machine.secured(GSS_CHANNEL);
        break;
      case "answer":
        step = machine.answer(answerTo(step.next.request, script));
        break;
      case "read":
        if (left === 0) {
          step = machine.receiveEnd();
          assert.ok(step.next.do === "fail");
          return { error: step.next.error, held: isInside(one, stream.slice(0, count)) };
        }
        step = machine.receive(Uint8Array.of(stream[at++] as number));
        left -= 1;
        break;
      default:
        return assert.fail(`it ended after ${at} octets with ${step.next.do}`);
    }
  }
}

/** Whether octets of a server end inside a message. */
function isInside(one: HandshakeCase, stream: readonly number[]): boolean {
  // The answers to SSLRequest and GSSENCRequest are octets of their own.
  let at = Math.min(octetAnswers(one).length, stream.length);
  while (at + 5 <= stream.length) {
    at += 1 + new DataView(Uint8Array.from(stream.slice(at + 1, at + 5)).buffer).getUint32(0);
  }
  return at !== stream.length;
}
