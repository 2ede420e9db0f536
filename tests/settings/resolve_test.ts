import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../src/errors.ts";
import { socketPath } from "../../src/settings/hosts.ts";
import { KEYWORDS } from "../../src/settings/keyword_reference.ts";
import type { Keyword } from "../../src/settings/keywords.ts";
import type { ConnectionParameters } from "../../src/settings/parameters.ts";
import { parseConnectionString } from "../../src/settings/parse.ts";
import { resolveSettings } from "../../src/settings/resolve.ts";
import type { Settings, SettingsContext } from "../../src/settings/resolve.ts";
import { readVectors } from "../support/vectors.ts";
import { prints } from "./prints.ts";

interface BadCase {
  readonly name: string;
  readonly source: string;
  readonly parameters: ConnectionParameters;
  /** The account; "me" if absent, none if null. */
  readonly user?: string | null;
  readonly error: string;
  readonly keyword: Keyword;
  readonly code: string;
}

/** ClientKey and ServerKey: the octets 0 to 31. */
const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

function resolve(parameters: ConnectionParameters, defaults: SettingsContext = {}): Settings {
  return resolveSettings(parameters, { user: "me", ...defaults });
}

for (const one of readVectors<BadCase>("settings_bad")) {
  test(`resolveSettings() refuses ${one.name}`, () => {
    const user = one.user === undefined ? "me" : one.user;
    const defaults = user === null ? {} : { user };
    assert.throws(() => resolveSettings(one.parameters, defaults), (error) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.ok(error.message.includes(one.error), error.message);
      assert.equal(error.keyword, one.keyword);
      assert.equal(error.code, one.code);
      return true;
    });
  });
}

test("no parameters give libpq's defaults", () => {
  assert.deepEqual(resolve({}), {
    explicit: new Set(),
    hosts: [{ host: "localhost", hostaddr: undefined, port: 5432, kind: "tcp" }],
    loadBalanceHosts: "disable",
    targetSessionAttrs: "any",
    user: "me",
    dbname: "me",
    password: undefined,
    passfile: undefined,
    service: undefined,
    connectTimeoutMs: undefined,
    keepalives: true,
    keepalivesIdleS: undefined,
    keepalivesIntervalS: undefined,
    keepalivesCount: undefined,
    tcpUserTimeoutMs: undefined,
    requirepeer: undefined,
    startup: [["user", "me"], ["database", "me"], ["client_encoding", "UTF8"]],
    sslmode: "prefer",
    sslnegotiation: "postgres",
    sslrootcert: undefined,
    sslcert: undefined,
    sslkey: undefined,
    sslpassword: undefined,
    sslcertmode: "allow",
    sslcrl: undefined,
    sslcrldir: undefined,
    sslkeylogfile: undefined,
    sslsni: true,
    sslMinVersion: "TLSv1.2",
    sslMaxVersion: undefined,
    gssencmode: "prefer",
    krbsrvname: "postgres",
    gsslib: undefined,
    gssdelegation: false,
    oauthIssuer: undefined,
    oauthClientId: undefined,
    oauthClientSecret: undefined,
    oauthScope: undefined,
    channelBinding: "prefer",
    requireAuth: {
      allowed: new Set(["password", "md5", "gss", "sspi", "scram-sha-256", "oauth"]),
      required: false,
      text: undefined,
    },
    scramClientKey: undefined,
    scramServerKey: undefined,
    protocolVersion: 0x00030000,
    minProtocolVersion: 0x00030000,
  });
});

test("empty values of free texts count as not given", () => {
  const texts: Keyword[] = [];
  for (const { keyword, kind } of KEYWORDS) {
    const judged = kind === "enum" || kind === "boolean" || kind === "integer";
    // An empty OAuth secret or scope is one (libpq 18, fe-auth-oauth.c).
    const isOwn = keyword.startsWith("scram_") || /^oauth_(client_secret|scope)$/.test(keyword);
    if ((!judged || keyword === "gsslib") && !isOwn) texts.push(keyword);
  }
  assert.ok(texts.length > 20);
  const empty = Object.fromEntries(texts.map((keyword) => [keyword, ""]));
  assert.deepEqual(resolve(empty), resolve({}));
});

