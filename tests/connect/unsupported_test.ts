import "../support/guard.ts";
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { host } from "../../src/connect/host.ts";
import type { Target } from "../../src/connect/options.ts";
import { Settling } from "../../src/connect/settled.ts";
import { ConfigError } from "../../src/errors.ts";
import type { Adapter } from "../../src/transport/transport.ts";
import { certificatePath, certificateText } from "../support/certificates.ts";
import { fakeServer, TARGET, trust } from "./fake_server.ts";
import { rejection } from "./rejection.ts";

const { adapter: ABLE } = fakeServer(trust, {
  abilities: {
    revocationLists: true,
    keepAlive: ["idleS", "intervalS", "count"],
    userTimeout: true,
  },
});
/** Can open TCP sockets, and TLS as it comes. */
const { adapter: POOR } = fakeServer(trust, {
  abilities: {
    unix: false,
    abstractUnix: false,
    serverCertificate: false,
    verify: ["none"],
    exclusiveRoots: false,
    clientCertificate: false,
    versionBounds: [],
    withoutSni: false,
  },
});

const UNIX = { host: "/run/pg", user: "app" };
/** No channel binding, so that nothing but the keyword in question needs an ability. */
const BASE = { ...TARGET, host: "db.test", channel_binding: "disable" };
const TLS = { ...BASE, sslmode: "require" };
const ROOTS = { sslmode: "verify-ca", sslrootcert: certificateText("ca.crt") };

function settle(target: Target, adapter?: Adapter): Promise<unknown> {
  const options = adapter === undefined ? {} : { adapter };
  return new Settling(target, options, host).settle(options);
}

async function refusedKeyword(target: Target, adapter?: Adapter): Promise<string | undefined> {
  const error = await rejection(settle(target, adapter));
  assert.ok(error instanceof ConfigError, String(error));
  assert.deepEqual([error.code, error.phase, error.sqlState], [
    "unsupported-setting",
    "settings",
    "08001",
  ]);
  assert.match(error.message, /^Cannot honour /);
  assert.ok(error.message.includes(error.keyword ?? "?"), error.message);
  return error.keyword;
}

/** A setting that asks for something, and values of the same keyword, or circumstances, that do not. */
interface Row {
  readonly keyword: string;
  readonly asked: Readonly<Record<string, string>>;
  readonly harmless: readonly Readonly<Record<string, string>>[];
}

/** What nothing can do on any runtime. */
const NOWHERE: readonly Row[] = [
  {
    keyword: "require_auth",
    asked: { ...BASE, require_auth: "gss,sspi" },
    harmless: [
      { ...BASE, require_auth: "gss,md5" },
      // Allows nothing at all, which is not about GSSAPI; the gate refuses it when the server asks.
      { ...BASE, require_auth: "!password,!md5,!gss,!sspi,!scram-sha-256,!oauth,!none" },
    ],
  },
  {
    keyword: "gssencmode",
    asked: { ...BASE, gssencmode: "require" },
    harmless: [{ ...BASE, gssencmode: "prefer" }, { ...BASE, gssencmode: "disable" }],
  },
  {
    keyword: "requirepeer",
    asked: { ...UNIX, requirepeer: "postgres" },
    // It means nothing to TCP (manual, parameter requirepeer).
    harmless: [{ ...BASE, requirepeer: "postgres" }, { ...UNIX, requirepeer: "" }],
  },
  {
    keyword: "requirepeer",
    asked: { ...BASE, host: "db.test,/run/pg", requirepeer: "postgres" },
    harmless: [{ ...BASE, host: "db.test,/run/pg" }],
  },
  {
    keyword: "sslcertmode",
    asked: { ...TLS, sslcertmode: "require" },
    harmless: [{ ...TLS, sslcertmode: "allow" }, { ...TLS, sslcertmode: "disable" }],
  },
  {
    keyword: "sslkeylogfile",
    asked: { ...TLS, sslkeylogfile: "/tmp/keys" },
    harmless: [{ ...TLS, sslkeylogfile: "" }],
  },
];

