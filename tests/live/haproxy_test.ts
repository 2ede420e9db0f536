import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ping } from "../../src/connect/ping.ts";
import { ServerError } from "../../src/handshake/server_error.ts";
import { rejection } from "../connect/rejection.ts";
import { certificatePath } from "../support/certificates.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { PASSWORD, SCRAM_PASSWORD, startPostgres } from "../support/postgres.ts";
import { debianProgram, freePort, startIfPossible } from "../support/program.ts";
import {
  type Parameters,
  targetOf as targetFor,
  untilAsleep,
  valueOf,
  withSession,
} from "./session_with.ts";

/** A server with TLS, and what stands in front of it. */
const proxies = await startIfPossible(async () => {
  debianProgram("haproxy");
  const server = await startPostgres();
  const to = server.port;
  const [passing, terminating, samePair, otherPair, dead] = await Promise.all([
    startHaproxy({ to }),
    startHaproxy({ to, terminate: "server" }),
    startHaproxy({ to, terminate: "server", encryptAgain: true }),
    startHaproxy({ to, terminate: "server-ec", encryptAgain: true }),
    startHaproxy({ to: await freePort() }),
  ]);
  const all = { passing, terminating, samePair, otherPair, dead };
  return {
    ...all,
    server,
    async stop() {
      await Promise.all(Object.values(all).map((one) => one.stop()));
      await server.stop();
    },
  };
});
const { skip } = proxies;

type Front = "passing" | "terminating" | "samePair" | "otherPair" | "dead" | "server";

const VERIFIED = { sslmode: "verify-full", sslrootcert: certificatePath("ca.crt") };
const DIRECT = { ...VERIFIED, sslnegotiation: "direct" };
const BINDINGS = ["disable", "prefer", "require"] as const;
const USER_PASSWORDS: Readonly<Record<string, string>> = { scram_user: SCRAM_PASSWORD };

function targetOf(front: Front, user: string, parameters: Parameters): Parameters {
  const password = USER_PASSWORDS[user] ?? PASSWORD;
  return targetFor(proxies.get()[front], user, { password, ...parameters });
}

for (
  const [way, parameters] of [["SSLRequest", VERIFIED], ["direct TLS", DIRECT]] as const
) {
  test(`a proxy that passes octets on: ${way} is end to end, and binds the channel`, {
    skip,
  }, async () => {
    for (const channel_binding of BINDINGS) {
      const target = targetOf("passing", "scram_user", { ...parameters, channel_binding });
      await withSession(target, async (session) => {
        const { authentication, channel } = session;
        assert.deepEqual([authentication.method, authentication.channelBound], [
          "scram-sha-256",
          channel_binding !== "disable",
        ]);
        assert.deepEqual(channel.kind === "tls" && [channel.tls.verified, channel.tls.alpn], [
          "full",
          "postgresql",
        ]);
        const text = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
        assert.equal(await valueOf(session, text), "t");
      });
    }
  });
}

test("a proxy that passes octets on: plaintext, and the refusals of pg_hba.conf", {
  skip,
}, async () => {
  const plain = targetOf("passing", "scram_user", { sslmode: "disable" });
  assert.equal(await withSession(plain, ({ channel }) => channel.kind), "plain");
  const turned = targetOf("passing", "no_tls_user", { sslmode: "prefer" });
  await withSession(turned, ({ channel, report }) => {
    assert.deepEqual([channel.kind, report.attempts.length], ["plain", 2]);
  });
});

test("a cancel goes through a proxy", { skip }, async () => {
  for (const [front, parameters] of [["passing", VERIFIED], ["terminating", DIRECT]] as const) {
    await withSession(targetOf(front, "scram_user", parameters), async (session) => {
      const lost = session.query("select pg_sleep(60)");
      const refused = assert.rejects(lost, { code: "server-error", sqlState: "57014" });
      await untilAsleep(proxies.get().server, session.processId ?? 0);
      await session.cancel();
      await refused;
    });
  }
});

