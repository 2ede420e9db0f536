import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ConnectionError } from "../../src/errors.ts";
import { certificateText } from "../support/certificates.ts";
import { deferred } from "./deferred.ts";
import { join } from "../support/vectors.ts";
import {
  errorResponse,
  fakeServer,
  forwarding,
  goodTls,
  GREETING,
  LOCAL,
  type Play,
  TARGET,
} from "./fake_server.ts";
import { connectRejection, refusal, rejection } from "./rejection.ts";

const SSL = "SSLRequest";
const START = "StartupMessage";
const REQUEST = { type: "AuthenticationCleartextPassword" } as const;

/** Says S to SSLRequest, then goes on with a StartupMessage; `then` plays what follows it. */
function tlsThen(then: Play): Play {
  return async (peer, connection) => {
    if ((await peer.packet()).type === "SSLRequest") {
      await peer.send(Uint8Array.of(0x53));
      await peer.packet();
    }
    await then(peer, connection);
  };
}

const refuse = (sqlState: string): Play => async (peer) => {
  await peer.send(errorResponse(sqlState, "refused"));
  await peer.end();
};

const refusePassword: Play = async (peer) => {
  await peer.send(REQUEST);
  await peer.message("password");
  await peer.send(errorResponse("28P01", 'password authentication failed for user "app"'));
  await peer.end();
};

for (const sslmode of ["prefer", "allow"] as const) {
  test(`a refused password is never tried again on another channel under ${sslmode}`, async () => {
    const server = fakeServer(tlsThen(refusePassword));
    const error = await rejection(
      connect({ ...LOCAL, sslmode, password: "secret" }, { adapter: server.adapter }),
    );
    assert.equal(error.sqlState, "28P01");
    await server.done();
    assert.equal(server.sent().length, 1);
  });

  test(`a 28P01 before any request is not taken for a matter of encryption under ${sslmode}`, async () => {
    const server = fakeServer(tlsThen(refuse("28P01")));
    const error = await rejection(connect({ ...TARGET, sslmode }, { adapter: server.adapter }));
    assert.equal(error.sqlState, "28P01");
    await server.done();
    assert.equal(server.sent().length, 1);
  });

  test(`a 28000 of pg_hba.conf leads to the other channel under ${sslmode}`, async () => {
    const server = fakeServer(tlsThen(async (peer, connection) => {
      if (connection === 0) await refuse("28000")(peer, connection);
      else await peer.send(...GREETING);
    }));
    const session = await connect({ ...TARGET, sslmode }, { adapter: server.adapter });
    assert.equal(session.channel.kind, sslmode === "allow" ? "tls" : "plain");
    assert.deepEqual(
      session.report.attempts.map(({ encryption, phase, error }) => [
        encryption,
        phase,
        error?.sqlState,
      ]),
      sslmode === "allow"
        ? [["plain", "start-up", "28000"], ["ssl-request", "ready", undefined]]
        : [["ssl-request", "start-up", "28000"], ["plain", "ready", undefined]],
    );
    await session.close();
    await server.done();
  });

  test(`a 28000 after a password was sent ends everything under ${sslmode}`, async () => {
    const server = fakeServer(tlsThen(async (peer, connection) => {
      await peer.send(REQUEST);
      await peer.message("password");
      await refuse("28000")(peer, connection);
    }));
    await rejection(
      connect({ ...LOCAL, sslmode, password: "secret" }, { adapter: server.adapter }),
    );
    await server.done();
    assert.equal(server.sent().length, 1);
  });
}

for (const sslmode of ["disable", "require", "verify-ca", "verify-full"] as const) {
  test(`a 28000 of pg_hba.conf changes nothing under ${sslmode}`, async () => {
    const server = fakeServer(tlsThen(refuse("28000")));
    const roots = sslmode.startsWith("verify") ? { sslrootcert: certificateText("ca.crt") } : {};
    const error = await rejection(
      connect({ ...TARGET, host: "localhost", sslmode, ...roots }, { adapter: server.adapter }),
    );
    assert.equal(error.sqlState, "28000");
    await server.done();
    assert.equal(server.sent().length, 1);
  });
}

for (
  const sqlState of [
    "28000",
    "3D000",
    "42501",
    "42704",
    "53300",
    "55000",
    "57P03",
    "57P01",
  ]
) {
  test(`a ${sqlState} after AuthenticationOk is final, even with another host left`, async () => {
    const server = fakeServer(tlsThen(async (peer) => {
      await peer.send({ type: "AuthenticationOk" }, errorResponse(sqlState, "no"));
      await peer.end();
    }));
    const target = { ...TARGET, host: "192.0.2.1,192.0.2.2", port: "5432" };
    const error = await rejection(connect(target, { adapter: server.adapter }));
    assert.deepEqual([error.code, error.sqlState, error.phase], [
      "server-error",
      sqlState,
      "prepare",
    ]);
    await server.done();
    assert.equal(server.sent().length, 1);
  });
}

test("after N the same plaintext is not tried a second time", async () => {
  const server = fakeServer(async (peer, connection) => {
    await peer.packet();
    await peer.send(Uint8Array.of(0x4e));
    await peer.packet();
    await refuse("28000")(peer, connection);
  });
  await rejection(connect({ ...TARGET, sslmode: "prefer" }, { adapter: server.adapter }));
  await server.done();
  assert.deepEqual(server.sent(), [[SSL, START]]);
});

