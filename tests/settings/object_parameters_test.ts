import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../src/errors.ts";
import {
  isConnectionString,
  type ParameterObject,
  parametersOf,
} from "../../src/settings/object_parameters.ts";
import type { ConnectionParameters } from "../../src/settings/parameters.ts";

/** What libpq's array rule makes of each (fe-connect.c, conninfo_array_parse with expand_dbname). */
const OBJECTS: readonly (readonly [ParameterObject, ConnectionParameters])[] = [
  [{}, {}],
  [{ host: "h", port: "1" }, { host: "h", port: "1" }],
  [{ port: 5433, keepalives: false, sslsni: true, connect_timeout: -1 }, {
    port: "5433",
    keepalives: "0",
    sslsni: "1",
    connect_timeout: "-1",
  }],
  [{ host: "", port: undefined, user: "u" }, { user: "u" }],
  [{ dbname: "shop" }, { dbname: "shop" }],
  [{ dbname: "postgres:/shop" }, { dbname: "postgres:/shop" }],
  [{ dbname: "host=h dbname=d" }, { host: "h", dbname: "d" }],
  [{ dbname: "postgres://u@h/d" }, { user: "u", host: "h", dbname: "d" }],
  [{ dbname: "postgresql://h" }, { host: "h" }],
  [{ host: "before", dbname: "host=h" }, { host: "h" }],
  [{ dbname: "host=h", host: "after" }, { host: "after" }],
  [{ host: "before", port: 1, dbname: "host=h user=v", user: "after" }, {
    host: "h",
    port: "1",
    user: "after",
  }],
  [{ dbname: "dbname='a=b'" }, { dbname: "a=b" }],
  [{ dbname: "dbname='postgres://h'" }, { dbname: "postgres://h" }],
  [{ host: "before", dbname: "host=''" }, { host: "" }],
  [{ dbname: "" }, {}],
];

for (const [object, expected] of OBJECTS) {
  test(`parametersOf() reads ${JSON.stringify(object)}`, () => {
    assert.deepEqual(parametersOf(object), expected);
  });
}

test("parametersOf() refuses keys and values that are none", () => {
  const refused: readonly (readonly [unknown, RegExp])[] = [
    [{ sslmod: "x" }, /perhaps "sslmode"/],
    [{ requiressl: "1" }, /libpq has no such parameter/],
    [{ __proto__: null, toString: "x" }, /libpq has no such parameter/],
    [{ port: 1.5 }, /Cannot use the value of port: it must be a text, a whole number or a boolean/],
    [{ port: Number.NaN }, /Cannot use the value of port/],
    [{ host: null }, /Cannot use the value of host/],
    [{ host: ["a"] }, /Cannot use the value of host/],
    [{ dbname: "host" + "=h nothing_alike=1" }, /libpq has no such parameter/],
    [{ dbname: "a=b" }, /libpq has no such parameter/],
    [{ dbname: "postgres://[" }, /Cannot parse the connection URI/],
  ];
  for (const [object, message] of refused) {
    assert.throws(() => parametersOf(object as ParameterObject), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, message);
      return true;
    });
  }
});

test("isConnectionString() looks for a scheme or an equals sign, as libpq does", () => {
  for (const text of ["postgres://", "postgresql://h", "a=b", "="]) {
    assert.ok(isConnectionString(text), text);
  }
  for (const text of ["", "shop", "Postgres://", "postgres:/", "http://h"]) {
    assert.ok(!isConnectionString(text), text);
  }
});
