import "../support/guard.ts";
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { ConfigError } from "../../src/errors.ts";
import { formatConnectionString } from "../../src/settings/format_connection_string.ts";
import type { Keyword } from "../../src/settings/keywords.ts";
import type { ConnectionParameters } from "../../src/settings/parameters.ts";
import { resolveSettings } from "../../src/settings/resolve.ts";
import { Prng } from "../support/prng.ts";
import { seedOfRun } from "./generate.ts";
import { loadLibpq } from "./libpq.ts";

const CASES = 12_000;
const SEED = seedOfRun(process.env["SEED"]);
const libpq = await loadLibpq();
const skip = typeof libpq === "string" ? libpq : false;

/** 32 octets in base64. */
const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/** Every parameter with a judged value, good and bad; nobody listens at any of the hosts. */
const POOL: { readonly [K in Keyword]?: readonly string[] } = {
  host: [
    "/nowhere",
    "/nowhere,/nowhere",
    "127.0.0.1",
    "127.0.0.1,/nowhere",
    "/nowhere,",
    `/${"d".repeat(100)}`,
  ],
  hostaddr: ["127.0.0.1", "127.0.0.1,127.0.0.1", "", "127.0.0.256", "127.1"],
  port: ["1", " 1 ", "1,1", "0", "65536", "x", "1x", "+1", "1,1,1"],
  user: ["u", ""],
  dbname: ["d", ""],
  password: ["p", ""],
  channel_binding: ["disable", "prefer", "require", "", "on", "Require"],
  connect_timeout: ["1", "", "x", "2147483648"],
  client_encoding: ["UTF8", "", "auto", "LATIN1"],
  application_name: ["a"],
  keepalives: ["1", "0", "", "x", " 1 "],
  keepalives_idle: ["1", "0", "-1", "", "x", "2147483648"],
  keepalives_interval: ["1", "0", "x"],
  keepalives_count: ["1", "0", "1.5"],
  tcp_user_timeout: ["1", "0", "x"],
  sslmode: [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
    "",
    "x",
    "Require",
  ],
  sslnegotiation: ["postgres", "direct", "", "Direct"],
  sslcompression: ["1", "x"],
  sslcert: ["/nowhere/c", ""],
  sslkey: ["/nowhere/k"],
  sslcertmode: ["disable", "allow", "require", "", "x"],
  sslrootcert: ["system", "/nowhere/r", ""],
  sslcrl: ["/nowhere/c"],
  sslsni: ["1", "0", "x", ""],
  require_auth: [
    "scram-sha-256",
    "md5,password",
    "!md5",
    "none",
    "!none",
    "",
    ",",
    "x",
    "md5,md5",
    "md5,!gss",
  ],
  min_protocol_version: ["3.0", "3.2", "latest", "", "3.1"],
  max_protocol_version: ["3.0", "3.2", "latest", "", "4.0"],
  ssl_min_protocol_version: ["TLSv1", "TLSv1.1", "tlsv1.2", "TLSv1.3", "", "SSLv3"],
  ssl_max_protocol_version: ["TLSv1", "TLSv1.2", "TLSV1.3", "", "x"],
  gssencmode: ["disable", "prefer", "require", "", "x"],
  krbsrvname: ["p", ""],
  gsslib: ["gssapi", "SSPI", "", "x"],
  gssdelegation: ["0", "1", "x"],
  replication: ["database", "x"],
  target_session_attrs: [
    "any",
    "read-write",
    "read-only",
    "primary",
    "standby",
    "prefer-standby",
    "",
    "x",
  ],
  load_balance_hosts: ["disable", "random", "", "x"],
  scram_client_key: [KEY, "x", "AAAA"],
  scram_server_key: [KEY, "x", "AAAA"],
  oauth_issuer: ["https://issuer.example", ""],
  requirepeer: [""],
};

interface Difference {
  readonly name: string;
  readonly reason: string;
  readonly example: ConnectionParameters;
  /** Who refuses. */
  readonly by: "us" | "libpq";
  /** The one platform whose system makes the difference. */
  readonly on?: string;
  /** Found in the message of who refuses. */
  readonly message: RegExp;
}

