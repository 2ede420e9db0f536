import "../support/guard.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { MessageFormatError } from "../../src/errors.ts";
import {
  BEFORE_OK_LIMITS,
  Deframer,
  type Frame,
  PREPARE_LIMITS,
  SESSION_LIMITS,
} from "../../src/wire/deframer.ts";
import { Prng } from "../support/prng.ts";
import { hex, join, split, toHex } from "../support/vectors.ts";

/** A deframer that was given these pieces. */
function deframerOf(...pieces: readonly Uint8Array[]): Deframer {
  const deframer = new Deframer();
  for (const piece of pieces) deframer.push(piece);
  return deframer;
}

function octetsOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

test("An empty deframer holds nothing and has nothing to give", () => {
  const deframer = deframerOf(new Uint8Array(0));
  assert.equal(deframer.held, 0);
  assert.equal(deframer.peek(), undefined);
  assert.equal(deframer.octet(), undefined);
  assert.equal(deframer.message(SESSION_LIMITS), undefined);
  assert.equal(deframer.packet(100), undefined);
  assert.equal(deframer.legacyErrorAtEnd(), undefined);
  assert.deepEqual(deframer.take(), new Uint8Array(0));
});

test("octet() takes out one octet and leaves the rest", () => {
  const deframer = deframerOf(hex("53 49"), hex("4a"));
  assert.equal(deframer.peek(), 0x53);
  assert.equal(deframer.octet(), 0x53);
  assert.equal(deframer.held, 2);
  assert.equal(deframer.octet(), 0x49);
  assert.equal(deframer.octet(), 0x4a);
  assert.equal(deframer.octet(), undefined);
});

test("A frame says its type and body, and what follows stays", () => {
  const deframer = deframerOf(hex("5a 00000005 49  53 0000"));
  assert.deepEqual(deframer.message(PREPARE_LIMITS), { type: 0x5a, body: hex("49") });
  assert.equal(deframer.held, 3);
  assert.equal(deframer.message(PREPARE_LIMITS), undefined);
  assert.deepEqual(deframer.take(), hex("53 0000"));
  assert.equal(deframer.held, 0);
});

test("Octets behind ReadyForQuery are handed over intact", () => {
  const rest = new Prng(7).octets(5_000);
  for (const size of [1, 3, 1_000, 10_000]) {
    const deframer = deframerOf(...split(join(hex("5a 00000005 49"), rest), size));
    assert.ok(deframer.message(PREPARE_LIMITS));
    assert.equal(deframer.held, rest.length);
    assert.deepEqual(deframer.take(), rest, `pieces of ${size}`);
    assert.equal(deframer.held, 0);
  }
});

test("What was pushed may be overwritten at once", () => {
  const piece = hex("5a 00000005 49");
  const deframer = deframerOf(piece);
  piece.fill(0);
  assert.deepEqual(deframer.message(PREPARE_LIMITS), { type: 0x5a, body: hex("49") });
});

test("Stepping finds the messages that are cut out, however the stream was cut, and a body only where it is asked for", () => {
  const prng = new Prng(11);
  const bodies = Array.from({ length: 400 }, () => prng.octets(prng.below(prng.pick([1, 9, 300]))));
  const messages = bodies.map((body, index) => {
    const header = new Uint8Array(5);
    header[0] = index % 3 === 0 ? 0x44 : 0x53;
    new DataView(header.buffer).setUint32(1, body.length + 4);
    return join(header, body);
  });
  const stream = join(...messages);
  for (const size of [1, 3, 64, 1_500, stream.length]) {
    const deframer = new Deframer();
    const adopts = size > 1_000;
    let found = 0;
    for (const piece of split(stream, size)) {
      if (adopts) deframer.adopt(piece.slice());
      else deframer.push(piece);
      while (deframer.step(SESSION_LIMITS)) {
        assert.equal(deframer.type, messages[found]?.[0]);
        const where = `message ${found} in pieces of ${size}`;
        if (found % 2 === 0) assert.deepEqual(deframer.body(), bodies[found], where);
        found += 1;
        // What is cut out in between is what comes next.
        if (found % 7 === 0) {
          const next = deframer.message(SESSION_LIMITS);
          if (next === undefined) break;
          assert.deepEqual(next.body, bodies[found], where);
          found += 1;
        }
      }
    }
    assert.equal(found, messages.length);
    assert.equal(deframer.held, 0);
  }
});