test("a key that is no keyword is refused with the nearest one", () => {
  const parameters = { sslmod: "require" } as ConnectionParameters;
  assert.throws(() => resolve(parameters), {
    name: "ConfigError",
    message: 'Cannot use the keyword "sslmod": libpq has no such parameter, perhaps "sslmode"',
  });
});

test("a URI resolves to typed settings", () => {
  const settings = resolve(parseConnectionString(
    "postgres://app:s3cret@db.example:5433,[::1]/shop?sslmode=verify-full&connect_timeout=5" +
      "&channel_binding=require&require_auth=scram-sha-256&max_protocol_version=latest",
  ));
  assert.deepEqual(settings.hosts, [
    { host: "db.example", hostaddr: undefined, port: 5433, kind: "tcp" },
    { host: "::1", hostaddr: undefined, port: 5432, kind: "tcp" },
  ]);
  assert.equal(settings.user, "app");
  assert.equal(settings.dbname, "shop");
  assert.equal(settings.password?.reveal(), "s3cret");
  assert.equal(settings.connectTimeoutMs, 5000);
  assert.equal(settings.sslmode, "verify-full");
  assert.equal(settings.channelBinding, "require");
  assert.deepEqual([...settings.requireAuth.allowed], ["scram-sha-256"]);
  assert.equal(settings.requireAuth.required, true);
  assert.equal(settings.protocolVersion, 0x00030002);
  assert.equal(settings.minProtocolVersion, 0x00030000);
});

type HostCase = readonly [ConnectionParameters, readonly string[], string?];

/** Parameters, then each entry as `kind host hostaddr port`, then the default host. */
const HOSTS: readonly HostCase[] = [
  [{ host: "a" }, ["tcp a - 5432"]],
  [{ host: "a,b" }, ["tcp a - 5432", "tcp b - 5432"]],
  [{ host: "a,b", port: "1" }, ["tcp a - 1", "tcp b - 1"]],
  [{ host: "a,b", port: "1,2" }, ["tcp a - 1", "tcp b - 2"]],
  [{ host: "a,b", port: "," }, ["tcp a - 5432", "tcp b - 5432"]],
  [{ host: "a,b,c", port: "1,,3" }, ["tcp a - 1", "tcp b - 5432", "tcp c - 3"]],
  [{ host: "a,,c" }, ["tcp a - 5432", "tcp localhost - 5432", "tcp c - 5432"]],
  [{ host: "," }, ["unix /run - 5432", "unix /run - 5432"], "/run"],
  [{}, ["unix /run - 5432"], "/run"],
  [{ port: "5433" }, ["unix /run - 5433"], "/run"],
  [{ host: "" }, ["unix @pg - 5432"], "@pg"],
  [{}, ["tcp localhost - 5432"], ""],
  [{ host: "/tmp", port: "1" }, ["unix /tmp - 1"]],
  [{ host: "@pg" }, ["unix @pg - 5432"]],
  [{ host: "/tmp,a" }, ["unix /tmp - 5432", "tcp a - 5432"]],
  [{ host: "::1" }, ["tcp ::1 - 5432"]],
  [{ hostaddr: "10.0.0.1" }, ["tcp 10.0.0.1 10.0.0.1 5432"], "/run"],
  [{ host: "a", hostaddr: "10.0.0.1" }, ["tcp a 10.0.0.1 5432"]],
  [{ host: "a", hostaddr: "fe80::1%eth0" }, ["tcp a fe80::1%eth0 5432"]],
  [{ host: "/tmp", hostaddr: "10.0.0.1" }, ["tcp /tmp 10.0.0.1 5432"]],
  [{ host: "a,b", hostaddr: "::1," }, ["tcp a ::1 5432", "tcp b - 5432"]],
  [{ host: ",", hostaddr: "::1," }, ["tcp ::1 ::1 5432", "unix /run - 5432"], "/run"],
  [{ hostaddr: "::1,::2", port: "1,2" }, ["tcp ::1 ::1 1", "tcp ::2 ::2 2"]],
  [{ host: "a", port: "1" }, ["tcp a - 1"]],
  [{ host: "a", port: "65535" }, ["tcp a - 65535"]],
  [{ host: "a", port: " 5433 " }, ["tcp a - 5433"]],
  [{ host: "a", port: "+5433" }, ["tcp a - 5433"]],
  [{ host: "a", port: "05433" }, ["tcp a - 5433"]],
  [{ host: "a", port: "\t1\n" }, ["tcp a - 1"]],
];

