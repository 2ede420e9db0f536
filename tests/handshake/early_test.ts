import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientHandshake } from "../../src/handshake/client.ts";
import type { SessionStart } from "../../src/handshake/client_state.ts";
import { type EarlyQuery, type ExpectedRequest, WrongGuess } from "../../src/handshake/early.ts";
import { ServerError } from "../../src/handshake/server_error.ts";
import type { Step } from "../../src/handshake/step.ts";
import { type BackendMessage, encodeBackend } from "../../src/wire/backend.ts";
import { join, readVectors, toHex } from "../support/vectors.ts";
import { type Conversation, converse } from "./converse.ts";
import { MESSAGES } from "./places.ts";
import { sentMessages } from "./sent_names.ts";
import {
  type CaseConfig,
  clientConfig,
  flight,
  type HandshakeCase,
  octets,
  scriptOf,
  securedBy,
} from "./vector_case.ts";

const SCRAM: ExpectedRequest = { channel: "plain", mechanisms: ["SCRAM-SHA-256"] };
const NOTHING: ExpectedRequest = { channel: "plain", mechanisms: [] };
const QUERY: EarlyQuery = { text: "select 1", over: "any-channel" };
const LOCAL: CaseConfig = { local: true };
const CASES = readVectors<HandshakeCase>("handshake");

/** What AuthenticationSASL of a case offers, if that is what the server asks for first. */
function offeredIn(one: HandshakeCase): readonly string[] | undefined {
  const items = one.server.flatMap((part) => "end" in part ? [] : part);
  const first = items.find((item) =>
    typeof item === "string" || "type" in item && item.type !== "NegotiateProtocolVersion"
  );
  if (first === "ask-scram") return ["SCRAM-SHA-256"];
  if (first === "ask-plus") return ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"];
  return typeof first === "object" && "mechanisms" in first
    ? first.mechanisms as readonly string[]
    : undefined;
}

/** Everything about the end of a conversation that a caller can see, but for what was guessed. */
function endOf(told: Conversation<SessionStart>): unknown {
  const { end } = told;
  switch (end.kind) {
    case "waits":
      return "waits";
    case "fail":
      return [end.error.code, end.error.message, end.error.phase];
    case "finish": {
      const { early: _, ...result } = end.result;
      return { ...result, cancelKey: result.cancelKey?.processId };
    }
  }
}

for (const one of CASES) {
  const mechanisms = offeredIn(one);
  if (mechanisms === undefined) continue;
  const channel = one.tls === undefined ? "plain" : "tls";
  test(`a right guess changes nothing but the flights: ${one.name}`, () => {
    const inTurn = converse(new ClientHandshake(clientConfig(one.config)), scriptOf(one), Infinity);
    for (const pieceOctets of one.wholeOnly === true ? [Infinity] : [Infinity, 1, 3]) {
      const config: CaseConfig = { ...one.config, expected: { channel, mechanisms } };
      const machine = new ClientHandshake(clientConfig(config));
      const told: Conversation<SessionStart> = converse(machine, scriptOf(one), pieceOctets);
      if (told.end.kind === "fail" && told.end.error instanceof WrongGuess) {
        // The exchange ended before the server answered it: the guess may be why.
        const cause: unknown = told.end.error.cause;
        assert.ok(inTurn.end.kind === "fail");
        assert.equal((cause as Error).message, inTurn.end.error.message);
        continue;
      }
      assert.deepEqual(endOf(told), endOf(inTurn));
      // What is refused in turn was not answered; what left early had left by then.
      if (told.end.kind === "fail") assert.ok(toHex(told.sent).startsWith(toHex(inTurn.sent)));
      else assert.equal(toHex(told.sent), toHex(inTurn.sent));
    }
  });
}

for (const one of CASES) {
  if (!("finish" in one.outcome) || one.outcome.finish.leftover !== undefined) continue;
  test(`a first query leaves with our last message: ${one.name}`, () => {
    const inTurn = converse(new ClientHandshake(clientConfig(one.config)), scriptOf(one), Infinity);
    for (const pieceOctets of one.wholeOnly === true ? [Infinity] : [Infinity, 1]) {
      const machine = new ClientHandshake(clientConfig({ ...one.config, firstQuery: QUERY }));
      const told = converse(machine, scriptOf(one), pieceOctets);
      assert.deepEqual(endOf(told), endOf(inTurn));
      assert.ok(told.end.kind === "finish");
      const names = sentMessages(told.sent).map(({ name }) => name);
      const asked = told.end.result.authentication.method !== "none";
      assert.equal(told.end.result.early.query, asked ? "sent" : "held");
      assert.equal(names.filter((name) => name === "Query").length, asked ? 1 : 0);
      if (!asked) continue;
      // Behind everything else, in the same flight.
      assert.equal(names.at(-1), "Query");
      const last = told.steps.filter(({ send }) => send.length > 0).at(-1);
      assert.ok((last?.send.length ?? 0) > (sentMessages(told.sent).at(-1)?.octets ?? 0));
    }
  });
}

