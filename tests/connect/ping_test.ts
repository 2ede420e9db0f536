import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ping, type PingStatus } from "../../src/connect/ping.ts";
import { ConfigError, ConnectionError } from "../../src/errors.ts";
import type { Target } from "../../src/connect/options.ts";
import { dialFailure, nameFailure } from "../../src/transport/failures.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { join } from "../support/vectors.ts";
import { deferred, settled } from "./deferred.ts";
import {
  errorResponse,
  type FakeOptions,
  fakeServer,
  GREETING,
  LOCAL,
  type Play,
  TARGET,
  trust,
} from "./fake_server.ts";
import { fakeTimers, watchedSignal } from "./fake_time.ts";
import { reasonOf } from "./rejection.ts";
import { ScramServer } from "./scram_server.ts";

/** Everything a server could ask for, none of which may leave this process. */
const SECRETS = { password: "correct-horse", sslmode: "disable" } as const;
const KEYS = {
  scram_client_key: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
  scram_server_key: "HwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4=",
};

interface PingCase {
  readonly name: string;
  readonly status: PingStatus;
  readonly play?: Play;
  readonly target?: Readonly<Record<string, string>>;
  readonly server?: FakeOptions;
  /** The names of what was sent, on each connection. */
  readonly sent?: readonly (readonly string[])[];
}

const START = "StartupMessage";
const said = (...messages: readonly (BackendMessage | Uint8Array)[]): Play => async (peer) => {
  await peer.packet();
  await peer.send(...messages);
  await peer.end();
};
const refuse = (sqlState: string): Play => said(errorResponse(sqlState, "no"));

const CASES: readonly PingCase[] = [
  { name: "lets everybody in", status: "ok", play: trust, sent: [[START]] },
  {
    name: "asks for a cleartext password",
    status: "ok",
    play: said({ type: "AuthenticationCleartextPassword" }),
    sent: [[START]],
  },
  {
    name: "asks for an MD5 password",
    status: "ok",
    play: said({ type: "AuthenticationMD5Password", salt: new Uint8Array(4) }),
    sent: [[START]],
  },
  {
    name: "asks for SCRAM",
    status: "ok",
    play: async (peer) => {
      await peer.packet();
      await new ScramServer(peer, { password: SECRETS.password }).first();
    },
    sent: [[START, "SASLInitialResponse"]],
  },
  {
    name: "asks for SCRAM, with keys in the target",
    status: "ok",
    target: KEYS,
    play: async (peer) => {
      await peer.packet();
      await new ScramServer(peer, { password: SECRETS.password }).first();
    },
    sent: [[START, "SASLInitialResponse"]],
  },
  {
    name: "asks for what require_auth forbids",
    status: "ok",
    target: { require_auth: "scram-sha-256" },
    play: said({ type: "AuthenticationCleartextPassword" }),
  },
  {
    name: "asks for a method nobody speaks",
    status: "ok",
    play: said({ type: "AuthenticationKerberosV5" }),
  },
  ...["28000", "28P01", "3D000", "53300", "42501", "XX000"].map((sqlState): PingCase => ({
    name: `refuses with ${sqlState}`,
    status: "ok",
    play: refuse(sqlState),
  })),
  { name: "says 57P03", status: "reject", play: refuse("57P03"), sent: [[START]] },
  {
    name: "says 57P03 on the last of two hosts",
    status: "reject",
    target: { host: "192.0.2.1,192.0.2.2" },
    play: (peer, connection) => connection === 0 ? peer.end() : refuse("57P03")(peer, connection),
  },
  {
    name: "says 57P03 on the first of two hosts, and lets everybody in on the second",
    status: "ok",
    target: { host: "192.0.2.1,192.0.2.2" },
    play: (peer, connection) => (connection === 0 ? refuse("57P03") : trust)(peer, connection),
  },
  {
    name: "says 57P03 on the first of two hosts, and nothing on the second",
    status: "no-response",
    target: { host: "192.0.2.1,192.0.2.2" },
    play: (peer, connection) => connection === 0 ? refuse("57P03")(peer, connection) : peer.end(),
  },
  // libpq: whatever the server says once an authentication message came, it is up.
  {
    name: "says 57P03 after AuthenticationOk",
    status: "ok",
    play: said({ type: "AuthenticationOk" }, errorResponse("57P03", "shutting down")),
  },
  {
    name: "ends after AuthenticationOk",
    status: "ok",
    play: said({ type: "AuthenticationOk" }),
  },
  {
    name: "is a standby where a primary is wanted",
    status: "ok",
    target: { target_session_attrs: "primary" },
    play: said(
      ...GREETING.slice(0, -1),
      { type: "ParameterStatus", name: "in_hot_standby", value: "on" },
      { type: "ReadyForQuery", status: "I" },
    ),
    sent: [[START]],
  },
  { name: "ends at once", status: "no-response", play: (peer) => peer.end() },
  { name: "is not PostgreSQL", status: "no-response", play: said(new Uint8Array([0x48, 0x54])) },
  {
    name: "has no TLS where it is required",
    status: "no-response",
    target: { sslmode: "require" },
    play: said(Uint8Array.of(0x4e)),
  },
  {
    name: "answers SSLRequest with an error",
    status: "no-response",
    target: { sslmode: "require" },
    play: refuse("53300"),
  },
  {
    name: "breaks the TLS handshake",
    status: "no-response",
    target: { sslmode: "require" },
    play: said(Uint8Array.of(0x53)),
    server: {
      tls: () => {
        throw new ConnectionError("tls-failed", "handshake failure", { phase: "tls" });
      },
    },
  },
  {
    name: "is not there",
    status: "no-response",
    server: {
      onDial: (address) => {
        throw dialFailure(address, { code: "ECONNREFUSED" });
      },
    },
  },
  {
    name: "has a name that does not resolve",
    status: "no-response",
    target: { host: "db.test" },
    server: { resolve: (host) => Promise.reject(nameFailure(host, { code: "ENOTFOUND" })) },
  },
  {
    name: "may not be dialed",
    status: "no-attempt",
    server: {
      onDial: () => {
        throw new ConfigError("Deno needs the permission", { code: "missing-permission" });
      },
    },
  },
];