test("A message that is not whole cannot be stepped to, and one that cannot be legal is refused", () => {
  const deframer = deframerOf(hex("5a 00000005"));
  assert.equal(deframer.step(PREPARE_LIMITS), false);
  assert.equal(deframer.body().length, 0);
  deframer.push(hex("49 53 00000003 44"));
  assert.ok(deframer.step(PREPARE_LIMITS));
  assert.equal(deframer.type, 0x5a);
  assert.deepEqual(deframer.body(), hex("49"));
  assert.throws(() => deframer.step(PREPARE_LIMITS), MessageFormatError);
});

test("A body keeps its octets when more are pushed and taken out", () => {
  const deframer = new Deframer();
  const bodies: Uint8Array[] = [];
  // Small pieces share blocks, so a body may lie beside octets that are yet to come.
  for (let number = 0; number < 300; number++) {
    const message = hex(`53 00000008 ${number.toString(16).padStart(8, "0")}`);
    for (const piece of split(message, 2)) deframer.push(piece);
    const ahead = deframer.message(PREPARE_LIMITS);
    assert.ok(ahead);
    bodies.push(ahead.body);
  }
  bodies.forEach((body, number) =>
    assert.equal(toHex(body), number.toString(16).padStart(8, "0"), `message ${number}`)
  );
});

test("Writing to a body does not reach the messages behind it", () => {
  const deframer = deframerOf(hex("53 00000008 01020304  5a 00000005 49"));
  deframer.message(PREPARE_LIMITS)?.body.fill(0xff);
  assert.deepEqual(deframer.message(PREPARE_LIMITS), { type: 0x5a, body: hex("49") });
});

test("Random messages in random pieces come out as they went in", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const prng = new Prng(seed);
    const frames: Frame[] = [];
    const octets: Uint8Array[] = [];
    for (let count = 20; count > 0; count--) {
      const body = prng.octets(prng.pick([0, 1, 5, 100, 3_000]));
      frames.push({ type: 0x64, body });
      octets.push(hex(`64 ${(body.length + 4).toString(16).padStart(8, "0")}`), body);
    }
    const stream = join(...octets);
    const deframer = new Deframer();
    const seen: Frame[] = [];
    for (let at = 0; at < stream.length;) {
      const size = prng.pick([1, 2, 7, 64, 500, 4_000]);
      deframer.push(stream.subarray(at, at + size));
      at += size;
      // Sometimes several pieces gather before anybody asks.
      if (prng.below(3) === 0 && at < stream.length) continue;
      let frame = deframer.message(SESSION_LIMITS);
      for (; frame; frame = deframer.message(SESSION_LIMITS)) seen.push(frame);
    }
    assert.deepEqual(seen, frames, `seed ${seed}`);
    assert.equal(deframer.held, 0, `seed ${seed}`);
  }
});

test("Many pushed pieces are given out one message after the other", () => {
  const deframer = new Deframer();
  for (let number = 0; number < 2_000; number++) {
    deframer.push(hex(`53 00000008 ${number.toString(16).padStart(8, "0")}`));
  }
  for (let number = 0; number < 2_000; number++) {
    const frame = deframer.message(PREPARE_LIMITS);
    assert.equal(frame && toHex(frame.body), number.toString(16).padStart(8, "0"));
  }
  assert.equal(deframer.held, 0);
});

