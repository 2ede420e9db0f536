import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConnectionParameters } from "../../src/settings/parameters.ts";
import { resolveSettings, type Settings } from "../../src/settings/resolve.ts";

function resolve(parameters: ConnectionParameters): Settings {
  return resolveSettings(parameters, { user: "me" });
}

test("explicit holds every keyword that has a value, and no other", () => {
  assert.deepEqual([...resolve({ host: "h", sslcrl: "", keepalives: "0" }).explicit].sort(), [
    "host",
    "keepalives",
  ]);
  assert.deepEqual(resolve({ gssencmode: "prefer" }).explicit, new Set(["gssencmode"]));
});

type Typed = readonly [ConnectionParameters, Partial<Settings>];

const TYPED: readonly Typed[] = [
  [{ keepalives: "0" }, { keepalives: false }],
  [{ keepalives: " 2 " }, { keepalives: true }],
  [{ keepalives: "-1" }, { keepalives: true }],
  [{ keepalives_idle: "30" }, { keepalivesIdleS: 30 }],
  [{ keepalives_idle: "0" }, { keepalivesIdleS: undefined }],
  [{ keepalives_idle: "-5" }, { keepalivesIdleS: undefined }],
  [{ keepalives_interval: "10" }, { keepalivesIntervalS: 10 }],
  [{ keepalives_interval: "0" }, { keepalivesIntervalS: undefined }],
  [{ keepalives_count: "3" }, { keepalivesCount: 3 }],
  [{ keepalives_count: "0" }, { keepalivesCount: undefined }],
  [{ tcp_user_timeout: "1500" }, { tcpUserTimeoutMs: 1500 }],
  [{ tcp_user_timeout: "0" }, { tcpUserTimeoutMs: undefined }],
  [{ tcp_user_timeout: "1500", keepalives: "0" }, { tcpUserTimeoutMs: 1500, keepalives: false }],
  [{ requirepeer: "postgres" }, { requirepeer: "postgres" }],
  [{ sslcrl: "c" }, { sslcrl: "c" }],
  [{ sslcrldir: "d" }, { sslcrldir: "d" }],
  [{ sslcertmode: "require" }, { sslcertmode: "require" }],
  [{ sslcertmode: "disable" }, { sslcertmode: "disable" }],
  [{ sslkeylogfile: "k" }, { sslkeylogfile: "k" }],
  [{ target_session_attrs: "prefer-standby" }, { targetSessionAttrs: "prefer-standby" }],
  [{ load_balance_hosts: "random" }, { loadBalanceHosts: "random" }],
  [{ gssencmode: "require" }, { gssencmode: "require" }],
  [{ krbsrvname: "pg" }, { krbsrvname: "pg" }],
  [{ gsslib: "SSPI" }, { gsslib: "sspi" }],
  [{ gssdelegation: "1" }, { gssdelegation: true }],
  [{ gssdelegation: "true" }, { gssdelegation: false }],
  [{ passfile: "p" }, { passfile: "p" }],
  [{ service: "s" }, { service: "s" }],
  [{ oauth_issuer: "i", oauth_client_id: "c" }, { oauthIssuer: "i", oauthClientId: "c" }],
  [{ oauth_scope: "" }, { oauthScope: "" }],
];

for (const [parameters, expected] of TYPED) {
  test(`resolveSettings() gives ${JSON.stringify(parameters)} its type`, () => {
    const settings = resolve(parameters);
    for (const [field, value] of Object.entries(expected)) {
      assert.equal(settings[field as keyof Settings], value, field);
    }
  });
}

test("an empty OAuth secret is one", () => {
  assert.equal(resolve({ oauth_client_secret: "" }).oauthClientSecret?.reveal(), "");
  assert.equal(resolve({ oauth_client_secret: "s" }).oauthClientSecret?.reveal(), "s");
});
