import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import {
  ConfigError,
  ConnectionError,
  MessageFormatError,
  type PgHandshakeError,
} from "../../src/errors.ts";
import { ServerError } from "../../src/handshake/server_error.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import {
  errorResponse,
  fakeServer,
  forwarding,
  GREETING,
  LOCAL,
  type Play,
  TARGET,
  trust,
} from "./fake_server.ts";
import { connectRejection, reasonOf, refusal, rejection } from "./rejection.ts";

const PLAIN = { ...LOCAL, sslmode: "disable", password: "pencil" } as const;

async function failure(play: Play): Promise<PgHandshakeError> {
  const server = fakeServer(play);
  const error = await rejection(connect(PLAIN, { adapter: server.adapter }));
  await server.done();
  return error;
}

test("one attempt that fails throws its own error, with the attempt on it", async () => {
  const error = await failure(async (peer) => {
    await peer.packet();
    await peer.send(errorResponse("53300", "sorry, too many clients already"));
  });
  assert.ok(error instanceof ServerError);
  assert.deepEqual([error.code, error.sqlState, error.phase], [
    "server-error",
    "53300",
    "start-up",
  ]);
  const [attempt, ...others] = error.attempts ?? [];
  assert.equal(others.length, 0);
  assert.ok(attempt !== undefined && attempt.durationMs >= 0);
  assert.deepEqual({ ...attempt, durationMs: 0 }, {
    host: "127.0.0.1",
    address: "127.0.0.1",
    port: 5432,
    encryption: "plain",
    phase: "start-up",
    durationMs: 0,
    error,
  });
  assert.ok(!Object.keys(error).includes("attempts"), "printing the error would go in circles");
});

test("several attempts that fail throw an error that tells of all, in libpq's words", async () => {
  const server = fakeServer(async (peer) => {
    await peer.packet();
    await peer.send(errorResponse("57P03", "the database system is starting up"));
  }, {
    resolve: (host) =>
      host === "b.test" ? Promise.resolve(["192.0.2.2", "2001:db8::2"]) : Promise.reject(
        new ConnectionError("name-not-found", `no "${host}"`, { phase: "resolve" }),
      ),
    onDial: (address) => {
      if (address.kind === "tcp" && address.host === "192.0.2.2") {
        throw new ConnectionError("dial-failed", "Connection refused");
      }
    },
  });
  const error = await connectRejection(
    connect({ ...PLAIN, host: "a.test,b.test,/run/pg", port: "5432,5433,5434" }, {
      adapter: server.adapter,
    }),
  );
  assert.equal(
    error.message,
    [
      'connection to server at "a.test", port 5432 failed: no "a.test"',
      'connection to server at "b.test" (192.0.2.2), port 5433 failed: Connection refused',
      'connection to server at "b.test" (2001:db8::2), port 5433 failed: FATAL:  the database system is starting up',
      'connection to server on socket "/run/pg/.s.PGSQL.5434" failed: FATAL:  the database system is starting up',
    ].join("\n"),
  );
  assert.ok(error instanceof AggregateError);
  assert.equal(error.cause, error.errors.at(-1));
  assert.deepEqual([error.code, error.sqlState, error.phase], [
    "server-error",
    "57P03",
    "start-up",
  ]);
  assert.deepEqual(error.attempts.map(({ error }) => error), error.errors);
  assert.deepEqual(error.attempts.map(({ phase }) => phase), [
    "resolve",
    "dial",
    "start-up",
    "start-up",
  ]);
});

