import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ping } from "../../src/connect/ping.ts";
import { PASSWORD } from "../support/postgres.ts";
import { freePort, startIfPossible } from "../support/program.ts";
import { startScripted } from "../support/servers.ts";
import { startPrimary, startStandby } from "../support/standby.ts";
import { type Parameters, targetOf } from "./session_with.ts";

/** One that runs, one that is in recovery and lets nobody in. */
const servers = await startIfPossible(async () => {
  const running = await startPrimary(18, true);
  const starting = await startStandby(running, false);
  return {
    running,
    starting,
    async stop() {
      await starting.stop();
      await running.stop();
    },
  };
});
const { skip } = servers;
const unused = await freePort();

function list(...ports: readonly number[]): Parameters {
  return { host: ports.map(() => "127.0.0.1").join(","), port: ports.join(",") };
}

for (
  const [user, why] of [
    ["trust_user", "lets us in"],
    ["scram_user", "asks for a password by SCRAM"],
    ["md5_user", "asks for a password by MD5"],
    ["password_user", "asks for a password in the clear"],
    ["reject_user", "is told to reject the role"],
    ["tls_user", "lets the role in over TLS only"],
    ["limit_user", "has no room for the role"],
    ["nologin_user", "does not let the role log in"],
    ["unheard_of", "does not know the role"],
  ] as const
) {
  test(`ping() says ok to a server that ${why}`, { skip }, async () => {
    const { running } = servers.get();
    for (const sslmode of ["disable", "allow", "prefer"]) {
      const target = targetOf(running, user, { sslmode, password: "wrong" });
      assert.equal(await ping(target), "ok", sslmode);
    }
  });
}

test("ping() says ok for a database that does not exist", { skip }, async () => {
  const target = targetOf(servers.get().running, "trust_user", { dbname: "nowhere" });
  assert.equal(await ping(target), "ok");
});

test("ping() sends no password, right or wrong", { skip }, async () => {
  const { running } = servers.get();
  const before = running.log().length;
  for (const user of ["scram_user", "md5_user", "password_user"]) {
    for (const password of ["wrong", PASSWORD]) await ping(targetOf(running, user, { password }));
  }
  await running.sql("DO $$ BEGIN RAISE LOG 'after the pings'; END $$");
  await running.logged(/after the pings/);
  const log = running.log().slice(before);
  assert.doesNotMatch(log, /password authentication failed/);
  assert.doesNotMatch(log, /connection auth\S+: .*(scram_user|md5_user|password_user)/);
  assert.match(log, /connection received: host=127\.0\.0\.1/);
});

test("ping() says reject to a server that does not accept connections yet", {
  skip,
}, async () => {
  const { starting } = servers.get();
  for (const sslmode of ["disable", "prefer"]) {
    assert.equal(await ping(targetOf(starting, "trust_user", { sslmode })), "reject");
  }
});

test("ping() says no-response where nobody listens, or no such name is known", {
  skip,
}, async () => {
  assert.equal(await ping(targetOf({ port: unused }, "trust_user")), "no-response");
  const { running } = servers.get();
  const unknown = targetOf(running, "trust_user", { host: "db.test" });
  assert.equal(await ping(unknown, { resolve: () => Promise.resolve([]) }), "no-response");
  const nowhere = targetOf(running, "trust_user", { host: `${running.socketDirectory}/nowhere` });
  assert.equal(await ping(nowhere), "no-response");
});

test("ping() says ok over a Unix socket", { skip }, async () => {
  const { running } = servers.get();
  const host = running.socketDirectory;
  assert.equal(await ping(targetOf(running, "scram_user", { host })), "ok");
});

test("ping() says no-response where something else than PostgreSQL answers", async () => {
  const http = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
  const octets = new TextEncoder().encode(http);
  const server = await startScripted([{ send: octets }, { wait: true }]);
  try {
    for (const sslmode of ["disable", "prefer", "require"]) {
      assert.equal(await ping(targetOf(server, "trust_user", { sslmode })), "no-response");
    }
  } finally {
    await server.close();
  }
});

test("ping() says no-response where nothing is answered in time", async () => {
  const server = await startScripted([{ wait: true }]);
  try {
    const target = targetOf(server, "trust_user", { connect_timeout: "1", sslmode: "disable" });
    assert.equal(await ping(target), "no-response");
  } finally {
    await server.close();
  }
});

test("ping() says no-attempt to settings that are wrong", async () => {
  const target = targetOf({ port: unused }, "trust_user");
  for (
    const wrong of [
      { sslmode: "nonsense" },
      { sslmode: "verify-full", sslrootcert: "/nowhere/root.crt" },
      { target_session_attrs: "nonsense" },
      { port: "http" },
    ]
  ) {
    assert.equal(await ping({ ...target, ...wrong }), "no-attempt", JSON.stringify(wrong));
  }
});

test("ping() goes on to the next host as connect() does", { skip }, async () => {
  const { running, starting } = servers.get();
  const answer = (...ports: readonly number[]) =>
    ping({ ...targetOf(running, "scram_user"), ...list(...ports) });
  assert.equal(await answer(unused, starting.port, running.port), "ok");
  assert.equal(await answer(unused, starting.port), "reject");
});

test("the last attempt counts: N to SSLRequest after a refusal is no-response, as in libpq", {
  skip,
}, async () => {
  const server = await startPrimary(18);
  try {
    // pqDropServerData forgets the SQLSTATE of the attempt before, so PQping forgets that somebody was there.
    const target = targetOf(server, "reject_user", { sslmode: "allow" });
    assert.equal(await ping(target), "no-response");
    assert.equal(await ping({ ...target, sslmode: "prefer" }), "ok");
  } finally {
    await server.stop();
  }
});

test("ping() of a server that has stopped says no-response", { skip }, async () => {
  const server = await startPrimary(18);
  const target = targetOf(server, "trust_user");
  try {
    assert.equal(await ping(target), "ok");
  } finally {
    await server.stop();
  }
  assert.equal(await ping(target), "no-response");
});
