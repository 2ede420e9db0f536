import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { PHASES, type ReadingPlace } from "../../src/handshake/phases.ts";
import { MESSAGES } from "../handshake/places.ts";
import type { HostileCase } from "./corpus_case.ts";
import { REQUIRE_AUTH_VALUES, type Word, type World } from "./corpus_model.ts";
import { runCase } from "./corpus_run.ts";
import { caseOf, reached, WAYS, WORDS } from "./corpus_words.ts";

const PLACES = Object.keys(PHASES) as ReadingPlace[];

const WORLDS: readonly World[] = (["none", "given", "asked"] as const).flatMap((token) =>
  [true, false].flatMap((tls) =>
    (["disable", "prefer", "require"] as const).flatMap((binding) =>
      REQUIRE_AUTH_VALUES.map((requireAuth) => ({ requireAuth, binding, tls, token }))
    )
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

/** Words that only somebody with a source of tokens takes another way for. */
const ABOUT_TOKENS = /OAUTHBEARER|token/;

/** Which conversations are held about a word: all of them, or only those of the default channel binding. */
function conversationsAbout(
  word: Word,
  way: readonly Word[],
  place: ReadingPlace,
): readonly HostileCase[] {
  const tokensMatter = [...way, word].some((one) => ABOUT_TOKENS.test(one));
  return WORLDS.flatMap((world) => {
    if (world.token !== "none" && !tokensMatter) return [];
    const isDefault = world.binding === "prefer";
    if (!JUDGED.has(word) && !isDefault) return [];
    // A way that policy closes is gone once, to see that it is closed.
    const end = reached(world, way);
    if (end === undefined ? word !== "AuthenticationOk" : end !== place) return [];
    const inTurn = caseOf(world, way, word, "in turn");
    return isDefault ? [inTurn, caseOf(world, way, word, "at once")] : [inTurn];
  });
}

for (const place of PLACES) {
  for (const word of WORDS) {
    for (const way of WAYS[place]) {
      const where = way.length === 0 ? "" : ` after ${way.join(", ")}`;
      test(`${word} at ${place}${where} ends as the model says under every policy`, async () => {
        for (const one of conversationsAbout(word, way, place)) {
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
  const cut = conversationsAbout("silence", [], "await-authentication").filter(({ name }) =>
    name.endsWith(CUT)
  );
  assert.equal(cut.length, 2 * REQUIRE_AUTH_VALUES.length);
  const count = PLACES.reduce(
    (sum, place) =>
      sum + WAYS[place].reduce(
        (some, way) =>
          some +
          WORDS.reduce((all, word) => all + conversationsAbout(word, way, place).length, 0),
        0,
      ),
    0,
  );
  assert.ok(count >= 6_000, `there are ${count}`);
});