for (const [parameters, expected, host] of HOSTS) {
  const title = `${JSON.stringify(parameters)}${host === undefined ? "" : ` by default "${host}"`}`;
  test(`resolveSettings() finds the hosts of ${title}`, () => {
    const settings = resolve(parameters, host === undefined ? {} : { host });
    assert.deepEqual(
      settings.hosts.map((entry) =>
        `${entry.kind} ${entry.host} ${entry.hostaddr ?? "-"} ${entry.port}`
      ),
      expected,
    );
  });
}

test("socketPath() names the socket of a directory", () => {
  const [entry] = resolve({ host: "/run/postgresql", port: "5433" }).hosts;
  assert.ok(entry !== undefined);
  assert.equal(socketPath(entry), "/run/postgresql/.s.PGSQL.5433");
});

test("a socket path of 107 octets is taken", () => {
  const [entry] = resolve({ host: `/${"d".repeat(92)}` }).hosts;
  assert.ok(entry !== undefined);
  assert.equal(socketPath(entry).length, 107);
});

test("socketPath() refuses a host that is no directory", () => {
  const [entry] = resolve({ host: "a" }).hosts;
  assert.ok(entry !== undefined);
  assert.throws(() => socketPath(entry), ConfigError);
});

type Startup = readonly (readonly [string, string])[];

const USER: Startup = [["user", "me"], ["database", "me"]];

// Ours: libpq sends client_encoding only if it is set.
const UTF8 = ["client_encoding", "UTF8"] as const;

const STARTUP: readonly (readonly [ConnectionParameters, Startup])[] = [
  [{ user: "u" }, [["user", "u"], ["database", "u"], UTF8]],
  [{ dbname: "d" }, [["user", "me"], ["database", "d"], UTF8]],
  [{ dbname: "host=x" }, [["user", "me"], ["database", "host=x"], UTF8]],
  [
    {
      client_encoding: "UTF8",
      fallback_application_name: "f",
      application_name: "a",
      options: "-c x=y",
      replication: "database",
      dbname: "d",
      user: "u",
    },
    [
      ["user", "u"],
      ["database", "d"],
      ["replication", "database"],
      ["options", "-c x=y"],
      ["application_name", "a"],
      ["client_encoding", "UTF8"],
    ],
  ],
  [{ fallback_application_name: "f" }, [...USER, ["application_name", "f"], UTF8]],
  [{ application_name: "", fallback_application_name: "f" }, [...USER, UTF8]],
  [{ application_name: "ü", fallback_application_name: "f" }, [
    ...USER,
    ["application_name", "ü"],
    UTF8,
  ]],
  [{ client_encoding: "auto" }, [...USER, UTF8]],
  [{ client_encoding: "utf-8" }, [...USER, ["client_encoding", "utf-8"]]],
  [{ client_encoding: "Unicode" }, [...USER, ["client_encoding", "Unicode"]]],
  [{ client_encoding: "UTF_8" }, [...USER, ["client_encoding", "UTF_8"]]],
  [{ replication: "TRUE" }, [...USER, ["replication", "TRUE"], UTF8]],
];

for (const [parameters, expected] of STARTUP) {
  test(`resolveSettings() makes the start-up parameters of ${JSON.stringify(parameters)}`, () => {
    assert.deepEqual(resolve(parameters).startup, expected);
  });
}

