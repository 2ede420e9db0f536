import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { PgHandshakeError, type Phase } from "../../src/errors.ts";
import { ServerError } from "../../src/handshake/server_error.ts";
import type { NoticeFields } from "../../src/wire/notice.ts";

const ALL: NoticeFields = {
  severity: "FATAL (übersetzt)",
  severityUntranslated: "FATAL",
  sqlState: "28P01",
  message: "password authentication failed",
  detail: "a detail",
  hint: "a hint",
  position: "17",
  internalPosition: "3",
  internalQuery: "select 1",
  where: "a place",
  schema: "public",
  table: "t",
  column: "c",
  dataType: "int4",
  constraint: "t_check",
  file: "auth.c",
  line: "326",
  routine: "auth_failed",
};

const BEFORE_READY: readonly Phase[] = ["start-up", "authenticate", "prepare"];

test("a ServerError has every field by name", () => {
  const error = new ServerError(ALL, "authenticate");
  assert.ok(error instanceof PgHandshakeError);
  assert.equal(error.name, "ServerError");
  assert.equal(error.code, "server-error");
  assert.equal(error.phase, "authenticate");
  assert.equal(error.message, ALL.message);
  assert.equal(error.serverMessage, ALL.message);
  assert.equal(error.sqlState, "28P01");
  assert.equal(error.severity, "FATAL");
  assert.equal(error.position, 17);
  for (
    const name of ["detail", "hint", "where", "schema", "table", "column", "dataType", "constraint"]
  ) {
    assert.equal(Reflect.get(error, name), ALL[name as keyof NoticeFields], name);
  }
  assert.deepEqual(error.fields, ALL);
});

test("a ServerError of no fields at all has a text and an SQLSTATE of our own", () => {
  const error = new ServerError({}, "start-up");
  assert.equal(error.message, "the server sent an error without a message");
  assert.equal(error.sqlState, "08004");
  assert.equal(error.severity, undefined);
  assert.equal(error.position, undefined);
  assert.deepEqual(error.fields, {});
});

test("a ServerError whose message is empty has a text all the same", () => {
  const error = new ServerError({ message: "" }, "start-up");
  assert.equal(error.message, "the server sent an error without a message");
});

test("a severity that is only translated is better than none", () => {
  assert.equal(new ServerError({ severity: "ФАТАЛЬНО" }, "prepare").severity, "ФАТАЛЬНО");
});

test("advice stands behind the message, and the server's own hint stays what it is", () => {
  const error = new ServerError({ message: "no", hint: "a hint" }, "start-up", "Try harder");
  assert.equal(error.message, "no. Try harder");
  assert.equal(error.serverMessage, "no");
  assert.equal(error.hint, "a hint");
});

for (const sqlState of ["", "28p01", "28P0", "28P011", "28P 1", "28P\u001b1", "２8P01"]) {
  test(`${JSON.stringify(sqlState)} is no SQLSTATE`, () => {
    assert.equal(new ServerError({ message: "no", sqlState }, "start-up").sqlState, "08004");
  });
}

for (const position of ["", "-1", "1.5", "1e3", " 1", "0x10", "1234567890", "NaN"]) {
  test(`${JSON.stringify(position)} is no position`, () => {
    assert.equal(new ServerError({ position }, "ready").position, undefined);
  });
}

for (const phase of BEFORE_READY) {
  test(`at "${phase}" every field is cut to 2000 characters and made safe to print`, () => {
    const hostile = `\u001b[2J\n\u202e${"x".repeat(2_000)}`;
    const fields = Object.fromEntries(Object.keys(ALL).map((name) => [name, hostile]));
    const error = new ServerError(fields, phase);
    for (const [name, text] of [...Object.entries(error.fields), ["message", error.message]]) {
      assert.ok(text?.startsWith("\\x1b[2J\\n\\u202exxx"), name);
      assert.ok(text.endsWith("(cut: 6 more characters)"), name);
      assert.ok(text.length < 2_100, name);
    }
    assert.deepEqual(Object.keys(error.fields), Object.keys(ALL));
  });

  test(`at "${phase}" a field of 2000 characters is whole`, () => {
    const text = "x".repeat(2_000);
    assert.equal(new ServerError({ message: text }, phase).message, text);
  });
}

test("once the session is ready texts are whole and keep their lines, without other controls", () => {
  const where = `PL/pgSQL function f()\n\tline 3${"x".repeat(5_000)}`;
  const error = new ServerError({ message: "no\u001b[2J\u0007", where }, "ready");
  assert.equal(error.where, where);
  assert.equal(error.message, "no\\x1b[2J\\x07");
});

test("a ServerError keeps its own copy of the fields", () => {
  const fields: { message: string } = { message: "as it was" };
  const error = new ServerError(fields, "start-up");
  fields.message = "changed";
  assert.equal(error.fields.message, "as it was");
});
