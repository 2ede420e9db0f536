import "../support/guard.ts";
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { GssConnect, GssResult } from "../gss/client.ts";
import { runConnects, waysHere } from "../gss/run_client.ts";
import { type Kdc, REALM, startKdc } from "../support/kdc.ts";
import { PASSWORD, type PostgresServer, startPostgres } from "../support/postgres.ts";
import { freePort, type Started, startIfPossible } from "../support/program.ts";
import { startSspiRelay } from "../support/sspi_relay.ts";

const kdc = await startIfPossible(startKdc);
/** Debian's: authentication and encryption. */
const full = await startGssServer(15, [
  "hostgssenc all alice 127.0.0.1/32 gss include_realm=0",
  "hostnogssenc all alice 127.0.0.1/32 gss include_realm=0",
  "hostgssenc all password_user 127.0.0.1/32 password",
  "hostnogssenc all bob 127.0.0.1/32 trust",
]);
/** npm's: authentication alone, and an error in place of an answer to GSSENCRequest. */
const old = await startGssServer(10, [
  "host all alice 127.0.0.1/32 gss include_realm=0",
  "host all bob 127.0.0.1/32 trust",
]);

async function startGssServer(
  version: 15 | 10,
  hba: readonly string[],
): Promise<Started<PostgresServer>> {
  if (kdc.skip !== false) return { skip: kdc.skip, get: () => assert.fail(String(kdc.skip)) };
  const { configuration, keytab } = kdc.get();
  return await startIfPossible(() =>
    startPostgres({
      version,
      hba,
      settings: { krb_server_keyfile: keytab },
      environment: { KRB5_CONFIG: configuration },
      sql: ["create role alice login", "create role bob login"],
    })
  );
}

const skip = kdc.skip || full.skip || old.skip;

function target(
  server: PostgresServer,
  more: Readonly<Record<string, string>> = {},
): GssConnect["target"] {
  return {
    host: "localhost",
    hostaddr: "127.0.0.1",
    port: String(server.port),
    user: "alice",
    dbname: "postgres",
    sslmode: "disable",
    ...more,
  };
}

function assertFailed(result: GssResult | undefined, code: string, text: RegExp): void {
  assert.equal(result?.error?.code, code, JSON.stringify(result));
  assert.match(result?.error?.message ?? "", text);
}

/** Kerberos keeps the words for an error by thread, and Deno's and koffi's threads change. */
const NO_TICKET = /No Kerberos credentials available|Matching credential not found|No credentials/;