for (
  const [user, method] of [
    ["scram_user", "scram-sha-256"],
    ["password_user", "password"],
  ] as const
) {
  test(`a proxy that terminates TLS: ${method} goes unbound, and require is refused`, {
    skip,
  }, async () => {
    for (const channel_binding of ["disable", "prefer"]) {
      const target = targetOf("terminating", user, { ...DIRECT, channel_binding });
      await withSession(target, ({ authentication, channel }) => {
        assert.deepEqual([authentication.method, authentication.channelBound], [method, false]);
        assert.equal(channel.kind === "tls" && channel.tls.verified, "full");
      });
    }
    const target = targetOf("terminating", user, { ...DIRECT, channel_binding: "require" });
    const error = await rejection(connect(target));
    assert.deepEqual([error.code, error.phase], ["channel-binding", "authenticate"]);
  });
}

test("a proxy that terminates TLS: the server sees plaintext, and judges by that", {
  skip,
}, async () => {
  const text = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
  await withSession(targetOf("terminating", "no_tls_user", DIRECT), async (session) => {
    assert.equal(session.channel.kind, "tls");
    assert.equal(await valueOf(session, text), "f");
  });
  const error = await rejection(connect(targetOf("terminating", "tls_user", DIRECT)));
  assert.deepEqual([error.sqlState, error.attempts?.length], ["28000", 1]);
  assert.match(error.message, /no encryption/);
});

test("a proxy that terminates TLS is no server to those who do not begin with TLS", {
  skip,
}, async () => {
  for (
    const [sslmode, phase] of [
      ["disable", "start-up"],
      ["allow", "start-up"],
      ["prefer", "negotiate"],
      ["require", "negotiate"],
    ] as const
  ) {
    const error = await rejection(connect(targetOf("terminating", "scram_user", { sslmode })));
    assert.deepEqual([error.code, error.phase, error.attempts?.length], [
      "connection-lost",
      phase,
      1,
    ]);
    if (phase === "negotiate") assert.match(error.message, /sslnegotiation=direct/);
  }
});

test("a proxy with the server's own certificate that encrypts again is bound to, unseen", {
  skip,
}, async () => {
  // tls-server-end-point hashes the certificate: who holds its key is the server, as far as binding can tell.
  for (const channel_binding of BINDINGS) {
    const target = targetOf("samePair", "scram_user", { ...DIRECT, channel_binding });
    const bound = await withSession(target, ({ authentication }) => authentication.channelBound);
    assert.equal(bound, channel_binding !== "disable");
  }
});

test("a proxy with another certificate that encrypts again is found out by the binding", {
  skip,
}, async () => {
  const free = targetOf("otherPair", "scram_user", { ...DIRECT, channel_binding: "disable" });
  assert.equal(await withSession(free, ({ channel }) => channel.kind), "tls");
  for (const channel_binding of ["prefer", "require"]) {
    const target = targetOf("otherPair", "scram_user", { ...DIRECT, channel_binding });
    const error = await rejection(connect(target));
    assert.ok(error instanceof ServerError, String(error));
    assert.deepEqual([error.sqlState, error.phase, error.attempts?.length], [
      "28000",
      "authenticate",
      1,
    ]);
    assert.match(error.message, /channel binding check failed/);
  }
});

test("a proxy without a server behind it ends the connection, and the next host is taken", {
  skip,
}, async () => {
  const { dead, server } = proxies.get();
  for (const sslmode of ["disable", "allow", "prefer", "require"]) {
    const alone = await rejection(connect(targetOf("dead", "scram_user", { sslmode })));
    assert.deepEqual([alone.code, alone.attempts?.length], ["connection-lost", 1], sslmode);
    const port = `${dead.port},${server.port}`;
    const list = targetOf("dead", "scram_user", { sslmode, host: "127.0.0.1,127.0.0.1", port });
    await withSession(list, ({ report }) => {
      const told = report.attempts.map(({ port, error }) => [port, error?.code]);
      assert.deepEqual(told, [[dead.port, "connection-lost"], [server.port, undefined]], sslmode);
    });
  }
});

test("ping() through proxies", { skip }, async () => {
  const answer = (front: Front, parameters: Parameters) =>
    ping(targetOf(front, "scram_user", parameters));
  assert.equal(await answer("passing", {}), "ok");
  assert.equal(await answer("terminating", DIRECT), "ok");
  assert.equal(await answer("terminating", {}), "no-response");
  assert.equal(await answer("dead", {}), "no-response");
});
