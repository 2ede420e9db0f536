import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode, PgHandshakeError } from "../../src/errors.ts";
import { MAX_START_OCTETS, PHASES, type ReadingPlace } from "../../src/handshake/phases.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import {
  BACKEND,
  MAX_ERROR_LENGTH,
  MAX_LEGACY_ERROR_TEXT,
  MAX_LENGTH_WORD,
  MAX_LONG_LENGTH,
  MAX_PREPARE_LENGTH,
  MIN_LENGTH,
} from "../../src/wire/codes.ts";
import { FRONTEND_LIMITS, SESSION_LIMITS } from "../../src/wire/limits.ts";
import { arrive, WAYS_TO_READING } from "../handshake/places.ts";
import { join } from "../support/vectors.ts";
import { header, watchHeld } from "./held.ts";

const PLACES = Object.keys(PHASES) as readonly ReadingPlace[];
const TYPES = Array.from({ length: 256 }, (_, type) => type);
/** What a read may bring: more than this is the transport's to hold back. */
const PIECE = 65_536;
/** String::kMaxLength of V8 on 64 bits, the least of the three engines. */
const LONGEST_STRING = 0x1fff_ffe8;

/** Where the first octets make no sense, something else than PostgreSQL answers there. */
const REFUSED: Readonly<Partial<Record<ReadingPlace, ErrorCode>>> = {
  "await-authentication": "not-postgresql",
};

/** Feeds a machine until it fails, at most `limit` octets in pieces; what it held and how it ended. */
function flood(
  place: ReadingPlace,
  begin: Uint8Array,
  limit: number,
): { readonly most: number; readonly taken: number; readonly error: PgHandshakeError | undefined } {
  const { machine } = arrive(WAYS_TO_READING[place]);
  const watch = watchHeld();
  const filler = new Uint8Array(PIECE).fill(0x78);
  try {
    let taken = begin.length;
    let { next } = machine.receive(begin);
    while (next.do === "read" && taken < limit) {
      ({ next } = machine.receive(filler));
      taken += filler.length;
    }
    assert.equal(watch.pushed, taken);
    return { most: watch.most, taken, error: next.do === "fail" ? next.error : undefined };
  } finally {
    watch.stop();
  }
}

function isLegacyError(place: ReadingPlace, type: number): boolean {
  return type === BACKEND.ErrorResponse && PHASES[place].limits.legacyErrors;
}

for (const place of PLACES) {
  const { limits, phase } = PHASES[place];

  test(`a message of 2^31 - 1 octets is refused at its header in "${place}", whatever its type`, () => {
    for (const type of TYPES) {
      if (isLegacyError(place, type)) continue;
      for (const length of [MAX_LENGTH_WORD, 0x8000_0000, 0xffff_ffff]) {
        const { most, taken, error } = flood(place, header(type, length), PIECE);
        assert.deepEqual([most, taken], [5, 5], `type ${type}`);
        assert.equal(error?.code, REFUSED[place] ?? "malformed-message");
        assert.equal(error?.phase, phase);
      }
    }
  });

  test(`in "${place}" no type of message makes us hold more than its limit and one read`, () => {
    for (const type of TYPES) {
      const greatest = limits.maxLength(type);
      const { error: beyond, most: heldBeyond } = flood(
        place,
        header(type, greatest + 1),
        2 * PIECE,
      );
      assert.ok(beyond !== undefined, `type ${type}: ${greatest + 1} is not refused`);
      if (!isLegacyError(place, type)) assert.equal(heldBeyond, 5);
      assert.ok(heldBeyond <= 5 + PIECE);
      const { most, error } = flood(place, header(type, greatest), greatest + PIECE);
      assert.ok(error !== undefined, `type ${type}: octets that mean nothing are not refused`);
      assert.ok(most <= greatest + 1 + PIECE, `type ${type}: ${most} octets were held`);
    }
  });

  test(`an error text of 1 GB in "${place}" costs its limit at most`, () => {
    const begin = join(header(BACKEND.ErrorResponse, 0x4000_0000));
    const { most, error } = flood(place, begin, 1 << 30);
    assert.ok(error !== undefined);
    const bound = limits.legacyErrors ? MAX_LEGACY_ERROR_TEXT + PIECE : 5;
    assert.ok(most <= bound, `${most} octets were held, the bound is ${bound}`);
    assert.ok(error.message.length <= 2 * MAX_ERROR_LENGTH);
  });
}

test("before ReadyForQuery the greatest message has 1 MiB, before AuthenticationOk 30 000 octets", () => {
  for (const place of PLACES) {
    const greatest = Math.max(...TYPES.map((type) => PHASES[place].limits.maxLength(type)));
    assert.equal(greatest, place === "prepare" ? MAX_PREPARE_LENGTH : MAX_ERROR_LENGTH);
  }
});