/** A machine that guesses, and its first step. */
function begun(config: CaseConfig): {
  readonly machine: ClientHandshake;
  readonly first: Step<SessionStart>;
} {
  const machine = new ClientHandshake(clientConfig({ ...LOCAL, ...config }));
  return { machine, first: machine.start() };
}

function namesIn({ send }: Step<SessionStart>): readonly string[] {
  return sentMessages(send).map(({ name }) => name);
}

function failure(step: Step<SessionStart>): Error {
  assert.ok(step.next.do === "fail", `it goes on with ${step.next.do}`);
  assert.equal(step.send.length, 0);
  return step.next.error;
}

test("StartupMessage and SASLInitialResponse are one flight", () => {
  const { first } = begun({ expected: SCRAM });
  assert.deepEqual(namesIn(first), ["StartupMessage", "SASLInitialResponse"]);
  assert.equal(first.next.do, "read");
});

for (
  const [what, config] of Object.entries<CaseConfig>({
    "nothing is known": {},
    "it was another channel": { expected: { ...SCRAM, channel: "tls" } },
    "require_auth forbids SCRAM": { expected: SCRAM, requireAuth: "!scram-sha-256" },
    "require_auth wants md5": { expected: SCRAM, requireAuth: "md5" },
    "PLUS was offered without TLS": {
      expected: { ...SCRAM, mechanisms: ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"] },
    },
    "no mechanism is known": { expected: { ...SCRAM, mechanisms: ["X-OTHER"] } },
    "nothing was asked for and nothing is to be said": { expected: NOTHING },
  })
) {
  test(`nothing leaves early if ${what}`, () => {
    const { machine, first } = begun(config);
    assert.deepEqual(namesIn(first), ["StartupMessage"]);
    // What comes then is no wrong guess.
    const step = machine.receive(octets("5200000008000000024500000005"));
    assert.ok(!(failure(step) instanceof WrongGuess));
  });
}

test("nothing leaves early before the encryption is decided", () => {
  const expected: ExpectedRequest = { channel: "tls", mechanisms: ["SCRAM-SHA-256"] };
  const config = { encryption: "ssl-request", local: false, expected } as const;
  const { machine, first } = begun({ ...config, firstQuery: QUERY });
  assert.deepEqual(namesIn(first), ["SSLRequest"]);
  const step = machine.receive(octets("53"));
  assert.equal(step.next.do, "start-tls");
  assert.equal(step.send.length, 0);
});

test("after N what was known of TLS is not sent in plaintext", () => {
  const expected: ExpectedRequest = { channel: "tls", mechanisms: ["SCRAM-SHA-256"] };
  const { machine } = begun({
    encryption: "ssl-request",
    plaintextAfterRefusal: true,
    expected,
  });
  assert.deepEqual(namesIn(machine.receive(octets("4e"))), ["StartupMessage"]);
});

/** What client-first says about channel binding when it leaves early over TLS. */
function earlyOverTls(mechanisms: readonly string[], config: CaseConfig = {}): string {
  const machine = new ClientHandshake(clientConfig({
    encryption: "direct-tls",
    expected: { channel: "tls", mechanisms },
    ...config,
  }));
  machine.start();
  const certificate = "EC256/SHA-256";
  const { send } = machine.secured(
    securedBy({ alpn: "postgresql", verified: "full", certificate }),
  );
  const text = new TextDecoder("latin1").decode(send);
  return /(SCRAM-SHA-256[-PLUS]*)\0....([nyp][^,]*),,/s.exec(text)?.slice(1).join(" ") ?? "";
}

test("over TLS client-first says what it would say in turn", () => {
  const plus = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"];
  const plain = ["SCRAM-SHA-256"];
  assert.equal(earlyOverTls(plus), "SCRAM-SHA-256-PLUS p=tls-server-end-point");
  // Whoever takes PLUS out of the list is found out by the server, early as in turn.
  assert.equal(earlyOverTls(plain), "SCRAM-SHA-256 y");
  assert.equal(earlyOverTls(plain, { channelBinding: "disable" }), "SCRAM-SHA-256 n");
  assert.equal(earlyOverTls(plus, { channelBinding: "disable" }), "SCRAM-SHA-256 n");
  assert.equal(earlyOverTls(plain, { channelBinding: "require" }), "");
});

for (
  const [before, now] of [
    [["SCRAM-SHA-256"], ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]],
    [["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"], ["SCRAM-SHA-256"]],
  ] as const
) {
  test(`a list that was ${before} and is ${now} is a wrong guess over TLS`, () => {
    const machine = new ClientHandshake(clientConfig({
      encryption: "direct-tls",
      expected: { channel: "tls", mechanisms: before },
    }));
    machine.start();
    const certificate = "EC256/SHA-256";
    machine.secured(securedBy({ alpn: "postgresql", verified: "full", certificate }));
    const step = machine.receive(
      encodeBackend({ type: "AuthenticationSASL", mechanisms: [...now] }),
    );
    assert.ok(failure(step) instanceof WrongGuess);
  });
}