test("Big pushed pieces are given out one message after the other, and let go", () => {
  const deframer = new Deframer();
  const filler = new Uint8Array(20_000);
  for (let number = 0; number < 100; number++) {
    deframer.push(
      hex(`64 ${(20_008).toString(16).padStart(8, "0")} 000000${toHex(Uint8Array.of(number))}`),
    );
    deframer.push(filler);
  }
  for (let number = 0; number < 100; number++) {
    const frame = deframer.message(SESSION_LIMITS);
    assert.equal(frame?.body.length, 20_004);
    assert.equal(frame?.body[3], number);
  }
  assert.equal(deframer.held, 0);
});

test("A message that comes octet by octet has no octet copied more than twice", () => {
  const body = new Prng(3).octets(30_000 - 4);
  const deframer = new Deframer();
  const pieces = split(join(hex("53 00007530"), body), 1);
  let copied = 0;
  const set = Uint8Array.prototype.set;
  Uint8Array.prototype.set = function (from, at): void {
    copied += from.length;
    return set.call(this, from, at);
  };
  let frame: Frame | undefined;
  try {
    for (const piece of pieces) {
      deframer.push(piece);
      frame = deframer.message(PREPARE_LIMITS);
    }
  } finally {
    Uint8Array.prototype.set = set;
  }
  assert.deepEqual(frame?.body, body);
  assert.ok(copied >= 30_001 && copied <= 2 * 30_001, `${copied} octets were copied`);
});

test("A length word that is not legal is refused without waiting for the body", () => {
  for (const length of ["00000000", "00000003", "00007531", "80000000", "ffffffff"]) {
    const deframer = deframerOf(hex("53"), hex(length.slice(0, 6)));
    assert.equal(deframer.message(PREPARE_LIMITS), undefined, length);
    deframer.push(hex(length.slice(6)));
    assert.throws(() => deframer.message(PREPARE_LIMITS), MessageFormatError, length);
    assert.throws(() => deframer.message(PREPARE_LIMITS), MessageFormatError, "and stays refused");
  }
});

test("The greatest legal length word waits, and nothing is allocated for it", () => {
  const deframer = deframerOf(hex("44 1fffffe8 0001"));
  assert.equal(deframer.message(SESSION_LIMITS), undefined);
  assert.equal(deframer.held, 7);
});

test("A protocol 2 error is whole at its zero octet, however it is cut", () => {
  const whole = join(octetsOf("Eno more\n"), hex("00"));
  for (let at = 1; at < whole.length; at++) {
    const deframer = deframerOf(whole.subarray(0, at));
    assert.equal(deframer.message(BEFORE_OK_LIMITS), undefined, `cut at ${at}`);
    deframer.push(whole.subarray(at));
    deframer.push(hex("5a"));
    assert.deepEqual(
      deframer.message(BEFORE_OK_LIMITS),
      { type: 0x45, body: octetsOf("no more\n"), legacy: true },
      `cut at ${at}`,
    );
    assert.equal(deframer.held, 1);
  }
});

test("An ErrorResponse of length 7 or 30001 is a protocol 2 error, 8 or 30000 is not", () => {
  for (const length of ["00000007", "00007531"]) {
    const frame = deframerOf(hex(`45 ${length}`)).message(BEFORE_OK_LIMITS);
    assert.deepEqual(frame, { type: 0x45, body: new Uint8Array(0), legacy: true });
  }
  for (const length of ["00000008", "00007530"]) {
    assert.equal(deframerOf(hex(`45 ${length}`)).message(BEFORE_OK_LIMITS), undefined);
  }
});

test("A protocol 2 error without its zero octet is whole at 30000 octets", () => {
  const short = deframerOf(hex("45 78*29999"));
  assert.equal(short.message(BEFORE_OK_LIMITS), undefined);
  short.push(hex("7878"));
  const frame = short.message(BEFORE_OK_LIMITS);
  assert.equal(frame?.body.length, 30_000);
  assert.equal(frame?.legacy, true);
  assert.equal(short.held, 1);
});

