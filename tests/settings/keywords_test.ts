import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ENVIRONMENT_ONLY, keywordInfo, KEYWORDS } from "../../src/settings/keyword_reference.ts";
import { isKeyword, SECRET_KEYWORDS, SETTING_OF_VARIABLE } from "../../src/settings/keywords.ts";
import { nearestKeyword } from "../../src/settings/unknown_keyword.ts";

/** Keyword, environment variable and compiled default as PQconndefaults of libpq 18.4 lists them. */
const LIBPQ: readonly (readonly [string, string?, string?])[] = [
  ["service", "PGSERVICE"],
  ["user", "PGUSER"],
  ["password", "PGPASSWORD"],
  ["passfile", "PGPASSFILE"],
  ["channel_binding", "PGCHANNELBINDING", "prefer"],
  ["connect_timeout", "PGCONNECT_TIMEOUT"],
  ["dbname", "PGDATABASE"],
  ["host", "PGHOST"],
  ["hostaddr", "PGHOSTADDR"],
  ["port", "PGPORT", "5432"],
  ["client_encoding", "PGCLIENTENCODING"],
  ["options", "PGOPTIONS", ""],
  ["application_name", "PGAPPNAME"],
  ["fallback_application_name"],
  ["keepalives"],
  ["keepalives_idle"],
  ["keepalives_interval"],
  ["keepalives_count"],
  ["tcp_user_timeout"],
  ["sslmode", "PGSSLMODE", "prefer"],
  ["sslnegotiation", "PGSSLNEGOTIATION", "postgres"],
  ["sslcompression", "PGSSLCOMPRESSION", "0"],
  ["sslcert", "PGSSLCERT"],
  ["sslkey", "PGSSLKEY"],
  ["sslcertmode", "PGSSLCERTMODE"],
  ["sslpassword"],
  ["sslrootcert", "PGSSLROOTCERT"],
  ["sslcrl", "PGSSLCRL"],
  ["sslcrldir", "PGSSLCRLDIR"],
  ["sslsni", "PGSSLSNI", "1"],
  ["requirepeer", "PGREQUIREPEER"],
  ["require_auth", "PGREQUIREAUTH"],
  ["min_protocol_version", "PGMINPROTOCOLVERSION"],
  ["max_protocol_version", "PGMAXPROTOCOLVERSION"],
  ["ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", "TLSv1.2"],
  ["ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"],
  ["gssencmode", "PGGSSENCMODE", "disable"],
  ["krbsrvname", "PGKRBSRVNAME", "postgres"],
  ["gsslib", "PGGSSLIB"],
  ["gssdelegation", "PGGSSDELEGATION", "0"],
  ["replication"],
  ["target_session_attrs", "PGTARGETSESSIONATTRS", "any"],
  ["load_balance_hosts", "PGLOADBALANCEHOSTS", "disable"],
  ["scram_client_key"],
  ["scram_server_key"],
  ["oauth_issuer"],
  ["oauth_client_id"],
  ["oauth_client_secret"],
  ["oauth_scope"],
  ["sslkeylogfile"],
];

/** libpq 18.4 was built without GSS and leaves defaults it computes later empty. */
const OTHER_DEFAULTS: Readonly<Record<string, string>> = {
  sslcertmode: "allow",
  min_protocol_version: "3.0",
  max_protocol_version: "3.0",
  gssencmode: "prefer",
  keepalives: "1",
};

test("the table has the 50 keywords of libpq 18, in its order", () => {
  assert.equal(KEYWORDS.length, 50);
  assert.deepEqual(KEYWORDS.map(({ keyword }) => keyword), LIBPQ.map(([keyword]) => keyword));
});

test("the table has libpq's environment variables", () => {
  assert.deepEqual(
    KEYWORDS.map(({ keyword, environment }) => [keyword, environment]),
    LIBPQ.map(([keyword, environment]) => [keyword, environment || undefined]),
  );
});

test("the table has libpq's defaults", () => {
  assert.deepEqual(
    KEYWORDS.map((info) => [info.keyword, info.default]),
    LIBPQ.map(([keyword, , value]) => [keyword, OTHER_DEFAULTS[keyword] ?? value]),
  );
});

test("every enum has values, and its default is one of them", () => {
  for (const { keyword, kind, values, default: fallback } of KEYWORDS) {
    if (kind === "enum") assert.ok(values !== undefined && values.length > 1, keyword);
    if (fallback !== undefined && values !== undefined) {
      assert.ok(values.includes(fallback), keyword);
    }
  }
});

test("every keyword says what it sets", () => {
  for (const { keyword, about, since } of KEYWORDS) {
    assert.match(about, /^[A-Za-z].*[a-zA-Z0-9]$/, keyword);
    assert.match(since, /^(8\.4|9\.[0-6]|1[0-8])$/, keyword);
  }
});

test("isKeyword() takes libpq's names only, by case, and nothing an object inherits", () => {
  for (const [keyword] of LIBPQ) assert.ok(isKeyword(keyword), keyword);
  for (const text of ["", "HOST", "host ", "ssl", "requiressl", "toString", "__proto__", "tty"]) {
    assert.ok(!isKeyword(text), text);
  }
});

test("keywordInfo() gives one row of the table", () => {
  for (const info of KEYWORDS) assert.deepEqual(keywordInfo(info.keyword), info);
});

const NEAR: readonly (readonly [string, string | undefined])[] = [
  ["sslmod", "sslmode"],
  ["ssl_mode", "sslmode"],
  ["sslMode", "sslmode"],
  ["SSLMODE", "sslmode"],
  ["ssl", "sslmode"],
  ["hots", "host"],
  ["hosts", "host"],
  ["hostname", "host"],
  ["pass", "password"],
  ["passwd", "password"],
  ["pasword", "password"],
  ["username", "user"],
  ["usr", "user"],
  ["database", "dbname"],
  ["db_name", "dbname"],
  ["db", "dbname"],
  ["applicationName", "application_name"],
  ["appplication-name", "application_name"],
  ["connectTimeout", "connect_timeout"],
  ["connection_timeout", "connect_timeout"],
  ["timeout", "connect_timeout"],
  ["channelbinding", "channel_binding"],
  ["sslrootcrt", "sslrootcert"],
  ["target_session_attr", "target_session_attrs"],
  ["loadBalanceHosts", "load_balance_hosts"],
  ["schema", undefined],
  ["pgbouncer", undefined],
  ["", undefined],
  ["x", undefined],
  ["constructor", undefined],
  ["__proto__", undefined],
  ["x".repeat(100_000), undefined],
];

for (const [text, expected] of NEAR) {
  test(`nearestKeyword() takes "${text.slice(0, 30)}" for ${expected ?? "nothing"}`, () => {
    assert.equal(nearestKeyword(text), expected);
  });
}

test("the reference and what connecting reads agree on secrets and on the environment's settings", () => {
  const secrets = KEYWORDS.filter(({ kind }) => kind === "secret").map(({ keyword }) => keyword);
  assert.deepEqual([...SECRET_KEYWORDS], secrets);
  const settings = ENVIRONMENT_ONLY.flatMap(({ name, setting }) =>
    setting === undefined ? [] : [[name, setting]]
  );
  assert.deepEqual(SETTING_OF_VARIABLE, settings);
});
