import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../src/errors.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import { encodeFrontend } from "../../src/wire/frontend.ts";
import { mutate, Prng } from "../support/prng.ts";
import { split, toHex } from "../support/vectors.ts";
import {
  assertDeclared,
  backendCases,
  frontendCases,
  startupCases,
  type WireCase,
} from "./cases.ts";

const SEED = 20_180_906;
const ROUNDS = 120;
/** Longer vectors are there for their limits, and cost time here. */
const MAX_OCTETS = 3_000;

const groups = [
  declareMutations("a server", backendCases, encodeBackend),
  declareMutations("a client", frontendCases, encodeFrontend),
  declareMutations("a client's start-up packets", startupCases, encodeFrontend),
];

test("Mutations reach both outcomes: octets refused, and octets read", () => {
  for (const { refused, read } of groups) assert.ok(refused > 0 && read > 0);
});

/** Declares the test of one list of vectors; the tallies are filled when it runs. */
function declareMutations<Message>(
  whose: string,
  cases: readonly WireCase<Message>[],
  encode: (message: Message) => Uint8Array,
): { refused: number; read: number } {
  const tally = { refused: 0, read: 0 };
  test(`Mutated octets of ${whose} end in a message or a declared error`, () => {
    cases.forEach((one, index) => {
      if (one.octets.length > MAX_OCTETS) return;
      for (let round = 0; round < ROUNDS; round++) {
        const seed = SEED + index * ROUNDS + round;
        const prng = new Prng(seed);
        const octets = mutate(one.octets, prng);
        const hint = `seed ${seed}, vector "${one.name}", octets ${toHex(octets)}`;
        const whole = outcome(() => one.decode([octets]), hint);
        const cut = outcome(() => one.decode(split(octets, 1 + prng.below(7))), hint);
        assert.deepEqual(cut, whole, `the cut matters: ${hint}`);
        if (typeof whole === "string") {
          tally.refused++;
          continue;
        }
        tally.read++;
        for (const message of whole) assertWritable(message, encode, one, hint);
      }
    });
  });
  return tally;
}

/** The messages, or the message of the error, which must be a declared one. */
function outcome<Message>(
  run: () => readonly Message[],
  hint: string,
): readonly Message[] | string {
  try {
    return run();
  } catch (error) {
    assertDeclared(error, hint);
    return (error as Error).message;
  }
}

/** What was read can be written and read again, unless it cannot be written at all. */
function assertWritable<Message>(
  message: Message,
  encode: (message: Message) => Uint8Array,
  one: WireCase<Message>,
  hint: string,
): void {
  let octets: Uint8Array;
  try {
    octets = encode(message);
  } catch (error) {
    assert.ok(error instanceof UsageError, hint);
    return;
  }
  // Below 8 octets an ErrorResponse before AuthenticationOk would be one of protocol 2; and what was not UTF-8
  // has grown by being read, in the end beyond the least of the limits.
  if (octets.length < 9 || octets.length > 2_001) return;
  assert.deepEqual(one.decode([octets]), [message], hint);
}