test("A protocol 2 error at the end of the stream needs no zero octet", () => {
  for (const text of ["x", "abc", "no more\n", "x".repeat(29_999)]) {
    for (const size of [1, 5, 50_000]) {
      const deframer = new Deframer();
      for (const piece of split(octetsOf(`E${text}`), size)) {
        deframer.push(piece);
        assert.equal(deframer.message(BEFORE_OK_LIMITS), undefined);
      }
      assert.equal(deframer.legacyErrorAtEnd(), text.trim());
      assert.equal(deframer.held, 0);
      assert.equal(deframer.legacyErrorAtEnd(), undefined);
    }
  }
});

test("A message that is no protocol 2 error has no such text at its end", () => {
  for (const octets of ["45", "45 00", "45 0000000c 4d78", "52 00000008", "4e6f"]) {
    const deframer = deframerOf(hex(octets));
    assert.equal(deframer.message(BEFORE_OK_LIMITS), undefined, octets);
    assert.equal(deframer.legacyErrorAtEnd(), undefined, octets);
  }
});

test("After AuthenticationOk an ErrorResponse of that form is refused", () => {
  const deframer = deframerOf(octetsOf("Eno more\n"));
  assert.equal(deframer.message(BEFORE_OK_LIMITS), undefined);
  assert.throws(() => deframer.message(PREPARE_LIMITS), MessageFormatError);
  assert.equal(deframer.legacyErrorAtEnd(), undefined);
});

test("packet() gives the start-up packet behind its length word", () => {
  const octets = hex("00000008 04d2162f 00000008");
  for (const size of [1, 3, 100]) {
    const deframer = deframerOf(...split(octets, size));
    assert.deepEqual(deframer.packet(10_004), hex("04d2162f"));
    assert.equal(deframer.packet(10_004), undefined);
    assert.equal(deframer.held, 4);
  }
});

test("packet() takes 10004 octets and refuses 10005", () => {
  assert.equal(deframerOf(hex("00002714 00*10000")).packet(10_004)?.length, 10_000);
  assert.throws(() => deframerOf(hex("00002715")).packet(10_004), MessageFormatError);
});

test("Adopted octets give the same messages as pushed ones, wherever the stream is cut", () => {
  const random = new Prng(31);
  const messages = Array.from({ length: 40 }, (_, at) => {
    const body = random.octets(at % 5 === 0 ? 3_000 : at);
    return join(Uint8Array.of(0x44, 0, 0, (body.length + 4) >> 8, (body.length + 4) & 0xff), body);
  });
  const stream = join(...messages);
  for (const size of [1, 7, 1_023, 1_024, 1_025, 4_096, stream.length]) {
    const deframer = new Deframer();
    const found: Uint8Array[] = [];
    for (const [at, piece] of split(stream, size).entries()) {
      if (at % 3 === 2) deframer.push(piece);
      else deframer.adopt(piece);
      for (;;) {
        const frame = deframer.message(SESSION_LIMITS);
        if (frame === undefined) break;
        found.push(frame.body);
      }
    }
    assert.equal(deframer.held, 0);
    assert.deepEqual(found, messages.map((one) => one.slice(5)));
  }
});

test("Octets are copied when pushed, and not when adopted, unless they are few", () => {
  const message = join(hex("44 00000804"), new Uint8Array(0x800));
  const adopted = new Deframer();
  adopted.adopt(message);
  assert.equal(adopted.message(SESSION_LIMITS)?.body.buffer, message.buffer);
  const pushed = deframerOf(message);
  assert.notEqual(pushed.message(SESSION_LIMITS)?.body.buffer, message.buffer);
  const few = new Deframer();
  few.adopt(hex("5a 00000005 49"));
  assert.deepEqual(few.message(SESSION_LIMITS), { type: 0x5a, body: hex("49") });
});

test("What take() gives of adopted octets is a copy, of a Buffer too", () => {
  const octets = Buffer.alloc(2_000, 1);
  const deframer = new Deframer();
  deframer.adopt(octets);
  const taken = deframer.take();
  octets.fill(2);
  assert.deepEqual(taken, new Uint8Array(2_000).fill(1));
});