for (const { name, status, play = trust, target = {}, server: options, sent } of CASES) {
  test(`ping() of a server that ${name} is "${status}", and no secret leaves`, async () => {
    const timers = fakeTimers();
    try {
      const server = fakeServer(play, options);
      const watched = watchedSignal();
      const pinged = await ping({ ...TARGET, ...SECRETS, ...target }, {
        adapter: server.adapter,
        signal: watched.signal,
      });
      assert.equal(pinged, status);
      await server.done();
      for (const names of server.sent()) {
        for (const secret of ["PasswordMessage", "SASLResponse", "Query"]) {
          assert.equal(names.includes(secret), false, names.join());
        }
      }
      const octets = join(...server.peers.flatMap((peer) => peer.octets));
      assert.equal(new TextDecoder("latin1").decode(octets).includes(SECRETS.password), false);
      if (sent !== undefined) {
        // Saying good-bye is courtesy and none of the answer.
        const names = server.sent().map((one) => one.filter((word) => word !== "Terminate"));
        assert.deepEqual(names, sent);
      }
      assert.equal(watched.listeners, 0);
      assert.equal(timers.pending, 0);
    } finally {
      timers.restore();
    }
  });
}

test("ping() on this machine, where cleartext would be allowed, sends none", async () => {
  const server = fakeServer(said({ type: "AuthenticationCleartextPassword" }));
  assert.equal(await ping({ ...LOCAL, ...SECRETS }, { adapter: server.adapter }), "ok");
  await server.done();
  assert.deepEqual(server.sent(), [[START]]);
});

test("ping() of a server that never answers is no-response once connect_timeout has passed", async () => {
  const timers = fakeTimers();
  try {
    const server = fakeServer(async (peer) => {
      await peer.packet();
      void settled().then(() => timers.fire());
    });
    const target = { ...TARGET, ...SECRETS, connect_timeout: 3 };
    assert.equal(await ping(target, { adapter: server.adapter }), "no-response");
    assert.deepEqual(timers.delays, [3000]);
    assert.equal(timers.pending, 0);
    await server.done();
  } finally {
    timers.restore();
  }
});

const WRONG: readonly { readonly name: string; readonly target: Target }[] = [
  { name: "a port that is none", target: { ...TARGET, port: 70_000 } },
  { name: "an sslmode that is none", target: { ...TARGET, sslmode: "always" } },
  { name: "a keyword that is none", target: "host=192.0.2.1 user=app colour=blue" },
  { name: "a URI that is none", target: "postgres://[::1" },
  { name: "what nothing can honour", target: { ...TARGET, gssencmode: "require" } },
  {
    name: "a root certificate that is missing",
    target: { ...TARGET, sslmode: "verify-ca", sslrootcert: "/nowhere/root.crt" },
  },
];

for (const { name, target } of WRONG) {
  test(`ping() with ${name} is no-attempt, and nothing is dialed`, async () => {
    const server = fakeServer(trust, { resolve: () => assert.fail("resolved") });
    assert.equal(await ping(target, { adapter: server.adapter }), "no-attempt");
    assert.equal(server.dials.length, 0);
  });
}

test("ping() throws when its signal was aborted before it began", async () => {
  const server = fakeServer(trust);
  const error = await reasonOf(
    ping(TARGET, { adapter: server.adapter, signal: AbortSignal.abort() }),
  );
  assert.ok(error instanceof ConnectionError);
  assert.equal(error.code, "aborted");
  assert.equal(server.dials.length, 0);
});

for (
  const [name, reason, code] of [
    ["aborted", new Error("no longer wanted"), "aborted"],
    ["past its deadline", new DOMException("too late", "TimeoutError"), "timeout"],
  ] as const
) {
  test(`ping() throws when its signal is ${name} in the middle, and releases the socket`, async () => {
    const reached = deferred();
    const server = fakeServer(async (peer) => {
      await peer.packet();
      reached.resolve();
    });
    const watched = watchedSignal();
    const pinging = reasonOf(
      ping({ ...TARGET, ...SECRETS }, { adapter: server.adapter, signal: watched.signal }),
    );
    await reached.promise;
    watched.abort(reason);
    const error = await pinging;
    assert.ok(error instanceof ConnectionError);
    assert.equal(error.code, code);
    await server.done();
    assert.equal(watched.listeners, 0);
  });
}

test("ping() tells its events", async () => {
  const server = fakeServer(refuse("57P03"));
  const types: string[] = [];
  await ping({ ...TARGET, ...SECRETS }, {
    adapter: server.adapter,
    onEvent: ({ type }) => types.push(type),
  });
  assert.deepEqual(types.filter((type) => type !== "message"), ["attempt", "dialed", "failed"]);
});
