import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { type ErrorCode, PgHandshakeError, UsageError } from "../../src/errors.ts";
import { ClientHandshake } from "../../src/handshake/client.ts";
import type { SessionStart } from "../../src/handshake/client_state.ts";
import type { Next } from "../../src/handshake/step.ts";
import { mutate, Prng } from "../support/prng.ts";
import { join, split } from "../support/vectors.ts";
import { answerTo, type Script } from "./converse.ts";
import { clientConfig, type HandshakeCase, handshakeCases, scriptOf } from "./vector_case.ts";

/** Change it to look elsewhere; a failure names the seed of its own mutation. */
const SEED = 20_260_601;
const MUTATIONS = 3_000;

/** What a server, whatever it sends, may make of a start-up. */
const DECLARED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "malformed-message",
  "protocol-violation",
  "not-postgresql",
  "protocol-version",
  "auth-forbidden",
  "auth-unsupported",
  "cleartext-forbidden",
  "channel-binding",
  "server-not-verified",
  "scram-limit",
  "connection-lost",
  "tls-refused",
  "server-error",
]);
// deno-lint-ignore no-control-regex -- controls are what it looks for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

/** Complete logins, each with a policy that lets in nothing but what it does. */
const BASES: readonly HandshakeCase[] = [
  ["md5", "md5"],
  ["a cleartext password on a local socket", "password"],
  ["SCRAM over plaintext, the whole transcript", "scram-sha-256"],
  ["SCRAM-SHA-256-PLUS over direct TLS", "scram-sha-256"],
  ["SCRAM-SHA-256-PLUS over TLS by SSLRequest", "scram-sha-256"],
  ["SCRAM after N says n", "scram-sha-256"],
  ["v 3.0 after 3.2, in a flight of its own, then SCRAM", "scram-sha-256"],
  ["notices before and behind the key", undefined],
  ["notifications before ReadyForQuery", undefined],
  ["an error between parameters", undefined],
  ["an error of protocol 2 with newline", undefined],
].map(([name, requireAuth]) => {
  const found = handshakeCases().find((one) => one.name === name);
  if (found === undefined) throw new Error(`Cannot find case "${name}"`);
  return requireAuth === undefined ? found : { ...found, config: { ...found.config, requireAuth } };
});

/** Plays pieces as they come, TLS and answers in between, the end of the stream behind them. */
function play(one: HandshakeCase, script: Script, pieces: readonly Uint8Array[]): {
  readonly next: Next<SessionStart>;
  readonly sent: number;
} {
  const machine = new ClientHandshake(clientConfig(one.config));
  let step = machine.start();
  let sent = 0;
  let at = 0;
  for (let steps = 0; steps < pieces.length + 16; steps++) {
    sent += step.send.length;
    const { next } = step;
    switch (next.do) {
      case "read": {
        const piece = pieces[at++];
        step = piece === undefined ? machine.receiveEnd() : machine.receive(piece);
        break;
      }
      case "start-tls":
        step = machine.secured(script.secured);
        break;
      case "answer":
        step = machine.answer(answerTo(next.request, script));
        break;
      default:
        return { next, sent };
    }
  }
  throw new Error("The machine does not end");
}

/** Changes octets, or moves, drops and doubles whole messages. */
function change(flights: readonly Uint8Array[], prng: Prng): readonly Uint8Array[] {
  const changed = [...flights];
  const at = prng.below(changed.length);
  const flight = changed[at] ?? new Uint8Array(0);
  if (prng.below(3) > 0) {
    changed[at] = mutate(flight, prng);
    return changed;
  }
  const messages = [...changed.flatMap(messagesOf)];
  const from = prng.below(messages.length);
  const [message = new Uint8Array(0)] = messages.splice(from, 1);
  const copies = prng.below(3);
  for (let times = 0; times < copies; times++) {
    messages.splice(prng.below(messages.length + 1), 0, message);
  }
  return messages;
}

/** The messages of a flight; an octet that answers SSLRequest stays alone. */
function messagesOf(flight: Uint8Array): readonly Uint8Array[] {
  const messages: Uint8Array[] = [];
  const view = new DataView(flight.buffer);
  for (let at = 0; at < flight.length;) {
    const length = at + 5 <= flight.length ? view.getUint32(at + 1) + 1 : 1;
    messages.push(flight.slice(at, at + length));
    at += length;
  }
  return messages;
}

function judge(one: HandshakeCase, next: Next<SessionStart>): string {
  if (next.do === "finish") {
    const { authentication } = next.result;
    const wanted = one.config?.requireAuth;
    if (wanted !== undefined) assert.equal(authentication.method, wanted);
    return `finish ${authentication.method}`;
  }
  assert.ok(next.do === "fail");
  const { error } = next;
  assert.ok(error instanceof PgHandshakeError);
  assert.ok(!(error instanceof UsageError), error.message);
  assert.ok(DECLARED.has(error.code), `${error.code}: ${error.message}`);
  assert.notEqual(error.phase, "settings");
  assert.ok(error.message.length > 0 && error.message.length < 5_000, error.message);
  assert.ok(!CONTROLS.test(error.message), JSON.stringify(error.message));
  return `${error.code} ${error.phase} ${error.message}`;
}

test("changed logins end in declared errors, or as they should", () => {
  const ends = new Set<string>();
  for (let count = 0; count < MUTATIONS; count++) {
    const seed = SEED + count;
    try {
      const prng = new Prng(seed);
      const one = prng.pick(BASES);
      const script = scriptOf(one);
      const flights = change(script.flights.filter((part) => part !== "end"), prng);
      const { next, sent } = play(one, script, flights);
      const told = judge(one, next);
      ends.add(told.split(" ")[0] ?? "");
      // Around TLS the cut of the stream matters; elsewhere no cut may change anything.
      if (one.config?.encryption !== "ssl-request") {
        const pieces = split(join(...flights), 1 + prng.below(40));
        const cut = play(one, script, pieces);
        assert.equal(judge(one, cut.next), told);
        assert.equal(cut.sent, sent);
      }
    } catch (cause) {
      throw new Error(`Mutation with seed ${seed} went wrong: ${String(cause)}`, { cause });
    }
  }
  // Chance that meets only one kind of end would prove little.
  for (const end of ["finish", "malformed-message", "protocol-violation", "server-not-verified"]) {
    assert.ok(ends.has(end), `no mutation ended in ${end}`);
  }
});
