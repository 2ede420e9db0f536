import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientHandshake } from "../../src/handshake/client.ts";
import type { SessionStart } from "../../src/handshake/client_state.ts";
import { WrongGuess } from "../../src/handshake/early.ts";
import type { Step } from "../../src/handshake/step.ts";
import { sentMessages } from "../handshake/sent_names.ts";
import { type CaseConfig, clientConfig, securedBy } from "../handshake/vector_case.ts";
import {
  beforehand,
  BEGINNING,
  judge,
  REQUIRE_AUTH_VALUES,
  type Standing,
  type Verdict,
  type Word,
  type World,
} from "./corpus_model.ts";
import { octetsOf, WORDS } from "./corpus_words.ts";

/** What the server offered last time. */
type Offer = "AuthenticationSASL" | "AuthenticationSASL with PLUS";

const OFFERS: Readonly<Record<Offer, readonly string[]>> = {
  "AuthenticationSASL": ["SCRAM-SHA-256"],
  "AuthenticationSASL with PLUS": ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"],
};

const WORLDS: readonly World[] = [true, false].flatMap((tls) =>
  (["disable", "prefer", "require"] as const).flatMap((binding) =>
    REQUIRE_AUTH_VALUES.map((requireAuth) => ({
      requireAuth,
      binding,
      tls,
      token: "none" as const,
    }))
  )
).filter((world) => beforehand(world) === undefined);

/** How a word is taken where something was answered before it was asked for. */
type GuessVerdict = Verdict | { readonly kind: "wrong guess" };

/** What the offer of last time would be answered with; undefined if it would be refused, so that nothing is guessed. */
function guessed(world: World, offer: Offer): Standing | undefined {
  const verdict = judge(world, BEGINNING, offer);
  return verdict.kind === "goes on" ? verdict.standing : undefined;
}

/** The model's word: a guess changes nothing but what an answer other than the same is. */
function judgeWithGuess(
  world: World,
  guess: Standing | undefined,
  standing: Standing,
  word: Word,
): GuessVerdict {
  const inTurn = judge(world, standing, word);
  if (guess === undefined) return inTurn;
  if (word === "the end of the stream") return { kind: "wrong guess" };
  if (inTurn.kind !== "goes on" || standing.at === "sasl-continue") return inTurn;
  const { at, gs2 } = inTurn.standing;
  return at === "sasl-continue" && gs2 === guess.gs2 ? inTurn : { kind: "wrong guess" };
}

function begin(world: World, offer: Offer): {
  readonly machine: ClientHandshake;
  readonly step: Step<SessionStart>;
} {
  const { requireAuth, binding: channelBinding, tls } = world;
  const config: CaseConfig = {
    encryption: tls ? "direct-tls" : "plain",
    channelBinding,
    gss: true,
    expected: { channel: tls ? "tls" : "plain", mechanisms: OFFERS[offer] },
    ...(requireAuth === undefined ? {} : { requireAuth }),
  };
  const machine = new ClientHandshake(clientConfig(config));
  const step = machine.start();
  if (!tls) return { machine, step };
  const certificate = "EC256/SHA-256";
  return {
    machine,
    step: machine.secured(securedBy({ alpn: "postgresql", verified: "ca", certificate })),
  };
}

function names({ send }: Step<SessionStart>): readonly string[] {
  return sentMessages(send).map(({ name }) => name);
}

function assertVerdict(step: Step<SessionStart>, verdict: GuessVerdict, guess: boolean): void {
  const { next } = step;
  switch (verdict.kind) {
    case "goes on":
      assert.ok(next.do !== "fail", next.do === "fail" ? next.error.message : "");
      // What was answered already is not answered again.
      if (guess) assert.equal(step.send.length, 0);
      return;
    case "wrong guess":
      assert.ok(next.do === "fail" && next.error instanceof WrongGuess, next.do);
      assert.equal(step.send.length, 0);
      return;
    case "fails":
      assert.ok(next.do === "fail" && !(next.error instanceof WrongGuess), next.do);
      assert.deepEqual([next.error.code, next.error.phase], [verdict.code, verdict.phase]);
      assert.equal(step.send.length, 0);
      return;
    case "session":
      assert.fail("the model lets nobody in by one word");
  }
}

/** Says a word to a machine, whole or octet by octet. */
function say(
  machine: ClientHandshake,
  word: Word,
  standing: Standing,
  cut: boolean,
): Step<SessionStart> {
  if (word === "the end of the stream") return machine.receiveEnd();
  const octets = octetsOf(word, standing.gs2);
  if (!cut) return machine.receive(octets);
  let step = machine.receive(octets.subarray(0, 1));
  for (let at = 1; at < octets.length && step.next.do === "read"; at++) {
    step = machine.receive(octets.subarray(at, at + 1));
  }
  return step;
}

for (const offer of Object.keys(OFFERS) as Offer[]) {
  test(`after ${offer} last time, it is answered early where it may be answered at all`, () => {
    for (const world of WORLDS) {
      const early = guessed(world, offer) === undefined ? [] : ["SASLInitialResponse"];
      assert.deepEqual(names(begin(world, offer).step), ["StartupMessage", ...early]);
    }
  });

  for (const word of WORDS) {
    if (word === "silence") continue;
    test(`${word} where ${offer} was expected ends as the model says under every policy`, () => {
      for (const world of WORLDS) {
        const guess = guessed(world, offer);
        for (const cut of [false, true]) {
          const { machine } = begin(world, offer);
          const verdict = judgeWithGuess(world, guess, BEGINNING, word);
          assertVerdict(say(machine, word, BEGINNING, cut), verdict, guess !== undefined);
        }
      }
    });

    test(`${word} after the list of ${offer} that was expected ends as the model says`, () => {
      for (const world of WORLDS) {
        const guess = guessed(world, offer);
        if (guess === undefined) continue;
        const { machine } = begin(world, offer);
        say(machine, offer, BEGINNING, false);
        const verdict = judgeWithGuess(world, guess, guess, word);
        // Server-first is followed by the question for keys.
        assertVerdict(say(machine, word, guess, false), verdict, true);
      }
    });
  }
}
