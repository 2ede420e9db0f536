import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ConfigError } from "../../src/errors.ts";
import { formatConnectionString } from "../../src/settings/format_connection_string.ts";
import { parseConnectionString } from "../../src/settings/parse.ts";
import { findPassword } from "../../src/settings/password_file.ts";
import { resolveSettings } from "../../src/settings/resolve.ts";
import { readServiceFile } from "../../src/settings/service_file.ts";
import { fakeServer, LOCAL } from "../connect/fake_server.ts";

const MANY = 100_000;

test(`${MANY} hosts are read, in order, whatever they look like`, () => {
  const names = Array.from({ length: MANY }, (_, index) => `h${index}`);
  const ports = names.map((_, index) => String(1 + index % 65_535));
  const host = names.join(",");
  const port = ports.join(",");
  const uri = `postgres://app@${names.map((name, index) => `${name}:${ports[index]}`).join(",")}/`;
  const forms = [parseConnectionString(uri), parseConnectionString(`host=${host} port=${port}`)];
  for (const parameters of [...forms, { host, port }]) {
    const { hosts } = resolveSettings({ ...parameters, user: "app" });
    assert.equal(hosts.length, MANY);
    assert.deepEqual(hosts.map((entry) => entry.host), names);
    assert.deepEqual(hosts.map((entry) => String(entry.port)), ports);
  }
  const again = parseConnectionString(formatConnectionString({ host, port }));
  assert.deepEqual(again, { host, port });
  const empty = resolveSettings({ host: ",".repeat(MANY - 1), user: "app" }, { host: "/run" });
  assert.equal(empty.hosts.length, MANY);
  assert.throws(() => resolveSettings({ host, port: `${port},1`, user: "app" }), ConfigError);
});

test("a host that fails costs one attempt, however many there are", async () => {
  const count = 2_000;
  const server = fakeServer(async (peer) => {
    await peer.packet();
    await peer.end();
  });
  const host = Array.from({ length: count }, () => "127.0.0.1").join(",");
  const connecting = connect({ ...LOCAL, host, sslmode: "disable" }, { adapter: server.adapter });
  const error = await connecting.then(() => assert.fail("it opened"), (reason: unknown) => reason);
  assert.ok(error instanceof AggregateError);
  assert.equal(error.errors.length, count);
  assert.equal(error.message.split("\n").length, count);
  assert.equal(server.dials.length, count);
});

/** Shapes a careless scanner or regular expression goes over again and again. */
const LONG = 100_000;
const SHAPES: readonly (readonly [name: string, text: string])[] = [
  ..." \t,%\\'=&?/:@[]#\"*a\u00e9".split("").flatMap((one): (readonly [string, string])[] => [
    [`${JSON.stringify(one)} many times`, one.repeat(LONG)],
    [`${JSON.stringify(one)} many times between letters`, `a${one.repeat(LONG)}b`],
    [`${JSON.stringify(one)} and a letter, many times`, `${one}a`.repeat(LONG / 2)],
  ]),
  ["many escapes", "%41".repeat(LONG / 3)],
  ["many half escapes", "%4".repeat(LONG / 2)],
  ["many parameters", "user=a&".repeat(LONG / 8)],
  ["many assignments", "user=a ".repeat(LONG / 8)],
  ["many quotes", "user='' ".repeat(LONG / 8)],
];

for (const [name, text] of SHAPES) {
  test(`a text of ${LONG} characters ends in a value or a declared error: ${name}`, () => {
    const attempts: readonly (() => unknown)[] = [
      () => parseConnectionString(text),
      () => parseConnectionString(`user=${text}`),
      () => parseConnectionString(`user='${text}'`),
      () => parseConnectionString(`${text}=x`),
      () => parseConnectionString(`postgres://${text}`),
      () => parseConnectionString(`postgres://h/${text}`),
      () => parseConnectionString(`postgres://h/?${text}`),
      () => parseConnectionString(`postgres://h/?user=${text}`),
      () => resolveSettings({ user: "app", host: text }),
      () => resolveSettings({ user: "app", port: text }),
      () => resolveSettings({ user: "app", hostaddr: text }),
      () => resolveSettings({ user: "app", connect_timeout: text }),
      () => resolveSettings({ user: "app", require_auth: text }),
      () => resolveSettings({ user: "app", scram_client_key: text, scram_server_key: text }),
      () => readServiceFile(`[${text}]\nuser=x\n${text}`, "s", "file"),
      () => findPassword(text, { host: text, port: "1", database: "d", user: "u" }),
    ];
    for (const attempt of attempts) {
      try {
        attempt();
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error).slice(0, 200));
      }
    }
  });
}