test("what is legal for every type is legal for each", () => {
  const all = [...PLACES.map((place) => PHASES[place].limits), SESSION_LIMITS, FRONTEND_LIMITS];
  for (const { alwaysFrom, alwaysTo, minLength, maxLength } of all) {
    assert.ok(alwaysFrom < alwaysTo);
    for (let type = 0; type < 256; type++) {
      assert.ok(alwaysFrom >= (minLength?.(type) ?? MIN_LENGTH), `type ${type}`);
      assert.ok(alwaysTo <= maxLength(type), `type ${type}`);
    }
  }
});

test("nothing is ever longer than 1 GiB, in a session neither", () => {
  for (const limits of [SESSION_LIMITS, FRONTEND_LIMITS]) {
    for (const type of TYPES) assert.ok(limits.maxLength(type) <= MAX_LONG_LENGTH);
  }
});

test("no message that becomes text may be longer than the longest string of V8", () => {
  for (const name of ["DataRow", "ErrorResponse", "NoticeResponse"] as const) {
    const greatest = SESSION_LIMITS.maxLength(BACKEND[name]);
    assert.ok(greatest - 4 <= LONGEST_STRING, `${name} may have ${greatest} octets`);
  }
});

/** Feeds "prepare" with copies of what `make` gives until it fails. */
function endless(make: (number: number) => Uint8Array): {
  readonly count: number;
  readonly reported: number;
  readonly most: number;
  readonly error: PgHandshakeError;
} {
  const { machine } = arrive(WAYS_TO_READING.prepare);
  const watch = watchHeld();
  let count = 0;
  let reported = 0;
  try {
    for (;;) {
      const parts: Uint8Array[] = [];
      for (let octets = 0; octets < PIECE;) {
        const part = make(count++);
        parts.push(part);
        octets += part.length;
      }
      const { next, events } = machine.receive(join(...parts));
      reported += events.length;
      if (next.do === "fail") return { count, reported, most: watch.most, error: next.error };
      assert.equal(next.do, "read");
      assert.ok(watch.pushed <= 2 * MAX_START_OCTETS, "it does not end");
    }
  } finally {
    watch.stop();
  }
}

/** Far more than PostgreSQL has. */
const MAX_PARAMETERS = 1_000;
const STATUS = encodeBackend({ type: "ParameterStatus", name: "000000", value: "" });

test("of a million parameters in start-up a thousand are kept, and the next ends it", () => {
  const { reported, most, error } = endless((number) => {
    const octets = STATUS.slice();
    for (let at = 10, left = number; at > 4; at--, left = Math.floor(left / 10)) {
      octets[at] = 0x30 + left % 10;
    }
    return octets;
  });
  // One came on the way to this state.
  assert.ok(reported <= MAX_PARAMETERS, `${reported} were reported`);
  assert.equal(error.code, "protocol-violation");
  assert.equal(error.phase, "prepare");
  assert.ok(error.message.includes(String(MAX_PARAMETERS)), error.message);
  assert.ok(most <= PIECE + STATUS.length);
});

test("a million ParameterStatus about one parameter end at MAX_START_OCTETS, long before the last", () => {
  const { count, reported, most, error } = endless(() => STATUS);
  assert.ok(count < 1_000_000, `${count} were taken`);
  assert.ok(reported * STATUS.length <= MAX_START_OCTETS, `${reported} were reported`);
  assert.ok(reported * STATUS.length > MAX_START_OCTETS - 2 * PIECE);
  assert.equal(error.code, "protocol-violation");
  assert.ok(most <= PIECE + STATUS.length);
});

for (const size of [40, 60_000, MAX_PREPARE_LENGTH - 10]) {
  test(`endless notices of ${size} octets before ReadyForQuery end at MAX_START_OCTETS`, () => {
    const notice = encodeBackend({ type: "NoticeResponse", fields: { message: "n".repeat(size) } });
    const { reported, most, error } = endless(() => notice);
    assert.ok(reported * notice.length <= MAX_START_OCTETS);
    assert.ok((reported + 1) * notice.length + PIECE > MAX_START_OCTETS);
    assert.equal(error.code, "protocol-violation");
    assert.ok(most <= PIECE + notice.length);
  });
}

test("one octet at a time makes us hold the octets of one message and no more", () => {
  const { machine } = arrive(WAYS_TO_READING.prepare);
  const notice = encodeBackend({ type: "NoticeResponse", fields: { message: "n".repeat(9_000) } });
  const watch = watchHeld();
  try {
    for (let round = 0; round < 20; round++) {
      for (const octet of notice) {
        assert.equal(machine.receive(Uint8Array.of(octet)).next.do, "read");
      }
    }
    assert.equal(watch.pushed, 20 * notice.length);
    assert.equal(watch.most, notice.length);
  } finally {
    watch.stop();
  }
});
