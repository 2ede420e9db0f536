import "../support/guard.ts";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ping } from "../../src/connect/ping.ts";
import { ConnectionError } from "../../src/errors.ts";
import { ServerError } from "../../src/handshake/server_error.ts";
import { rejection } from "../connect/rejection.ts";
import { certificatePath } from "../support/certificates.ts";
import { pgBouncerNegotiates, startPgBouncer } from "../support/pgbouncer.ts";
import { PASSWORD, startPostgres } from "../support/postgres.ts";
import { debianProgram, freePort, type Program, startIfPossible } from "../support/program.ts";
import { type Parameters, untilAsleep, valueOf, withSession } from "./session_with.ts";

type AuthType = "trust" | "plain" | "md5" | "scram-sha-256";

/** What the pooler's setting makes it ask for. */
const METHODS: readonly (readonly [AuthType, string])[] = [
  ["trust", "none"],
  ["plain", "password"],
  ["md5", "md5"],
  ["scram-sha-256", "scram-sha-256"],
];
const md5 = createHash("md5").update(`${PASSWORD}hashed`).digest("hex");
/** Whom the pooler lets in; it is one and the same role to the server behind. */
const USERS = { app_user: PASSWORD, hashed: `md5${md5}`, trust_user: PASSWORD };

const poolers = await startIfPossible(async () => {
  debianProgram("pgbouncer");
  const server = await startPostgres({ tls: false });
  const databases = {
    app: `host=127.0.0.1 port=${server.port} dbname=app user=trust_user`,
    nowhere: `host=127.0.0.1 port=${server.port} dbname=nowhere user=trust_user`,
    // A database the server has as well, so that it can take over.
    postgres: `host=127.0.0.1 port=${await freePort()} dbname=postgres user=trust_user`,
  };
  const started = await Promise.all(
    METHODS.map(([authType]) => startPgBouncer({ authType, users: USERS, databases })),
  );
  const [strict, plain] = await Promise.all(
    (["require", "disable"] as const).map((tls) =>
      startPgBouncer({ authType: "md5", users: USERS, databases, tls })
    ),
  );
  const all = { server, started, strict: strict as Program, plain: plain as Program };
  return {
    ...all,
    async stop() {
      await Promise.all([...started, all.strict, all.plain].map((one) => one.stop()));
      await server.stop();
    },
  };
});
const { skip } = poolers;

function poolerOf(authType: AuthType): Program {
  const { started } = poolers.get();
  const found = started[METHODS.findIndex(([one]) => one === authType)];
  if (found === undefined) throw new Error(`Cannot find a pooler with "${authType}"`);
  return found;
}

function targetOf({ port }: { readonly port: number }, parameters: Parameters = {}): Parameters {
  return {
    host: "127.0.0.1",
    port: String(port),
    user: "app_user",
    password: PASSWORD,
    dbname: "app",
    ...parameters,
  };
}

const VERIFIED = { sslmode: "verify-full", sslrootcert: certificatePath("ca.crt") };