/** Where we differ from libpq on purpose. */
const DIFFERENCES: readonly Difference[] = [
  {
    name: "gssencmode=require is not refused here",
    reason: "this libpq was built without GSSAPI; whether there is a provider, connect() judges",
    example: { gssencmode: "require" },
    by: "libpq",
    message: /gssencmode value "require" invalid when GSSAPI support is not compiled in/,
  },
  {
    name: "0 and less leave keepalives and the user timeout to the system",
    reason: "the manual promises that, libpq hands the 0 to a system that refuses it",
    example: { host: "127.0.0.1", keepalives_idle: "0" },
    by: "libpq",
    on: "linux",
    message: /setsockopt\(TCP_[A-Z]+\) failed: Invalid argument/,
  },
  {
    name: "client_encoding must be UTF-8",
    reason: "text of a session is read and written as UTF-8 only",
    example: { client_encoding: "LATIN1" },
    by: "us",
    message: /^Cannot use client_encoding/,
  },
  {
    name: "channel_binding=require needs a require_auth that allows SCRAM",
    reason: "nothing else can be bound, so libpq would fail with every server",
    example: { channel_binding: "require", require_auth: "md5" },
    by: "us",
    message: /^Cannot use channel_binding "require" with require_auth/,
  },
  {
    name: "a SCRAM key needs the other one",
    reason: "without ServerKey the server is not verified, which is never left out here",
    example: { scram_client_key: KEY },
    by: "us",
    message: /^Cannot use scram_(client|server)_key alone/,
  },
  {
    name: "sslcert needs sslkey and the reverse",
    reason: "no default is looked for in the home directory",
    example: { sslcert: "/nowhere/c" },
    by: "us",
    message: /^Cannot use ssl(cert|key) alone/,
  },
  {
    name: "verify-full needs a name before anything is dialed",
    reason: "libpq finds out in the TLS handshake",
    example: { host: "", hostaddr: "127.0.0.1", sslmode: "verify-full" },
    by: "us",
    message: /needs its name in host$/,
  },
  {
    name: "whole numbers are judged at once",
    reason: "libpq judges them where it uses them, so never on a Unix socket",
    example: { keepalives_idle: "x" },
    by: "us",
    message:
      /^Cannot use (connect_timeout|keepalives|keepalives_\w+|tcp_user_timeout) ".*" *: it must be/s,
  },
  {
    name: "gsslib is one of its two words",
    reason: "libpq takes every other word for the default",
    example: { gsslib: "x" },
    by: "us",
    message: /^Cannot use gsslib/,
  },
  {
    name: "hostaddr has all four numbers of an IPv4 address",
    reason: "the short, octal and hexadecimal forms of inet_aton are a trap",
    example: { hostaddr: "127.1" },
    by: "us",
    message: /^Cannot use the hostaddr at place/,
  },
];

test(`resolveSettings() agrees with libpq on ${CASES} sets of parameters`, { skip }, () => {
  if (typeof libpq === "string") return;
  const prng = new Prng(SEED);
  let accepted = 0;
  for (let count = 0; count < CASES; count++) {
    const parameters = parametersOf(prng);
    const ours = ourMessage(parameters);
    const theirs: string = begin(parameters);
    if (theirs === "") accepted++;
    if ((ours === "") === (theirs === "")) continue;
    const where = `SEED=${SEED}, case ${count}: ${JSON.stringify(parameters)}`;
    const isKnown = DIFFERENCES.some(({ by, message }) =>
      by === "us" ? theirs === "" && message.test(ours) : ours === "" && message.test(theirs)
    );
    assert.ok(isKnown, `we say "${ours}", libpq says "${theirs}"; ${where}`);
  }
  assert.ok(accepted > CASES / 10 && accepted < CASES * 4 / 5, `${accepted} were accepted`);
});

test("every parameter is judged as libpq does if it stands alone", { skip }, () => {
  if (typeof libpq === "string") return;
  for (const [keyword, values] of Object.entries(POOL)) {
    for (const value of values) {
      const parameters = { [keyword]: value };
      const [ours, theirs] = [ourMessage(parameters), begin(parameters)];
      if ((ours === "") === (theirs === "")) continue;
      const isKnown = DIFFERENCES.some(({ message }) => message.test(ours) || message.test(theirs));
      assert.ok(isKnown, `${keyword} "${value}": we say "${ours}", libpq says "${theirs}"`);
    }
  }
});

for (const one of DIFFERENCES) {
  const isElsewhere = one.on !== undefined && one.on !== process.platform;
  test(`named difference: ${one.name}, as ${one.reason}`, {
    skip: isElsewhere ? `runs on ${one.on} only` : skip,
  }, () => {
    const [ours, theirs] = [ourMessage(one.example), begin(one.example)];
    const [refusal, other] = one.by === "us" ? [ours, theirs] : [theirs, ours];
    assert.match(refusal, one.message);
    assert.equal(other, "");
  });
}

function parametersOf(prng: Prng): ConnectionParameters {
  const parameters: { [K in Keyword]?: string } = {};
  for (let left = 1 + prng.below(4); left > 0; left--) {
    const keyword = prng.pick(Object.keys(POOL) as readonly Keyword[]);
    parameters[keyword] = prng.pick(POOL[keyword] ?? [""]);
  }
  return parameters;
}

/** Somewhere nobody listens: the default host might be a server. */
function complete(parameters: ConnectionParameters): ConnectionParameters {
  const host = parameters.hostaddr === undefined ? "/nowhere" : "";
  return { host, port: "1", ...parameters };
}

function ourMessage(parameters: ConnectionParameters): string {
  try {
    resolveSettings(complete(parameters), { user: "me", host: "/nowhere" });
    return "";
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

/** As a string, for in an array empty values count as not given. */
function begin(parameters: ConnectionParameters): string {
  if (typeof libpq === "string") return libpq;
  const options = { style: "keyword", withSecrets: true } as const;
  const text = formatConnectionString(complete(parameters), options);
  return libpq.begin([["dbname", text]], { HOME: "/nowhere", PGPORT: "1" });
}