test("a start-up packet of 10000 octets is taken, one more is refused", () => {
  // Version, "user", "me", "database", "me", "options", "client_encoding", "UTF8" and every terminator.
  const others = 4 + 5 + 3 + 9 + 3 + 8 + 1 + 16 + 5 + 1;
  const settings = resolve({ options: "x".repeat(10_000 - others) });
  assert.equal(settings.startup.length, 4);
  assert.throws(() => resolve({ options: "x".repeat(10_001 - others) }), {
    name: "ConfigError",
    message:
      /Cannot send the start-up packet: it has 10001 octets, but a server takes at most 10000/,
  });
  assert.throws(
    () => resolve({ options: `é${"x".repeat(9_999 - others)}` }),
    /it has 10001 octets/,
  );
});

const TIMEOUTS: readonly (readonly [string, number | undefined])[] = [
  ["1", 1000],
  [" 2 ", 2000],
  ["+3", 3000],
  ["0", undefined],
  ["-1", undefined],
  ["-2147483648", undefined],
  ["2147483", 2_147_483_000],
  ["2147484", 2_147_483_647],
  ["2147483647", 2_147_483_647],
];

for (const [text, expected] of TIMEOUTS) {
  test(`connect_timeout "${text}" is ${expected ?? "no bound"}`, () => {
    assert.equal(resolve({ connect_timeout: text }).connectTimeoutMs, expected);
  });
}

test("every word of every enum is taken", () => {
  const needs: Readonly<Record<string, ConnectionParameters>> = {
    "sslnegotiation direct": { sslmode: "require" },
    "ssl_max_protocol_version TLSv1": { ssl_min_protocol_version: "" },
    "ssl_max_protocol_version TLSv1.1": { ssl_min_protocol_version: "" },
  };
  for (const { keyword, kind, values } of KEYWORDS) {
    if (kind !== "enum") continue;
    for (const word of values ?? []) {
      const settings = resolve({ [keyword]: word, ...needs[`${keyword} ${word}`] });
      assert.equal(settings.user, "me", `${keyword} ${word}`);
    }
  }
});

test("sslrootcert=system makes verify-full the default", () => {
  const settings = resolve({ sslrootcert: "system" });
  assert.equal(settings.sslmode, "verify-full");
  assert.equal(settings.sslrootcert, "system");
  assert.equal(resolve({ sslrootcert: "system", sslmode: "verify-full" }).sslmode, "verify-full");
  assert.equal(resolve({ sslrootcert: "./system" }).sslmode, "prefer");
});

test("direct negotiation goes with system roots alone", () => {
  const settings = resolve({ sslnegotiation: "direct", sslrootcert: "system" });
  assert.equal(settings.sslnegotiation, "direct");
});

test("verify-full takes hostaddr beside a name", () => {
  const settings = resolve({ host: "a", hostaddr: "10.0.0.1", sslmode: "verify-full" });
  assert.equal(settings.hosts[0]?.host, "a");
  assert.equal(resolve({ hostaddr: "10.0.0.1", sslmode: "verify-ca" }).sslmode, "verify-ca");
});

test("TLS versions are taken in any case and given in OpenSSL's", () => {
  const settings = resolve({
    ssl_min_protocol_version: "tlsV1.1",
    ssl_max_protocol_version: "TLSV1.3",
  });
  assert.equal(settings.sslMinVersion, "TLSv1.1");
  assert.equal(settings.sslMaxVersion, "TLSv1.3");
});

test("an empty TLS version sets no bound", () => {
  const settings = resolve({ ssl_min_protocol_version: "", ssl_max_protocol_version: "TLSv1" });
  assert.equal(settings.sslMinVersion, undefined);
  assert.equal(settings.sslMaxVersion, "TLSv1");
  assert.equal(resolve({ ssl_max_protocol_version: "" }).sslMaxVersion, undefined);
});

test("equal TLS versions are a range of one", () => {
  assert.equal(resolve({ ssl_max_protocol_version: "TLSv1.2" }).sslMaxVersion, "TLSv1.2");
});

test("sslsni looks at its first character only, as in libpq", () => {
  for (const text of ["1", "1x", "10"]) assert.equal(resolve({ sslsni: text }).sslsni, true, text);
  for (const text of ["0", "", "true", " 1"]) {
    assert.equal(resolve({ sslsni: text }).sslsni, false, text);
  }
});

