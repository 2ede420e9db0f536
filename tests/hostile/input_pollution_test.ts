import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Target } from "../../src/connect/options.ts";
import { ConfigError } from "../../src/errors.ts";
import { formatConnectionString } from "../../src/settings/format_connection_string.ts";
import { parametersOf } from "../../src/settings/object_parameters.ts";
import { type ConnectionParameters, redact } from "../../src/settings/parameters.ts";
import { parseConnectionString } from "../../src/settings/parse.ts";
import { parseRequireAuth } from "../../src/settings/require_auth.ts";
import { resolveSettings } from "../../src/settings/resolve.ts";
import { readServiceFile } from "../../src/settings/service_file.ts";
import { GREETING } from "../connect/fake_server.ts";
import { IDLE, open, rows } from "../connect/sessions.ts";
import { refused } from "./refused.ts";

const POLLUTING = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "valueOf",
];

/** An own property, which `{ __proto__: … }` would not make. */
function withKey(key: string, value: unknown): Record<string, string> {
  return JSON.parse(
    `{"host":"127.0.0.1","user":"app",${JSON.stringify(key)}:${JSON.stringify(value)}}`,
  );
}

for (const key of POLLUTING) {
  test(`"${key}" is a keyword nowhere, and changes nothing for others`, async () => {
    const before = Reflect.ownKeys(Object.prototype).length;
    for (const value of ["x", { sslmode: "disable" }, { password: "x" }]) {
      const object = withKey(key, value);
      await refused(object as Target);
      assert.throws(() => parametersOf(object), ConfigError);
      assert.throws(() => resolveSettings(object as ConnectionParameters), ConfigError);
      assert.throws(() => formatConnectionString(object as ConnectionParameters), ConfigError);
      const shown = redact(object as ConnectionParameters);
      assert.deepEqual(Object.keys(shown).sort(), ["host", "user"]);
      assert.equal(Object.getPrototypeOf(shown), Object.prototype);
    }
    const texts = [
      `host=127.0.0.1 ${key}=x`,
      `postgres://127.0.0.1/?${key}=x`,
      `postgres://127.0.0.1/?${key}.sslmode=disable`,
      `postgres://127.0.0.1/?${key}[sslmode]=disable`,
    ];
    for (const text of texts) {
      assert.throws(() => parseConnectionString(text), ConfigError, text);
      await refused(text);
    }
    assert.throws(() => readServiceFile(`[s]\n${key}=x\n`, "s", "file"), ConfigError);
    assert.equal(readServiceFile("[s]\n", key, "file"), undefined);
    assert.throws(() => parseRequireAuth(key), ConfigError);
    const words = ["sslmode", "channel_binding", "target_session_attrs", "sslnegotiation"] as const;
    for (const keyword of words) {
      assert.throws(() => resolveSettings({ user: "app", [keyword]: key }), ConfigError);
    }
    assert.equal(Reflect.ownKeys(Object.prototype).length, before);
    assert.equal(({} as { sslmode?: unknown }).sslmode, undefined);
  });

  test(`"${key}" as a run-time parameter is a name like any other`, () => {
    const runTimeParameters = withKey(key, "x");
    delete runTimeParameters["host"];
    delete runTimeParameters["user"];
    const { startup } = resolveSettings({ user: "app" }, { runTimeParameters });
    assert.deepEqual(startup.at(-1), [key, "x"]);
  });
}

for (const key of POLLUTING) {
  test(`a server that says "${key}" changes nothing but what it names`, async () => {
    const { session } = await open(async (peer) => {
      await peer.packet();
      const status = { type: "ParameterStatus", name: key, value: "x" } as const;
      await peer.send(...GREETING.slice(0, 1), status, ...GREETING.slice(1));
      await peer.message();
      await peer.send(status, ...rows([key, key], [key, null]), IDLE);
    });
    assert.equal(session.parameters.get(key), "x");
    const [result] = await session.query("select");
    assert.deepEqual(result?.columns.map(({ name }) => name), [key, key]);
    assert.deepEqual(result?.rows, [[key, null]]);
    const { facts, transport } = session.detach();
    transport.close();
    assert.equal(facts.parameters.get(key), "x");
    assert.equal(({} as Record<string, unknown>)["x"], undefined);
  });
}
