import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import { certificateDer, certificatePath } from "../support/certificates.ts";
import { type Script, type ScriptedServer, startScripted } from "../support/servers.ts";
import { join } from "../support/vectors.ts";
import { GREETING } from "./fake_server.ts";
import { connectRejection, refusal } from "./rejection.ts";

const CA = certificatePath("ca.crt");
const LET_IN = { send: join(...GREETING.map(encodeBackend)) };
const SSL_REQUEST = 8;

/** Real sockets, real TLS; whoever asks in plaintext is let in, so that a wrong fallback is seen. */
function scriptFor(certificate: string, direct: boolean): (connection: number) => Script {
  return () =>
    direct ? [{ tls: certificate }, { expect: "packet" }, LET_IN, { wait: true }] : [
      { expect: SSL_REQUEST },
      { send: "53" },
      { tls: certificate },
      { expect: "packet" },
      LET_IN,
      { wait: true },
    ];
}

async function withServer(
  script: Script | ((connection: number) => Script),
  use: (server: ScriptedServer) => Promise<void>,
): Promise<void> {
  const server = await startScripted(script);
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

interface Row {
  readonly certificate: string;
  /** What the client believes the server's name to be; it is dialed at 127.0.0.1 all the same. */
  readonly host: string;
  readonly ca: string;
  readonly full: string;
}

const OK = "a session";

/** What verify-ca and verify-full make of each certificate (libpq: fe-secure-openssl.c, fe-secure-common.c). */
const ROWS: readonly Row[] = [
  { certificate: "server", host: "localhost", ca: OK, full: OK },
  { certificate: "server", host: "db.test", ca: OK, full: OK },
  { certificate: "server", host: "127.0.0.1", ca: OK, full: OK },
  { certificate: "server", host: "DB.Test", ca: OK, full: OK },
  { certificate: "server", host: "other.test", ca: OK, full: "certificate-name" },
  { certificate: "server", host: "127.0.0.2", ca: OK, full: "certificate-name" },
  { certificate: "wildcard", host: "a.db.test", ca: OK, full: OK },
  { certificate: "wildcard", host: "a.b.db.test", ca: OK, full: "certificate-name" },
  { certificate: "wildcard", host: "db.test", ca: OK, full: "certificate-name" },
  { certificate: "wrong-name", host: "localhost", ca: OK, full: "certificate-name" },
  { certificate: "cn-only", host: "localhost", ca: OK, full: OK },
  { certificate: "ip-cn", host: "127.0.0.1", ca: OK, full: OK },
  { certificate: "chain", host: "localhost", ca: OK, full: OK },
  { certificate: "server-ec", host: "localhost", ca: OK, full: OK },
  {
    certificate: "expired",
    host: "localhost",
    ca: "certificate-untrusted",
    full: "certificate-untrusted",
  },
  {
    certificate: "not-yet",
    host: "localhost",
    ca: "certificate-untrusted",
    full: "certificate-untrusted",
  },
  {
    certificate: "selfsigned",
    host: "localhost",
    ca: "certificate-untrusted",
    full: "certificate-untrusted",
  },
  {
    certificate: "other-server",
    host: "localhost",
    ca: "certificate-untrusted",
    full: "certificate-untrusted",
  },
];

for (const { certificate, host, ca, full } of ROWS) {
  for (const [sslmode, expected] of [["verify-ca", ca], ["verify-full", full]] as const) {
    for (const negotiation of ["postgres", "direct"] as const) {
      test(`${sslmode}, sslnegotiation=${negotiation}: certificate "${certificate}" for ${host} gives ${expected}`, async () => {
        await withServer(
          scriptFor(certificate, negotiation === "direct"),
          async ({ port, received }) => {
            const connecting = connect({
              host,
              hostaddr: "127.0.0.1",
              port,
              user: "app",
              sslmode,
              sslnegotiation: negotiation,
              sslrootcert: CA,
            });
            if (expected !== OK) {
              assert.deepEqual(await refusal(connecting), { code: expected, phase: "tls" });
              const before = negotiation === "direct" ? 0 : SSL_REQUEST;
              assert.deepEqual(received().map(({ length }) => length > before), [false]);
              return;
            }
            const session = await connecting;
            assert.ok(session.channel.kind === "tls");
            const { tls } = session.channel;
            assert.equal(tls.verified, sslmode === "verify-full" ? "full" : "ca");
            assert.equal(tls.alpn, "postgresql");
            assert.deepEqual(tls.serverCertificate, certificateDer(`${certificate}.crt`));
            await session.close();
          },
        );
      });
    }
  }
}

for (const sslmode of ["prefer", "require"]) {
  for (const certificate of ["selfsigned", "expired", "other-server", "wrong-name"]) {
    test(`${sslmode} without roots takes certificate "${certificate}" as it is`, async () => {
      await withServer(scriptFor(certificate, false), async ({ port }) => {
        const session = await connect({ host: "127.0.0.1", port, user: "app", sslmode });
        assert.equal(session.channel.kind === "tls" && session.channel.tls.verified, "none");
        await session.close();
      });
    });
  }

  test(`${sslmode} with roots verifies, and never goes on in plaintext`, async () => {
    await withServer(
      (connection) =>
        connection === 0
          ? scriptFor("other-server", false)(connection)
          : [{ expect: "packet" }, LET_IN],
      async ({ port, received }) => {
        const failed = await refusal(
          connect({ host: "127.0.0.1", port, user: "app", sslmode, sslrootcert: CA }),
        );
        assert.deepEqual(failed, { code: "certificate-untrusted", phase: "tls" });
        assert.equal(received().length, 1);
      },
    );
  });
}

test("prefer goes on in plaintext where the server says S and speaks no TLS", async () => {
  await withServer(
    (connection) =>
      connection === 0
        ? [{ expect: SSL_REQUEST }, { send: "53" }, { expect: 1 }, { send: "15030100020228" }]
        : [{ expect: "packet" }, LET_IN, { wait: true }],
    async ({ port }) => {
      const session = await connect({ host: "127.0.0.1", port, user: "app", sslmode: "prefer" });
      assert.deepEqual(
        session.report.attempts.map(({ encryption, error }) => [encryption, error?.code]),
        [
          ["ssl-request", "tls-failed"],
          ["plain", undefined],
        ],
      );
      await session.close();
    },
  );
});

test("require does not", async () => {
  await withServer([{ expect: SSL_REQUEST }, { send: "53" }, { expect: 1 }], async ({ port }) => {
    const failed = await refusal(
      connect({ host: "127.0.0.1", port, user: "app", sslmode: "require" }),
    );
    assert.deepEqual(failed, { code: "tls-failed", phase: "tls" });
  });
});

test("direct TLS with a server that knows SSLRequest only is an error of TLS", async () => {
  await withServer([{ expect: 4 }], async ({ port }) => {
    const target = { host: "127.0.0.1", port, user: "app", sslmode: "require" } as const;
    const failed = await refusal(connect({ ...target, sslnegotiation: "direct" }));
    assert.deepEqual(failed, { code: "tls-failed", phase: "tls" });
  });
});

test("direct TLS whose server selects no application protocol ends before StartupMessage", async () => {
  const script: Script = [{ tls: "server", alpn: [] }, { expect: "packet" }, LET_IN];
  await withServer(script, async ({ port, received }) => {
    const target = { host: "127.0.0.1", port, user: "app", sslmode: "require" } as const;
    const failed = await refusal(connect({ ...target, sslnegotiation: "direct" }));
    assert.deepEqual(failed, { code: "alpn-missing", phase: "tls" });
    assert.equal(received()[0]?.length, 0);
  });
});

test("several hosts: what the real sockets say is told for each", async () => {
  await withServer([{ expect: "packet" }, { reset: true }], async ({ port }) => {
    const closed = await startScripted([]);
    await closed.close();
    const error = await connectRejection(connect({
      host: "127.0.0.1,127.0.0.1",
      port: `${closed.port},${port}`,
      user: "app",
      sslmode: "disable",
    }));
    assert.deepEqual(error.errors.map(({ code }) => code), ["dial-failed", "connection-lost"]);
    assert.match(error.message, /Connection refused/);
  });
});