test("sslcompression is accepted and ignored", () => {
  const { explicit, ...rest } = resolve({ sslcompression: "1" });
  assert.deepEqual(explicit, new Set(["sslcompression"]));
  assert.deepEqual({ ...rest, explicit: new Set() }, resolve({}));
});

test("a client certificate, its key and passphrase are kept together", () => {
  const settings = resolve({ sslcert: "c.crt", sslkey: "c.key", sslpassword: "pass phrase" });
  assert.equal(settings.sslcert, "c.crt");
  assert.equal(settings.sslkey?.reveal(), "c.key");
  assert.equal(settings.sslpassword?.reveal(), "pass phrase");
});

test("SCRAM keys are decoded", () => {
  const settings = resolve({ scram_client_key: KEY, scram_server_key: `${"/".repeat(42)}8=` });
  assert.deepEqual(settings.scramClientKey?.reveal(), Uint8Array.from({ length: 32 }, (_, i) => i));
  assert.deepEqual(settings.scramServerKey?.reveal(), new Uint8Array(32).fill(0xff));
});

const VERSIONS: readonly (readonly [string | undefined, string | undefined, number, number])[] = [
  [undefined, undefined, 0x00030000, 0x00030000],
  [undefined, "3.0", 0x00030000, 0x00030000],
  [undefined, "3.2", 0x00030000, 0x00030002],
  [undefined, "latest", 0x00030000, 0x00030002],
  ["3.0", undefined, 0x00030000, 0x00030000],
  ["3.2", undefined, 0x00030002, 0x00030002],
  ["latest", undefined, 0x00030002, 0x00030002],
  ["3.2", "latest", 0x00030002, 0x00030002],
  ["latest", "3.2", 0x00030002, 0x00030002],
];

for (const [min, max, minProtocolVersion, protocolVersion] of VERSIONS) {
  test(`min_protocol_version ${min} and max_protocol_version ${max} are both understood`, () => {
    const settings = resolve({
      ...(min !== undefined && { min_protocol_version: min }),
      ...(max !== undefined && { max_protocol_version: max }),
    });
    assert.equal(settings.minProtocolVersion, minProtocolVersion);
    assert.equal(settings.protocolVersion, protocolVersion);
  });
}

test("channel_binding=require goes with every policy that leaves SCRAM", () => {
  for (const policy of ["scram-sha-256", "scram-sha-256,md5", "!md5", "!none", ""]) {
    const settings = resolve({ channel_binding: "require", require_auth: policy });
    assert.equal(settings.channelBinding, "require", policy);
  }
});

test("no print of settings shows a secret", () => {
  const settings = resolve({
    password: "Xy7Zq",
    sslcert: "c",
    sslkey: "k",
    sslpassword: "Qz9Wv",
    scram_client_key: KEY,
    scram_server_key: KEY,
    oauth_client_secret: "Jk3Lm",
  });
  for (const text of prints(settings)) {
    assert.doesNotMatch(text, /Xy7Zq|Qz9Wv|Jk3Lm|AAECAw|28, ?29, ?30|1c ?1d ?1e/i, text);
  }
});

test("no error of a refused secret shows it", () => {
  const secret = "Xy7Zq";
  const refused: readonly ConnectionParameters[] = [
    { password: `${secret}\0` },
    { password: `${secret}\ud800` },
    { sslpassword: `${secret}\0` },
    { scram_client_key: secret },
    { scram_client_key: `${secret}===` },
    { scram_server_key: secret },
    { oauth_client_secret: `${secret}\0` },
    { port: secret },
    { port: `1,${secret}`, host: "a,b" },
    { host: `${secret}@db` },
    { hostaddr: secret },
    { password: secret, sslmode: "x" },
    { password: secret, options: "x".repeat(10_000) },
  ];
  for (const parameters of refused) {
    assert.throws(() => resolve(parameters), (error) => {
      assert.ok(error instanceof ConfigError);
      const printed = `${error.message} ${error.stack} ${JSON.stringify(error)} ${error.cause}`;
      assert.ok(!printed.includes(secret), error.message);
      return true;
    });
  }
});