/** What each message does to a guess of SCRAM: a wrong guess, the error it would be anyway, or on with it. */
const AFTER_GUESS: Readonly<Partial<Record<BackendMessage["type"], "wrong" | "on">>> = {
  AuthenticationOk: "wrong",
  AuthenticationCleartextPassword: "wrong",
  AuthenticationMD5Password: "wrong",
  AuthenticationSASL: "on",
  NegotiateProtocolVersion: "on",
};

for (const [type, message] of Object.entries(MESSAGES)) {
  const expectation = AFTER_GUESS[type as BackendMessage["type"]] ?? "as in turn";
  test(`${type} after an early SASLInitialResponse: ${expectation}`, () => {
    const encoded = encodeBackend(message);
    for (const pieces of [[encoded], [...encoded].map((octet) => Uint8Array.of(octet))]) {
      const config = { protocolVersion: "3.2" };
      const { machine } = begun({ ...config, expected: SCRAM });
      const inTurn = begun(config);
      let step = machine.receive(new Uint8Array(0));
      let plain = inTurn.machine.receive(new Uint8Array(0));
      for (const piece of pieces) {
        if (step.next.do === "read") step = machine.receive(piece);
        if (plain.next.do === "read") plain = inTurn.machine.receive(piece);
      }
      if (expectation === "on") {
        assert.equal(step.next.do, "read");
        assert.equal(step.send.length, 0);
        continue;
      }
      const error = failure(step);
      assert.equal(error instanceof WrongGuess, expectation === "wrong");
      if (expectation === "wrong") {
        assert.match(error.message, /expected to ask for SCRAM-SHA-256/);
      } else {
        assert.equal(error.message, failure(plain).message);
      }
    }
  });
}

test("what require_auth forbids is refused as it is in turn, and no guess is blamed", () => {
  for (const type of ["AuthenticationOk", "AuthenticationMD5Password"] as const) {
    const { machine } = begun({ expected: SCRAM, requireAuth: "scram-sha-256" });
    const error = failure(machine.receive(encodeBackend(MESSAGES[type])));
    assert.equal((error as { code?: string }).code, "auth-forbidden");
  }
});

const REFUSALS: readonly (readonly [sqlState: string, wrong: boolean])[] = [
  ["08P01", true],
  ["0A000", true],
  ["08004", true],
  ["28000", false],
  ["28P01", false],
  ["3D000", false],
  ["53300", false],
  ["57P03", false],
];

for (const [sqlState, wrong] of REFUSALS) {
  test(`a refusal ${sqlState} while a guess is open is ${wrong ? "about it" : "the server's word"}`, () => {
    const refusal = encodeBackend({
      type: "ErrorResponse",
      fields: { severity: "FATAL", sqlState, message: "no" },
    });
    const ask = flight("ask-scram");
    // Until server-first has come the server may not have understood.
    for (const before of [[], [ask]]) {
      for (const expected of [SCRAM, NOTHING]) {
        if (expected === NOTHING && before.length > 0) continue;
        const { machine } = begun({ expected, firstQuery: QUERY });
        for (const octetsBefore of before) machine.receive(octetsBefore);
        const error = failure(machine.receive(refusal));
        assert.equal(error instanceof WrongGuess, wrong);
        const said = wrong ? (error as WrongGuess).cause : error;
        assert.ok(said instanceof ServerError);
        assert.equal(said.sqlState, sqlState);
      }
    }
    const { machine } = begun({ expected: SCRAM });
    machine.receive(join(ask, flight("server-first")));
    machine.answer({ kind: "scram-keys", keys: scriptOf(CASES[0] as HandshakeCase).keys });
    assert.ok(failure(machine.receive(refusal)) instanceof ServerError);
  });
}