test("settings that are wrong are an error before anything is dialed or looked up", async () => {
  for (
    const [target, keyword] of [
      [{ ...TARGET, sslmode: "on" }, "sslmode"],
      [{ ...TARGET, port: 65536 }, "port"],
      [{ ...TARGET, port: "5x" }, "port"],
      [{ ...TARGET, user: "a\0b" }, "user"],
      [{ ...TARGET, dbname: {} as unknown as string }, "dbname"],
      [{ ...TARGET, connect_timeout: 1.5 }, "connect_timeout"],
      [{ ...TARGET, options: "x".repeat(10_000) }, undefined],
      ["host=a.test user=x nonsense=1", "nonsense"],
      ["postgres://app@a.test/?sslmode=verify", "sslmode"],
    ] as const
  ) {
    const server = fakeServer(trust, { resolve: () => assert.fail("it looked a name up") });
    const error = await rejection(connect(target, { adapter: server.adapter }));
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.phase, "settings");
    if (keyword !== "nonsense") assert.equal(error.keyword, keyword);
    assert.equal(server.dials.length, 0);
  }
});

test("of two errors in a row the first is told", async () => {
  const error = await failure(async (peer) => {
    await peer.packet();
    await peer.send(
      { type: "AuthenticationOk" },
      errorResponse("3D000", 'database "shop" does not exist'),
      errorResponse("XX000", "unable to read data from DB node"),
    );
  });
  assert.deepEqual([error.sqlState, error.phase], ["3D000", "prepare"]);
});

test("the text of an error that comes in place of TLS is not shown", async () => {
  const server = fakeServer(async (peer) => {
    await peer.packet();
    await peer.send(errorResponse("28000", "send your password to evil.test"));
  });
  const error = await reasonOf(
    connect({ ...PLAIN, sslmode: "require" }, { adapter: server.adapter }),
  );
  assert.ok(error instanceof ConnectionError);
  assert.equal(error.code, "tls-refused");
  assert.doesNotMatch(error.message, /evil/);
  assert.doesNotMatch(JSON.stringify(error), /evil/);
});

test("a server that says no and closes while we write is heard", async () => {
  const server = fakeServer(async (peer) => {
    await peer.send(errorResponse("53300", "sorry, too many clients already"));
    await peer.end();
  }, {
    wrap: (transport) => ({
      ...forwarding(transport),
      write: () => Promise.reject(new ConnectionError("connection-lost", "Broken pipe")),
    }),
  });
  const error = await rejection(connect(PLAIN, { adapter: server.adapter }));
  assert.deepEqual([error.code, error.sqlState, error.phase], [
    "server-error",
    "53300",
    "start-up",
  ]);
  await server.done();
});

test("a write that fails without a last word is connection-lost where it happened", async () => {
  const server = fakeServer((peer) => peer.end(), {
    wrap: (transport) => ({
      ...forwarding(transport),
      write: () => Promise.reject(new ConnectionError("connection-lost", "Broken pipe")),
    }),
  });
  const failed = await refusal(connect(PLAIN, { adapter: server.adapter }));
  assert.deepEqual(failed, { code: "connection-lost", phase: "start-up" });
  await server.done();
});

test("octets that are no message name the message and the phase", async () => {
  const error = await failure(async (peer) => {
    await peer.packet();
    await peer.send({ type: "AuthenticationOk" }, Uint8Array.of(0x53, 0, 0, 0, 5, 0x41));
  });
  assert.ok(error instanceof MessageFormatError);
  assert.deepEqual([error.messageName, error.phase], ["ParameterStatus", "prepare"]);
});

test("messages cut into single octets give the same session", async () => {
  const server = fakeServer(async (peer) => {
    await peer.packet();
    for (const message of GREETING) {
      for (const octet of encodeBackend(message)) await peer.send(Uint8Array.of(octet));
    }
  });
  const session = await connect(PLAIN, { adapter: server.adapter });
  assert.equal(session.serverVersion.number, 180006);
  await session.close();
});

test("an error that is none of ours goes through as it is, and the socket is closed", async () => {
  const defect = new RangeError("a defect of a callback");
  const server = fakeServer(trust);
  const error = await reasonOf(connect(PLAIN, {
    adapter: server.adapter,
    onParameter: () => {
      throw defect;
    },
  }));
  assert.equal(error, defect);
  await server.done();
});
