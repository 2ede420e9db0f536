import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { printable } from "../../src/printable.ts";
import { readVectors, type VectorCase } from "../support/vectors.ts";

interface PrintableCase extends VectorCase {
  readonly text: string;
  readonly keepLines: boolean;
  readonly max?: number;
  readonly shown: string;
}

for (const one of readVectors<PrintableCase>("handshake_printable")) {
  test(`printable() shows ${one.name}`, () => {
    assert.equal(printable(one.text, { keepLines: one.keepLines, max: one.max }), one.shown);
  });
}

test("printable() lets no control through, and nothing that turns text around", () => {
  for (let code = 0; code <= 0xffff; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const character = String.fromCharCode(code);
    const shown = printable(character, { keepLines: false, max: undefined });
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0);
    const turns = /\p{Bidi_Control}/u.test(character);
    const ends = code === 0x2028 || code === 0x2029;
    const wanted = isControl || turns || ends;
    assert.equal(shown !== character, wanted, `U+${code.toString(16)}`);
    if (wanted) assert.ok(/^[\x20-\x7e]+$/.test(shown), `U+${code.toString(16)}`);
  }
});

test("printable() leaves line feeds and tabs alone where lines are kept, and nothing else", () => {
  for (let code = 0; code < 0xa0; code++) {
    const character = String.fromCharCode(code);
    const kept = printable(character, { keepLines: true, max: undefined });
    const shown = printable(character, { keepLines: false, max: undefined });
    assert.equal(kept, character === "\n" || character === "\t" ? character : shown);
  }
});

test("printable() never cuts a character in halves", () => {
  for (let max = 0; max < 6; max++) {
    const shown = printable("a🐘b🐘", { keepLines: false, max });
    assert.ok(shown.isWellFormed(), `cut behind ${max}: ${JSON.stringify(shown)}`);
  }
});
