import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { showText, showTexts } from "../../src/auth/display.ts";

test("showText() leaves printable ASCII and escapes all else", () => {
  assert.equal(showText("SCRAM-SHA-256 ~!"), "SCRAM-SHA-256 ~!");
  assert.equal(showText('a"b\\c'), "a\\u{22}b\\u{5c}c");
  assert.equal(
    showText("\0\x1b\n\x7f\u202e\u{1f600}"),
    "\\u{0}\\u{1b}\\u{a}\\u{7f}\\u{202e}\\u{1f600}",
  );
  assert.equal(showText("\ud800"), "\\u{d800}");
});

test("showText() shows as many characters as it may, and cuts at one more", () => {
  assert.equal(showText("x".repeat(64)), "x".repeat(64));
  assert.equal(showText("x".repeat(65)), `${"x".repeat(64)}...`);
  assert.equal(showText("abc", 3), "abc");
  assert.equal(showText("abcd", 3), "abc...");
});

test("showTexts() quotes each text and counts those it leaves out", () => {
  assert.equal(showTexts([]), "none");
  assert.equal(showTexts(["a", "b"]), '"a", "b"');
  assert.equal(showTexts(["a", "b", "c"], 2), '"a", "b" and 1 more');
});