for (
  const code of ["certificate-untrusted", "certificate-name", "alpn-missing"] as const
) {
  test(`${code} never leads to plaintext`, async () => {
    const server = fakeServer(tlsThen((peer) => peer.send(...GREETING)), {
      tls: () => {
        throw new ConnectionError(code, "not the server that was meant", { phase: "tls" });
      },
    });
    const target = { ...TARGET, sslmode: "prefer", sslrootcert: certificateText("ca.crt") };
    const failed = await refusal(connect(target, { adapter: server.adapter }));
    assert.deepEqual(failed, { code, phase: "tls" });
    await server.done();
    assert.deepEqual(server.sent(), [[SSL]]);
  });
}

test("a chain that was not verified as asked is refused by us, whatever the adapter says", async () => {
  const server = fakeServer(tlsThen((peer) => peer.send(...GREETING)), {
    tls: (request) => ({ ...goodTls(request), verified: "none" }),
  });
  const target = { ...TARGET, sslmode: "prefer", sslrootcert: certificateText("ca.crt") };
  const failed = await refusal(connect(target, { adapter: server.adapter }));
  assert.deepEqual(failed, { code: "certificate-untrusted", phase: "tls" });
  await server.done();
  assert.deepEqual(server.sent(), [[SSL]]);
});

test("prefer tries plaintext once after a broken handshake, and tells of both failures", async () => {
  const server = fakeServer(tlsThen(refuse("28000")), {
    tls: () => {
      throw new ConnectionError("tls-failed", "handshake failure", { phase: "tls" });
    },
  });
  const error = await connectRejection(
    connect({ ...TARGET, sslmode: "prefer" }, { adapter: server.adapter }),
  );
  await server.done();
  assert.deepEqual(server.sent(), [[SSL], [START]]);
  assert.deepEqual(error.errors.map(({ code }) => code), ["tls-failed", "server-error"]);
});

test("a TLS failure after a password was sent leads nowhere", async () => {
  const server = fakeServer(
    tlsThen(async (peer) => {
      await peer.send(REQUEST);
      await peer.message("password");
      peer.break();
    }),
    {
      wrap: (transport) => ({
        ...forwarding(transport),
        async read() {
          const octets = await transport.read();
          if (octets !== undefined) return octets;
          throw new ConnectionError("tls-failed", "bad record mac", { phase: "tls" });
        },
      }),
    },
  );
  const target = { ...TARGET, sslmode: "prefer", password: "secret" };
  const failed = await refusal(connect(target, { adapter: server.adapter }));
  assert.equal(failed.code, "tls-failed");
  await server.done();
  assert.equal(server.sent().length, 1);
});

for (const answer of ["S", "N"] as const) {
  for (const sslmode of ["prefer", "require"] as const) {
    test(`an octet behind ${answer} in the same chunk ends everything under ${sslmode}`, async () => {
      const octet = new TextEncoder().encode(answer);
      const server = fakeServer(async (peer) => {
        if ((await peer.packet()).type === "SSLRequest") await peer.send(join(octet, octet));
        else await peer.send(...GREETING);
      });
      const failed = await refusal(connect({ ...TARGET, sslmode }, { adapter: server.adapter }));
      assert.deepEqual(failed, { code: "protocol-violation", phase: "negotiate" });
      await server.done();
      assert.deepEqual(server.sent(), [[SSL]]);
    });
  }
}

for (const sslmode of ["prefer", "require"] as const) {
  // Behind N such octets cannot be told from an early answer to StartupMessage.
  test(`octets that arrive between S and the handshake end everything under ${sslmode}`, async () => {
    const surplus = deferred();
    const server = fakeServer(async (peer) => {
      if ((await peer.packet()).type !== "SSLRequest") return await peer.send(...GREETING);
      await peer.send(Uint8Array.of(0x53));
      await peer.send(Uint8Array.of(0x53));
      surplus.resolve();
    }, {
      wrap: (transport) => ({
        ...forwarding(transport),
        async startTls(request) {
          await surplus.promise;
          return await transport.startTls(request);
        },
      }),
    });
    await refusal(connect({ ...TARGET, sslmode }, { adapter: server.adapter }));
    await server.done();
    assert.deepEqual(server.sent(), [[SSL]]);
  });
}

test("an alert after the handshake ends the connection under prefer, nothing goes in plaintext", async () => {
  const server = fakeServer(tlsThen(async (peer) => await peer.end()), {
    wrap: (transport) => {
      const alerting = forwarding(transport);
      let secured = false;
      return {
        ...alerting,
        endpoint: transport.endpoint,
        startTls: async (request) => {
          const facts = await transport.startTls(request);
          secured = true;
          return facts;
        },
        read: async () => {
          if (!secured) return await transport.read();
          throw new ConnectionError("tls-failed", "alert certificate required", { phase: "tls" });
        },
      };
    },
  });
  const error = await rejection(
    connect({ ...TARGET, sslmode: "prefer" }, { adapter: server.adapter }),
  );
  assert.equal(error.code, "tls-failed");
  assert.deepEqual(server.sent(), [[SSL, START]]);
});
