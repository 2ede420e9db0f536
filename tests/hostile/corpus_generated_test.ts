import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { PHASES, type ReadingPlace } from "../../src/handshake/phases.ts";
import { MESSAGES } from "../handshake/places.ts";
import type { HostileCase } from "./corpus_case.ts";
import { REQUIRE_AUTH_VALUES, type Word, type World } from "./corpus_model.ts";
import { runCase } from "./corpus_run.ts";
import { caseOf, reaches, WAYS, WORDS } from "./corpus_words.ts";

const PLACES = Object.keys(PHASES) as ReadingPlace[];

const WORLDS: readonly World[] = [true, false].flatMap((tls) =>
  (["disable", "prefer", "require"] as const).flatMap((binding) =>
    REQUIRE_AUTH_VALUES.map((requireAuth) => ({ requireAuth, binding, tls }))
  )
);

/** Conversations that are held octet by octet too. */
const CUT = "channel_binding=prefer plaintext";

test("the model knows a way to every state that reads", () => {
  assert.deepEqual(Object.keys(WAYS).sort(), [...PLACES].sort());
});

/** Requests and verdicts of authentication; what else there is has no place before it, whatever the policy says. */
const JUDGED: ReadonlySet<Word> = new Set(
  WORDS.filter((word) => !(word in MESSAGES) || /^(Authentication|ErrorResponse$)/.test(word)),
);

/** Which conversations are held about a word: all of them, or only those of the default channel binding. */
function conversationsAbout(word: Word, way: readonly Word[]): readonly HostileCase[] {
  return WORLDS.flatMap((world) => {
    const isDefault = world.binding === "prefer";
    if (!JUDGED.has(word) && !isDefault) return [];
    // A way that policy closes is gone once, to see that it is closed.
    if (word !== "AuthenticationOk" && !reaches(world, way)) return [];
    const inTurn = caseOf(world, way, word, "in turn");
    return isDefault ? [inTurn, caseOf(world, way, word, "at once")] : [inTurn];
  });
}

for (const place of PLACES) {
  for (const word of WORDS) {
    for (const way of WAYS[place]) {
      const where = way.length === 0 ? "" : ` after ${way.join(", ")}`;
      test(`${word} at ${place}${where} ends as the model says under every policy`, async () => {
        for (const one of conversationsAbout(word, way)) {
          try {
            await runCase(one, Infinity);
            if (one.name.endsWith(CUT)) await runCase(one, 1);
          } catch (error) {
            throw new Error(`${one.name}: ${error instanceof Error ? error.message : error}`, {
              cause: error,
            });
          }
        }
      });
    }
  }
}

test("thousands of conversations are held, some of them octet by octet", () => {
  const cut = conversationsAbout("silence", []).filter(({ name }) => name.endsWith(CUT));
  assert.equal(cut.length, 2 * REQUIRE_AUTH_VALUES.length);
  const count = PLACES.flatMap((place) => WAYS[place]).reduce(
    (sum, way) => sum + WORDS.reduce((all, word) => all + conversationsAbout(word, way).length, 0),
    0,
  );
  assert.ok(count >= 6_000, `there are ${count}`);
});