/** What an adapter must be able to do. */
const NEEDS: readonly Row[] = [
  { keyword: "host", asked: UNIX, harmless: [BASE] },
  { keyword: "host", asked: { ...UNIX, host: "@pg" }, harmless: [BASE] },
  { keyword: "sslmode", asked: { ...BASE, ...ROOTS }, harmless: [TLS] },
  {
    keyword: "sslcert",
    asked: {
      ...TLS,
      sslcert: certificateText("client.crt"),
      sslkey: certificateText("client.key"),
    },
    harmless: [
      { ...BASE, ...UNIX, sslcert: certificatePath("client.crt"), sslkey: "/nowhere/client.key" },
      {
        ...TLS,
        sslcertmode: "disable",
        sslcert: certificateText("client.crt"),
        sslkey: certificateText("client.key"),
      },
    ],
  },
  {
    keyword: "channel_binding",
    asked: { ...TLS, channel_binding: "require" },
    harmless: [{ ...TLS, channel_binding: "disable" }, { ...TLS, sslmode: "disable" }],
  },
  {
    keyword: "sslsni",
    asked: { ...TLS, sslsni: "0" },
    harmless: [{ ...TLS, sslsni: "1" }, { ...BASE, sslsni: "0", sslmode: "disable" }],
  },
  {
    keyword: "ssl_min_protocol_version",
    asked: { ...TLS, ssl_min_protocol_version: "TLSv1.3" },
    harmless: [{ ...TLS, ssl_min_protocol_version: "TLSv1.2" }],
  },
  {
    keyword: "ssl_max_protocol_version",
    asked: { ...TLS, ssl_max_protocol_version: "TLSv1.2" },
    harmless: [{ ...TLS, ssl_max_protocol_version: "TLSv1.3" }],
  },
  {
    keyword: "keepalives_idle",
    asked: { ...BASE, keepalives_idle: "30" },
    harmless: [
      { ...BASE, keepalives_idle: "0" },
      { ...BASE, keepalives_idle: "30", keepalives: "0" },
    ],
  },
  {
    keyword: "keepalives_interval",
    asked: { ...BASE, keepalives_interval: "5" },
    harmless: [{ ...BASE, keepalives_interval: "-1" }],
  },
  {
    keyword: "keepalives_count",
    asked: { ...BASE, keepalives_count: "3" },
    harmless: [{ ...BASE, keepalives_count: "0" }],
  },
  {
    keyword: "tcp_user_timeout",
    asked: { ...BASE, tcp_user_timeout: "9000" },
    harmless: [{ ...BASE, tcp_user_timeout: "0" }, { ...BASE, keepalives: "0" }],
  },
];

function nameOf(row: Row): string {
  return row.keyword === "host" ? `host=${row.asked["host"]}` : row.keyword;
}

NOWHERE.forEach((row, index) => {
  test(`${nameOf(row)} is an error that names it, however able the adapter is (${index + 1})`, async () => {
    assert.equal(await refusedKeyword(row.asked, ABLE), row.keyword);
    assert.equal(await refusedKeyword(row.asked), row.keyword);
    for (const target of row.harmless) await settle(target, ABLE);
  });
});

for (const row of NEEDS) {
  test(`${nameOf(row)} is an error that names it only where the adapter cannot do it`, async () => {
    assert.equal(await refusedKeyword(row.asked, POOR), row.keyword);
    await settle(row.asked, ABLE);
    for (const target of row.harmless) {
      await settle(target, target["host"] === "/run/pg" ? ABLE : POOR);
    }
  });

  test(`${nameOf(row)} is honoured by the runtime's own sockets, or an error that names it`, async () => {
    try {
      await settle(row.asked);
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
      assert.deepEqual([error.code, error.keyword], ["unsupported-setting", row.keyword]);
    }
  });
}

test("roots of one's own are an error that names sslrootcert where they cannot replace the system's", async () => {
  const { adapter } = fakeServer(trust, { abilities: { exclusiveRoots: false } });
  assert.equal(await refusedKeyword({ ...BASE, ...ROOTS }, adapter), "sslrootcert");
});

test("revocation lists are an error that names sslcrl where they cannot be checked", async () => {
  const target = { ...BASE, ...ROOTS, sslcrl: certificatePath("ca.crl") };
  assert.equal(await refusedKeyword(target, fakeServer(trust).adapter), "sslcrl");
  await settle(target, ABLE);
});

test("what was not asked for is no error: the defaults of every keyword are within reach of all", async () => {
  await settle(BASE, POOR);
  await settle("postgres://app@db.test/shop?channel_binding=disable", POOR);
  await settle({ ...BASE, host: "192.0.2.1" });
  await settle({ ...BASE, sslmode: "disable" });
});

test("what the environment asks for is asked for", async () => {
  process.env["PGGSSENCMODE"] = "require";
  try {
    const error = await rejection(settle(BASE, ABLE));
    assert.ok(error instanceof ConfigError);
    assert.deepEqual([error.code, error.keyword], ["unsupported-setting", "gssencmode"]);
  } finally {
    delete process.env["PGGSSENCMODE"];
  }
});

test("a connection string asks as an object does", async () => {
  assert.equal(
    await refusedKeyword("postgres://app@db.test/shop?gssencmode=require", ABLE),
    "gssencmode",
  );
  assert.equal(
    await refusedKeyword("host=/run/pg user=app requirepeer=postgres", ABLE),
    "requirepeer",
  );
});