for (const way of waysHere()) {
  const run = (
    environment: Readonly<Record<string, string>>,
    ...connects: readonly GssConnect[]
  ): Promise<readonly GssResult[]> => runConnects({ way }, environment, connects);
  const withTicket = async (realm: Kdc = kdc.get()): Promise<Readonly<Record<string, string>>> =>
    realm.environment(await realm.ticket("alice"));

  test(`${way}: AuthenticationGSS against PostgreSQL 15 and 10`, { skip }, async () => {
    const results = await run(
      await withTicket(),
      { target: target(full.get(), { gssencmode: "disable", require_auth: "gss" }), then: "query" },
      { target: target(old.get(), { gssencmode: "disable", require_auth: "gss" }) },
    );
    const [first, second] = results;
    assert.deepEqual([first?.method, first?.channel?.kind, first?.said], [
      "gss",
      "plain",
      `t alice@${REALM} f t true`,
    ], JSON.stringify(results));
    assert.deepEqual([second?.method, second?.said], ["gss", "alice"], JSON.stringify(results));
  });

  test(`${way}: AuthenticationSSPI is answered with SPNEGO`, { skip }, async () => {
    const relay = await startSspiRelay(full.get().port);
    try {
      const port = String(relay.port);
      const [result] = await run(await withTicket(), {
        target: target(full.get(), { port, gssencmode: "disable", require_auth: "sspi" }),
      });
      assert.deepEqual([result?.method, result?.said], ["sspi", "alice"], JSON.stringify(result));
    } finally {
      await relay.stop();
    }
  });

  test(
    `${way}: GSSAPI encryption, long texts both ways, and a cancel over it`,
    { skip },
    async () => {
      const environment = await withTicket();
      const results = await run(
        environment,
        { target: target(full.get(), { gssencmode: "require" }), then: "query" },
        { target: target(full.get(), { sslmode: "verify-full", sslrootcert: "system" }) },
        { target: target(full.get(), { gssencmode: "require", gssdelegation: "1" }) },
        {
          target: target(full.get(), { gssencmode: "require", require_auth: "gss" }),
          then: "cancel",
        },
        {
          target: target(full.get(), { gssencmode: "require", user: "password_user" }),
          password: PASSWORD,
        },
      );
      const [long, preferred, delegated, cancelled, password] = results;
      const channel = (given: boolean): unknown => ({
        kind: "gss",
        local: true,
        gss: { service: "postgres@localhost", delegated: given },
      });
      const all = JSON.stringify(results);
      assert.deepEqual(
        [long?.channel, long?.said],
        [channel(false), `t alice@${REALM} t t true`],
        all,
      );
      assert.deepEqual([preferred?.channel, preferred?.said], [channel(false), "alice"], all);
      assert.deepEqual([delegated?.channel, delegated?.method], [channel(true), "gss"], all);
      assert.match(cancelled?.said ?? "", /canceling statement due to user request/, all);
      assert.deepEqual([password?.method, password?.said], ["password", "password_user"], all);
    },
  );

  test(`${way}: a server without GSSAPI encryption`, { skip }, async () => {
    const results = await run(
      await withTicket(),
      { target: target(old.get()) },
      { target: target(old.get(), { gssencmode: "require" }) },
    );
    assert.deepEqual(results[0]?.attempts, ["gss-request", "plain"], JSON.stringify(results));
    assert.equal(results[0]?.method, "gss");
    assertFailed(results[1], "gss-refused", /answered GSSENCRequest with an error/);
  });

  test(`${way}: names that Kerberos, or the server, does not know`, { skip }, async () => {
    const [unknown, unknownEncrypted, foreign, foreignEncrypted] = await run(
      await withTicket(),
      { target: target(full.get(), { gssencmode: "disable", krbsrvname: "nobody" }) },
      { target: target(full.get(), { gssencmode: "require", krbsrvname: "nobody" }) },
      { target: target(full.get(), { gssencmode: "disable", krbsrvname: "other" }) },
      { target: target(full.get(), { gssencmode: "require", krbsrvname: "other" }) },
    );
    assertFailed(unknown, "gss-failed", /nobody@localhost.*not found in Kerberos database/);
    assert.equal(unknown?.error?.phase, "authenticate");
    assertFailed(
      unknownEncrypted,
      "gss-failed",
      /nobody@localhost.*not found in Kerberos database/,
    );
    assert.equal(unknownEncrypted?.error?.phase, "gss");
    // The server's library says so in a token of its own.
    assertFailed(foreign, "gss-failed", /ticket isn't for us|Wrong principal/);
    assert.ok(["gss-failed", "connection-lost"].includes(foreignEncrypted?.error?.code ?? ""));
  });

  test(`${way}: no ticket`, { skip }, async () => {
    const [authentication, encryption, preferred] = await run(
      kdc.get().environment("FILE:/nowhere/tickets"),
      { target: target(full.get(), { gssencmode: "disable" }) },
      { target: target(full.get(), { gssencmode: "require" }) },
      { target: target(full.get(), { user: "bob" }) },
    );
    assertFailed(authentication, "gss-failed", NO_TICKET);
    assertFailed(encryption, "gss-failed", NO_TICKET);
    assert.deepEqual([preferred?.attempts, preferred?.said], [["plain"], "bob"]);
  });

  test(`${way}: an expired ticket`, { skip }, async () => {
    const realm = kdc.get();
    const environment = realm.environment(await realm.ticket("alice", "1s"));
    await delay(2_100);
    const [authentication, encryption] = await run(
      environment,
      { target: target(full.get(), { gssencmode: "disable" }) },
      { target: target(full.get(), { gssencmode: "require" }) },
    );
    assertFailed(authentication, "gss-failed", /expired/i);
    assertFailed(encryption, "gss-failed", /expired/i);
  });

  test(
    `${way}: a KDC that does not answer: the loop runs, the deadline holds`,
    { skip },
    async () => {
      const realm = kdc.get();
      const tickets = await realm.ticket("alice");
      const silent = await startSilentKdc();
      try {
        const environment = {
          ...realm.environment(tickets),
          KRB5_CONFIG: realm.elsewhere(silent.port),
        };
        const [authentication, encryption, other] = await run(
          environment,
          { target: target(full.get(), { gssencmode: "disable" }), deadlineMs: 600 },
          { target: target(full.get(), { gssencmode: "require" }), deadlineMs: 600 },
          // Nobody waits for those that wait.
          { target: target(full.get(), { gssencmode: "disable", user: "bob" }) },
        );
        assert.deepEqual([authentication?.error?.code, authentication?.error?.phase], [
          "timeout",
          "authenticate",
        ]);
        assert.deepEqual([encryption?.error?.code, encryption?.error?.phase], ["timeout", "gss"]);
        assert.ok((authentication?.ticks ?? 0) > 2, `${authentication?.ticks} ticks`);
        assert.ok((encryption?.ticks ?? 0) > 2, `${encryption?.ticks} ticks`);
        assert.equal(other?.said, "bob", JSON.stringify(other));
        assert.ok(silent.asked(), "nobody asked the KDC");
      } finally {
        await silent.stop();
      }
    },
  );

  test(`${way}: a library that is not there`, { skip }, async () => {
    const [result] = await runConnects(
      { way, library: "/nowhere/libgssapi_krb5.so.2" },
      {},
      [{ target: target(full.get(), { gssencmode: "disable" }) }],
    );
    assertFailed(
      result,
      "unsupported-setting",
      /Cannot load the Kerberos library "\/nowhere\/libgssapi_krb5\.so\.2".*option "library"/,
    );
  });
}

const isDeno = "Deno" in globalThis;
/** What the client itself needs, besides Kerberos and the server. */
const OWN = ["--allow-read", "--allow-run"];

test("Deno: the README's permissions are enough, and a missing one is named", {
  skip: skip || (!isDeno && "runs on Deno only"),
}, async () => {
  const realm = kdc.get();
  const environment = realm.environment(await realm.ticket("alice"));
  const connects = [{ target: target(full.get(), { gssencmode: "require" }) }];
  const net = `--allow-net=127.0.0.1:${full.get().port}`;
  const way = "deno" as const;
  const [granted] = await runConnects({ way }, environment, connects, [...OWN, net, "--allow-ffi"]);
  assert.equal(granted?.said, "alice", JSON.stringify(granted));
  for (const scoped of ["", "--allow-ffi=libgssapi_krb5.so.2"]) {
    const flags = [...OWN, net, ...(scoped === "" ? [] : [scoped])];
    const [denied] = await runConnects({ way }, environment, connects, flags);
    assertFailed(denied, "missing-permission", /Deno needs the permission "--allow-ffi"/);
  }
});

interface SilentKdc {
  readonly port: number;
  asked(): boolean;
  stop(): Promise<void>;
}

/** Takes every question, by datagram and by stream, and answers none. */
async function startSilentKdc(): Promise<SilentKdc> {
  const port = await freePort();
  let asked = false;
  const datagrams = createSocket("udp4", () => asked = true);
  const streams = createServer((socket) => {
    socket.on("data", () => asked = true);
    socket.on("error", () => {});
    held.add(socket);
  });
  const held = new Set<{ destroy(): void }>();
  await new Promise<void>((resolve) => datagrams.bind(port, "127.0.0.1", resolve));
  await new Promise<void>((resolve) => streams.listen(port, "127.0.0.1", resolve));
  return {
    port,
    asked: () => asked,
    async stop() {
      for (const socket of held) socket.destroy();
      await new Promise<void>((resolve) => datagrams.close(() => resolve()));
      await new Promise<void>((resolve) => streams.close(() => resolve()));
    },
  };
}
