import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ServerError } from "../../src/handshake/server_error.ts";
import { PgHandshakeError } from "../../src/errors.ts";
import { liveServers } from "../support/live.ts";
import { PASSWORD, POSTGRES_VERSIONS, SCRAM_PASSWORD, startPostgres } from "../support/postgres.ts";
import { connectRejection, rejection } from "../connect/rejection.ts";
import { type Parameters, targetOf, withSession } from "./session_with.ts";

const live = await liveServers();

interface Row {
  readonly name: string;
  readonly user: string;
  readonly parameters: Parameters;
  readonly sqlState: string;
  readonly phase: string;
  readonly text: RegExp;
}

const ROWS: readonly Row[] = [
  ...["password_user", "md5_user", "scram_user"].map((user) => ({
    name: `a wrong password of ${user}`,
    user,
    parameters: { password: "wrong" },
    sqlState: "28P01",
    phase: "authenticate",
    text: new RegExp(`password authentication failed for user "${user}"`),
  })),
  {
    name: "a role that pg_hba.conf rejects",
    user: "reject_user",
    parameters: { password: PASSWORD },
    sqlState: "28000",
    phase: "start-up",
    text: /pg_hba\.conf rejects connection/,
  },
  {
    name: "a role that pg_hba.conf does not know",
    user: "nobody",
    parameters: {},
    sqlState: "28000",
    phase: "start-up",
    text: /no pg_hba\.conf entry/,
  },
  {
    name: "a role that may not log in",
    user: "nologin_user",
    parameters: {},
    sqlState: "28000",
    phase: "prepare",
    text: /is not permitted to log in/,
  },
  {
    name: "a role with too many sessions",
    user: "limit_user",
    parameters: {},
    sqlState: "53300",
    phase: "prepare",
    text: /too many connections for role "limit_user"/,
  },
  {
    name: "a database that accepts no connections",
    user: "trust_user",
    parameters: { dbname: "closed_db" },
    sqlState: "55000",
    phase: "prepare",
    text: /database "closed_db" is not currently accepting connections/,
  },
  {
    name: "a database that does not exist",
    user: "trust_user",
    parameters: { dbname: "nowhere" },
    sqlState: "3D000",
    phase: "prepare",
    text: /database "nowhere" does not exist/,
  },
  {
    name: "a setting that does not exist",
    user: "trust_user",
    parameters: { options: "-c nonsense=1" },
    sqlState: "42704",
    phase: "prepare",
    text: /unrecognized configuration parameter "nonsense"/,
  },
  {
    name: "a setting with an impossible value",
    user: "trust_user",
    parameters: { options: "-c work_mem=lots" },
    sqlState: "22023",
    phase: "prepare",
    text: /invalid value for parameter "work_mem"/,
  },
];

for (const version of POSTGRES_VERSIONS) {
  for (const { name, user, parameters, sqlState, phase, text } of ROWS) {
    test(`PostgreSQL ${version} refuses ${name} with ${sqlState}`, {
      skip: live.skip(version),
    }, async () => {
      for (const sslmode of ["disable", "require"]) {
        const target = targetOf(live.get(version), user, { sslmode, ...parameters });
        const error = await rejection(withSession(target, () => undefined));
        assert.ok(error instanceof ServerError, String(error));
        assert.deepEqual([error.sqlState, error.phase, error.severity], [sqlState, phase, "FATAL"]);
        assert.match(error.message, text);
        assert.equal(error.attempts?.length, 1);
        assert.equal(error.fields.routine !== undefined, true);
      }
    });
  }
}

test("under prefer, what pg_hba.conf rejects is told for both channels", {
  skip: live.skip(18),
}, async () => {
  const error = await connectRejection(
    withSession(targetOf(live.get(18), "reject_user"), () => undefined),
  );
  assert.deepEqual(error.attempts.map(({ encryption }) => encryption), ["ssl-request", "plain"]);
  assert.equal(error.sqlState, "28000");
  assert.match(error.message, /SSL encryption.*\n.*no encryption/);
});

test("under prefer, a wrong password is refused once and never sent in plaintext", {
  skip: live.skip(18),
}, async () => {
  const target = targetOf(live.get(18), "scram_user", { password: "wrong" });
  const error = await rejection(withSession(target, () => undefined));
  assert.deepEqual([error.sqlState, error.attempts?.length], ["28P01", 1]);
});

test("a server that asks everybody: an unknown role looks like a wrong password", {
  skip: live.skip(18),
}, async () => {
  const server = await startPostgres({
    tls: false,
    hba: ["host all all 127.0.0.1/32 scram-sha-256"],
  });
  try {
    const refused = (user: string) =>
      rejection(withSession(targetOf(server, user, { password: "wrong" }), () => undefined));
    const [unknown, known] = [await refused("nobody"), await refused("scram_user")];
    assert.deepEqual([unknown.sqlState, unknown.phase], ["28P01", "authenticate"]);
    assert.equal(unknown.message.replace("nobody", "scram_user"), known.message);
  } finally {
    await server.stop();
  }
});

test("a server without TLS: prefer goes on in plaintext, require does not, direct TLS fails", {
  skip: live.skip(18),
}, async () => {
  const server = await startPostgres({ tls: false });
  try {
    const target = targetOf(server, "scram_user", { password: SCRAM_PASSWORD });
    const kind = (more: Parameters) =>
      withSession({ ...target, ...more }, ({ channel, report }) => [
        channel.kind,
        report.attempts.length,
      ]);
    assert.deepEqual(await kind({ sslmode: "prefer" }), ["plain", 1]);
    await assert.rejects(kind({ sslmode: "require" }), {
      code: "tls-refused",
      phase: "negotiate",
      message: /^server does not support SSL, but SSL was required/,
    });
    await assert.rejects(kind({ sslmode: "require", sslnegotiation: "direct" }), {
      code: "tls-failed",
    });
  } finally {
    await server.stop();
  }
});

test("no server at all is an error in libpq's words", { skip: live.skip(18) }, async () => {
  const server = live.get(18);
  const missing = { host: `${server.socketDirectory}/nowhere` };
  const error = await rejection(
    withSession(targetOf(server, "trust_user", missing), () => undefined),
  );
  assert.ok(error instanceof PgHandshakeError);
  assert.equal(error.code, "dial-failed");
  assert.match(error.message, /No such file or directory.*Is the server running locally/s);
});