for (const [authType, method] of METHODS) {
  for (
    const [channel, parameters] of [
      ["plain", { sslmode: "disable" }],
      ["plain", { sslmode: "allow" }],
      ["tls", { sslmode: "prefer" }],
      ["tls", VERIFIED],
    ] as const
  ) {
    test(
      `PgBouncer with ${authType} and sslmode=${parameters.sslmode}: a session over ${channel}`,
      {
        skip,
      },
      async () => {
        const target = targetOf(poolerOf(authType), parameters);
        await withSession(target, async (session) => {
          assert.equal(session.channel.kind, channel);
          const { authentication } = session;
          assert.deepEqual([authentication.method, authentication.channelBound], [method, false]);
          assert.equal(session.protocolVersion, "3.0");
          assert.equal(session.serverVersion.number >= 180_000, true);
          assert.equal(await valueOf(session, "select current_user"), "trust_user");
          assert.equal(session.report.attempts.length, 1);
        });
      },
    );
  }

  test(`PgBouncer with ${authType}: channel_binding=require is refused before the password`, {
    skip,
  }, async () => {
    const pooler = poolerOf(authType);
    const error = await rejection(
      connect(targetOf(pooler, { ...VERIFIED, channel_binding: "require" })),
    );
    assert.deepEqual([error.code, error.phase], ["channel-binding", "authenticate"]);
  });

  test(`PgBouncer with ${authType} asked for protocol 3.2 says 3.0, or the error says what to do`, {
    skip,
  }, async () => {
    const pooler = poolerOf(authType);
    const target = targetOf(pooler, { max_protocol_version: "3.2" });
    if (pgBouncerNegotiates(pooler)) {
      assert.equal(await withSession(target, ({ protocolVersion }) => protocolVersion), "3.0");
      return;
    }
    const error = await rejection(connect(target));
    assert.ok(error instanceof ServerError, String(error));
    const { sqlState, phase, attempts } = error;
    assert.deepEqual([sqlState, phase, attempts?.length], ["08P01", "start-up", 1]);
    assert.match(error.message, /max_protocol_version=3\.0/);
  });

  test(`PgBouncer with ${authType} asked for direct TLS gives it, or an error after one attempt`, {
    skip,
  }, async () => {
    const direct = { ...VERIFIED, sslnegotiation: "direct", connect_timeout: "5" };
    const target = targetOf(poolerOf(authType), direct);
    try {
      const alpn = await withSession(
        target,
        ({ channel }) => channel.kind === "tls" && channel.tls.alpn,
      );
      assert.equal(alpn, "postgresql");
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      // Releases that do not know it answer in plaintext, or not at all.
      assert.ok(["tls-failed", "timeout"].includes(error.code), String(error));
      assert.deepEqual([error.phase, error.attempts?.length], ["tls", 1]);
    }
  });

  test(`PgBouncer with ${authType} tells what is wrong with a database`, { skip }, async () => {
    for (
      const [dbname, text] of [
        ["unknown", /no such database: unknown/],
        ["nowhere", /database "nowhere" does not exist/],
      ] as const
    ) {
      const error = await rejection(connect(targetOf(poolerOf(authType), { dbname })));
      assert.ok(error instanceof ServerError, String(error));
      assert.deepEqual([error.sqlState, error.attempts?.length], ["08P01", 1]);
      assert.match(error.message, text);
      // User and password are right here; advice that blames only them would mislead.
      assert.doesNotMatch(error.message, /Check user and password:/);
    }
  });
}

for (
  const [authType, text] of [
    ["plain", "password authentication failed"],
    ["md5", "password authentication failed"],
    ["scram-sha-256", "SASL authentication failed"],
  ] as const
) {
  test(`PgBouncer with ${authType} refuses a wrong password with 08P01, once, over TLS only`, {
    skip,
  }, async () => {
    for (const parameters of [{ password: "wrong" }, { user: "nobody" }]) {
      // Under prefer a plaintext attempt could follow; it would show the password to everybody.
      const error = await rejection(connect(targetOf(poolerOf(authType), parameters)));
      assert.ok(error instanceof ServerError, String(error));
      assert.deepEqual([error.sqlState, error.phase], ["08P01", "authenticate"]);
      assert.equal(error.fields.message, text);
      assert.match(error.message, /^\S+ authentication failed\. Check user.* password/);
      assert.deepEqual(error.attempts?.map(({ encryption }) => encryption), ["ssl-request"]);
    }
  });

  test(`ping() says ok to PgBouncer with ${authType}, and sends no password`, {
    skip,
  }, async () => {
    const pooler = poolerOf(authType);
    const before = pooler.log().length;
    assert.equal(await ping(targetOf(pooler, { password: "wrong" })), "ok");
    // One that is sent gets into the log, behind what the ping has caused.
    await rejection(connect(targetOf(pooler, { password: "wrong", user: "hashed" })));
    await pooler.logged(/\/hashed@\S+ closing because: \S+ authentication failed/);
    assert.doesNotMatch(
      pooler.log().slice(before),
      /\/app_user@\S+ closing because: \S+ authentication failed/,
    );
  });
}