test("an end of the stream before server-first is a wrong guess, behind it it is an end", () => {
  for (const before of [[], [flight("ask-scram")]]) {
    const { machine } = begun({ expected: SCRAM });
    for (const octetsBefore of before) machine.receive(octetsBefore);
    assert.ok(failure(machine.receiveEnd()) instanceof WrongGuess);
  }
  const { machine } = begun({ expected: SCRAM });
  machine.receive(join(flight("ask-scram"), flight("server-first")));
  machine.answer({ kind: "scram-keys", keys: scriptOf(CASES[0] as HandshakeCase).keys });
  assert.ok(!(failure(machine.receiveEnd()) instanceof WrongGuess));
});

test("a second AuthenticationSASL has no place, guess or not", () => {
  const { machine } = begun({ expected: SCRAM });
  const step = machine.receive(join(flight("ask-scram"), flight("ask-scram")));
  const error = failure(step);
  assert.ok(!(error instanceof WrongGuess));
  assert.match(error.message, /AuthenticationSASL now: expected AuthenticationSASLContinue/);
});

test("a failed guess stays failed", () => {
  const { machine } = begun({ expected: SCRAM });
  const error = failure(machine.receive(octets("520000000800000000")));
  assert.equal(failure(machine.receive(octets("5a0000000549"))), error);
});

/** What a server that lets us in without asking makes of a query behind StartupMessage. */
test("a query leaves with StartupMessage where nothing was asked for", () => {
  const { machine, first } = begun({ expected: NOTHING, firstQuery: QUERY });
  assert.deepEqual(namesIn(first), ["StartupMessage", "Query"]);
  assert.ok(machine.querySent);
  const { next } = machine.receive(join(flight("welcome"), octets("490000000453")));
  assert.ok(next.do === "finish");
  assert.equal(next.result.early.query, "sent");
  assert.equal(toHex(next.result.leftover), "490000000453");
});

for (const type of ["AuthenticationCleartextPassword", "AuthenticationMD5Password"] as const) {
  test(`${type} after an early query is a wrong guess: nothing was run, and no password leaves`, () => {
    const { machine } = begun({ expected: NOTHING, firstQuery: QUERY });
    assert.ok(failure(machine.receive(encodeBackend(MESSAGES[type]))) instanceof WrongGuess);
  });
}

test("an end of the stream after an early query is an end: it may have been run", () => {
  const { machine } = begun({ expected: NOTHING, firstQuery: QUERY });
  const error = failure(machine.receiveEnd());
  assert.ok(!(error instanceof WrongGuess));
  assert.ok(machine.querySent);
});

const REMOTE: CaseConfig = { local: false };
const TRUSTED = { ...QUERY, over: "trusted-channel" } as const;

test("over plaintext to another machine a query waits, unless any channel will do", () => {
  for (const [over, names] of [["trusted-channel", []], ["any-channel", ["Query"]]] as const) {
    const { machine, first } = begun({
      ...REMOTE,
      expected: NOTHING,
      firstQuery: { ...QUERY, over },
    });
    assert.deepEqual(namesIn(first), ["StartupMessage", ...names]);
    assert.equal(machine.querySent, names.length > 0);
  }
});

for (
  const [verify, names] of [["none", []], ["ca", []], ["full", ["Query"]]] as const
) {
  test(`over TLS verified as "${verify}" ${names.length === 0 ? "a query waits" : "a query leaves early"}`, () => {
    const machine = new ClientHandshake(clientConfig({
      ...REMOTE,
      encryption: "direct-tls",
      verify,
      expected: { channel: "tls", mechanisms: [] },
      firstQuery: TRUSTED,
    }));
    machine.start();
    const step = machine.secured(securedBy({ alpn: "postgresql", verified: "full" }));
    assert.deepEqual(namesIn(step), ["StartupMessage", ...names]);
  });
}

test("a wrong signature after an early query ends everything before a result", () => {
  const { machine } = begun({ expected: SCRAM, firstQuery: QUERY });
  machine.receive(join(flight("ask-scram"), flight("server-first")));
  const keys = scriptOf(CASES[0] as HandshakeCase).keys;
  const proof = machine.answer({ kind: "scram-keys", keys });
  assert.equal(new TextDecoder("latin1").decode(proof.send).includes("Qselect 1"), false);
  assert.ok(new TextDecoder("latin1").decode(proof.send).endsWith("select 1\0"));
  const wrong = encodeBackend({
    type: "AuthenticationSASLFinal",
    data: octets(`text:v=${"A".repeat(43)}=`),
  });
  const step = machine.receive(join(wrong, flight("welcome"), octets("490000000453")));
  const error = failure(step);
  assert.equal((error as { code?: string }).code, "server-not-verified");
  assert.ok(machine.querySent);
});

test("a query with a zero octet is the caller's mistake, before anything is sent", () => {
  assert.throws(
    () => new ClientHandshake(clientConfig({ firstQuery: { ...QUERY, text: "a\0b" } })),
    { code: "misuse" },
  );
});
