import "../support/guard.ts";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../support/repository.ts";
import { attacksTable } from "./attacks.ts";

test("the README's table of attacks is that of the corpus", () => {
  const readme = readFileSync(join(repositoryRoot(), "README.md"), "utf8");
  const [, behind = ""] = readme.split("<!-- attacks:begin -->\n");
  assert.equal(behind.split("\n<!-- attacks:end -->")[0], attacksTable());
});
