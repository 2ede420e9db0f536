import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  GssDeframer,
  gssFrame,
  MAX_GSS_FRAME,
  MAX_GSS_PACKET,
  MAX_GSS_TOKEN,
  MAX_GSS_TOKEN_FRAME,
} from "../../src/wire/gss_frames.ts";
import { hex, join, split, toHex } from "../support/vectors.ts";

test("a frame is its length and its content", () => {
  assert.equal(toHex(gssFrame(hex("0102"))), "000000020102");
});

test("frames are found however the stream is cut", () => {
  const contents = [hex("01"), hex("0203"), new Uint8Array(1000).fill(7)];
  const stream = join(...contents.map(gssFrame));
  for (const piece of [1, 2, 3, 5, 7, 999, stream.length]) {
    const deframer = new GssDeframer();
    const found: Uint8Array[] = [];
    for (const part of split(stream, piece)) {
      const given = part.slice();
      deframer.push(given);
      // It keeps a copy.
      given.fill(0xff);
      for (;;) {
        const one = deframer.next(MAX_GSS_FRAME, false);
        if (one === undefined) break;
        found.push(one);
      }
    }
    assert.deepEqual(found.map(toHex), contents.map(toHex), `pieces of ${piece}`);
    assert.equal(deframer.held, 0);
  }
});

for (
  const [what, most, isSetUp] of [
    ["a packet", MAX_GSS_PACKET, false],
    ["a token", MAX_GSS_TOKEN, true],
  ] as const
) {
  const maxFrame = isSetUp ? MAX_GSS_TOKEN_FRAME : MAX_GSS_FRAME;
  test(`${what} may have ${most} octets and not one more, judged by its header`, () => {
    const fits = new GssDeframer();
    fits.push(header(most));
    assert.equal(fits.next(maxFrame, isSetUp), undefined);
    const whole = new GssDeframer();
    whole.push(gssFrame(new Uint8Array(most)));
    assert.equal(whole.next(maxFrame, isSetUp)?.length, most);
    for (const length of [most + 1, 0, 0x7fffffff, 0xffffffff]) {
      const deframer = new GssDeframer();
      deframer.push(header(length));
      assert.throws(() => deframer.next(maxFrame, isSetUp), {
        code: "protocol-violation",
        phase: "gss",
      });
    }
  });
}

test("an error in clear is told from a token by its first octet, and its text is not shown (CVE-2022-41862)", () => {
  for (const text of ["E", "Eabc", "Ecould not accept secret", "E\0\0\0"]) {
    const deframer = new GssDeframer();
    deframer.push(new TextEncoder().encode(text));
    assert.throws(() => deframer.next(MAX_GSS_TOKEN_FRAME, true), (error: unknown) => {
      const { code, message } = error as { code: string; message: string };
      assert.equal(code, "gss-failed");
      assert.ok(!message.includes("secret"));
      return true;
    });
  }
});

test("in a session an E is a length like any other, and too long", () => {
  const deframer = new GssDeframer();
  deframer.push(new TextEncoder().encode("E"));
  assert.equal(deframer.next(MAX_GSS_FRAME, false), undefined);
  deframer.push(new TextEncoder().encode("abc"));
  assert.throws(() => deframer.next(MAX_GSS_FRAME, false), { code: "protocol-violation" });
});

function header(length: number): Uint8Array {
  return Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length);
}
