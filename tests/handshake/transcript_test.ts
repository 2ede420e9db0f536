import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { PgHandshakeError, UsageError } from "../../src/errors.ts";
import { CancelHandshake } from "../../src/handshake/cancel.ts";
import { ClientHandshake } from "../../src/handshake/client.ts";
import type { SessionStart } from "../../src/handshake/client_state.ts";
import type { HandshakeEvent } from "../../src/handshake/step.ts";
import { join, readVectors, toHex } from "../support/vectors.ts";
import { type Conversation, converse, type Playable } from "./converse.ts";
import { sentMessages } from "./sent_names.ts";
import {
  cancelConfig,
  type CaseFinish,
  clientConfig,
  type HandshakeCase,
  handshakeCases,
  octets,
  scriptOf,
  version,
} from "./vector_case.ts";

const PIECES: readonly number[] = [Infinity, 1, 3, 1000];

for (const one of handshakeCases()) {
  test(`ClientHandshake: ${one.name} (${one.source})`, () => {
    const play = (): ClientHandshake => new ClientHandshake(clientConfig(one.config));
    playAll(one, play, (start, unread, finish) => assertSession(start, unread, finish));
  });
}

for (const one of readVectors<HandshakeCase>("handshake_cancel")) {
  test(`CancelHandshake: ${one.name} (${one.source})`, () => {
    const play = (): CancelHandshake => new CancelHandshake(cancelConfig(one.config));
    playAll(one, play, (result) => assert.equal(result, undefined));
  });
}

/** Plays a case at every size of pieces; all must go the same way. */
function playAll<Result>(
  one: HandshakeCase,
  make: () => Playable<Result>,
  judge: (result: Result, unread: Uint8Array, finish: CaseFinish) => void,
): void {
  for (const pieceOctets of one.wholeOnly === true ? [Infinity] : PIECES) {
    const machine = make();
    const told = converse(machine, scriptOf(one), pieceOctets);
    assertEnd(one, told, machine, judge);
    assertSent(one, told.sent);
    if (one.events !== undefined) {
      const events = told.steps.flatMap((step) => step.events).filter(isTold).map(eventText);
      assert.deepEqual(events, one.events);
    }
  }
}

function assertEnd<Result>(
  one: HandshakeCase,
  told: Conversation<Result>,
  machine: Playable<Result>,
  judge: (result: Result, unread: Uint8Array, finish: CaseFinish) => void,
): void {
  const { outcome } = one;
  const { end } = told;
  if ("finish" in outcome) {
    if (end.kind !== "finish") return assert.fail(`it ends with ${endText(end)}`);
    return judge(end.result, end.unread, outcome.finish);
  }
  if ("waits" in outcome) {
    assert.equal(end.kind, "waits", endText(end));
    return assert.equal(machine.phase, outcome.waits);
  }
  if (end.kind !== "fail") return assert.fail(`it ends with ${endText(end)}`);
  const { error } = end;
  assert.equal(error.code, outcome.fail, error.message);
  assert.equal(error.phase, outcome.phase, error.message);
  assert.equal(machine.phase, outcome.phase);
  assert.ok(error instanceof PgHandshakeError && !(error instanceof UsageError));
  if (outcome.sqlState !== undefined) assert.equal(error.sqlState, outcome.sqlState);
  if (outcome.message !== undefined) assert.equal(error.message, outcome.message);
  for (const text of outcome.includes ?? []) assert.ok(error.message.includes(text), error.message);
  for (const text of outcome.notIncludes ?? []) {
    assert.ok(!`${error.message}\n${error.stack}`.includes(text), error.message);
  }
  assert.ok(error.message.length > 0 && error.message.length < 5_000, error.message);
}

function assertSent(one: HandshakeCase, sent: Uint8Array): void {
  if (one.sent !== undefined) {
    assert.deepEqual(sentMessages(sent).map((message) => message.name), one.sent);
  }
  if (one.sentHex !== undefined) assert.equal(toHex(sent), toHex(octets(one.sentHex)));
  for (const text of one.says ?? []) {
    assert.ok(Buffer.from(sent).includes(text), `"${text}" was not sent`);
  }
}

function assertSession(start: SessionStart, unread: Uint8Array, finish: CaseFinish): void {
  const { authentication, cancelKey } = start;
  const known = {
    method: authentication.method,
    channelBound: authentication.channelBound,
    bindingUnavailable: authentication.bindingUnavailable,
    protocolVersion: start.protocolVersion,
    parameters: Object.fromEntries(start.parameters),
    parameterList: [...start.parameters],
    processId: cancelKey?.processId,
    keyLength: cancelKey?.keyLength ?? 0,
    status: start.transactionStatus,
    channel: start.channel.kind,
    leftover: toHex(join(start.leftover, unread)),
  };
  const wanted = finish.protocolVersion === undefined
    ? finish
    : { ...finish, protocolVersion: version(finish.protocolVersion) };
  assert.deepEqual({ ...known, ...wanted }, known);
}

function isTold(event: HandshakeEvent): boolean {
  return event.type !== "message";
}

function eventText(event: HandshakeEvent): string {
  switch (event.type) {
    case "notice":
      return `notice ${event.notice.message ?? "-"}`;
    case "notification":
      return `notification ${event.processId} ${event.channel} ${event.payload}`;
    case "parameter":
      return `parameter ${event.name}=${event.value}`;
    default:
      return event.name;
  }
}

function endText<Result>(end: Conversation<Result>["end"]): string {
  return end.kind === "fail"
    ? `${end.error.code} at ${end.error.phase}: ${end.error.message}`
    : end.kind;
}
