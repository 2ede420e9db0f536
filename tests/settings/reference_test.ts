import "../support/guard.ts";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ENVIRONMENT_ONLY, KEYWORDS } from "../../src/settings/keyword_reference.ts";
import { repositoryRoot } from "../support/repository.ts";
import {
  BEGIN_MARKER,
  END_MARKER,
  referenceIn,
  settingsReference,
} from "../support/settings_reference.ts";

test("the README's reference of settings is that of the table", () => {
  const readme = readFileSync(join(repositoryRoot(), "README.md"), "utf8");
  assert.equal(referenceIn(readme), settingsReference());
});

test("the reference names every keyword and every variable", () => {
  const text = settingsReference();
  for (const { keyword, environment } of KEYWORDS) {
    assert.ok(text.includes(`| \`${keyword}\` |`), keyword);
    if (environment !== undefined) assert.ok(text.includes(`\`${environment}\``), environment);
  }
  for (const { name, about } of ENVIRONMENT_ONLY) {
    assert.ok(text.includes(`| \`${name}\` | ${about} |`), name);
  }
});

test("referenceIn() finds what stands between the markers, and nothing else", () => {
  const text = settingsReference();
  assert.equal(referenceIn(`a\n${BEGIN_MARKER}\n\n${text}\n\n${END_MARKER}\nb\n`), text);
  const broken = ["", BEGIN_MARKER, `${END_MARKER}\n${BEGIN_MARKER}\n`, `${BEGIN_MARKER}\nx\n`];
  for (const document of broken) assert.throws(() => referenceIn(document), /must be there once/);
});