test("PgBouncer takes a password it has only as an MD5 hash", { skip }, async () => {
  for (const authType of ["plain", "md5"] as const) {
    await withSession(targetOf(poolerOf(authType), { user: "hashed" }), async (session) => {
      assert.equal(await valueOf(session, "select 1"), "1");
    });
  }
  await assert.rejects(connect(targetOf(poolerOf("scram-sha-256"), { user: "hashed" })), {
    code: "server-error",
    sqlState: "08P01",
  });
});

test("target_session_attrs works through PgBouncer", {
  skip,
}, async () => {
  const pooler = poolerOf("md5");
  for (const attrs of ["read-write", "primary"]) {
    await withSession(targetOf(pooler, { target_session_attrs: attrs }), async (session) => {
      assert.equal(await valueOf(session, "select pg_is_in_recovery()"), "f");
    });
  }
  for (const attrs of ["read-only", "standby"]) {
    await assert.rejects(connect(targetOf(pooler, { target_session_attrs: attrs })), {
      code: "session-attrs",
    });
  }
});

test("a query through PgBouncer is cancelled by the pooler's own key", { skip }, async () => {
  const { server } = poolers.get();
  for (const sslmode of ["disable", "require"]) {
    await withSession(targetOf(poolerOf("scram-sha-256"), { sslmode }), async (session) => {
      const behind = Number(await valueOf(session, "select pg_backend_pid()"));
      const lost = session.query("select pg_sleep(60)");
      const refused = assert.rejects(lost, { code: "server-error", sqlState: "57014" });
      await untilAsleep(server, behind);
      await session.cancel();
      await refused;
      assert.equal(await valueOf(session, "select 2"), "2");
    });
  }
});

test("a pooler that waits for its server runs into connect_timeout, and the next host is taken", {
  skip,
}, async () => {
  const { server } = poolers.get();
  const pooler = poolerOf("scram-sha-256");
  const down = { dbname: "postgres", user: "trust_user", connect_timeout: "2" };
  const error = await rejection(connect(targetOf(pooler, down)));
  assert.deepEqual([error.code, error.phase], ["timeout", "authenticate"]);
  const list = { ...down, host: "127.0.0.1,127.0.0.1", port: `${pooler.port},${server.port}` };
  await withSession(targetOf(pooler, list), ({ report }) => {
    const told = report.attempts.map(({ port, error }) => [port, error?.code]);
    assert.deepEqual(told, [[pooler.port, "timeout"], [server.port, undefined]]);
  });
});

test("a pooler that is not there is passed over", { skip }, async () => {
  const pooler = poolerOf("scram-sha-256");
  const unused = await freePort();
  const list = { host: "127.0.0.1,127.0.0.1", port: `${unused},${pooler.port}` };
  await withSession(targetOf(pooler, list), ({ report }) => {
    const told = report.attempts.map(({ port, error }) => [port, error?.code]);
    assert.deepEqual(told, [[unused, "dial-failed"], [pooler.port, undefined]]);
  });
});

test("PgBouncer that requires TLS", { skip }, async () => {
  const { strict } = poolers.get();
  for (const sslmode of ["prefer", "require"]) {
    await withSession(targetOf(strict, { sslmode }), ({ channel }) => {
      assert.equal(channel.kind, "tls");
    });
  }
  // Its SQLSTATE is not 28000, the only one that allow takes for a refusal of plaintext.
  for (const sslmode of ["disable", "allow"]) {
    const error = await rejection(connect(targetOf(strict, { sslmode })));
    assert.deepEqual([error.sqlState, error.message], ["08P01", "SSL required"]);
  }
});

test("PgBouncer without TLS", { skip }, async () => {
  const { plain } = poolers.get();
  for (const sslmode of ["disable", "allow", "prefer"]) {
    await withSession(targetOf(plain, { sslmode }), ({ channel, report }) => {
      assert.deepEqual([channel.kind, report.attempts.length], ["plain", 1]);
    });
  }
  await assert.rejects(connect(targetOf(plain, { sslmode: "require" })), { code: "tls-refused" });
});
