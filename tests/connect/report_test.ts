import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ConnectReport } from "../../src/connect/report.ts";
import { type AttemptReport, ConnectionError, PgHandshakeError } from "../../src/errors.ts";
import { attemptText } from "../../src/connect/connect_error.ts";
import { dialFailure, nameFailure } from "../../src/transport/failures.ts";
import {
  errorResponse,
  type FakeOptions,
  type FakeServer,
  fakeServer,
  type Play,
  TARGET,
  trust,
} from "./fake_server.ts";
import { connectRejection, rejection } from "./rejection.ts";

const PLAIN = { ...TARGET, sslmode: "disable" };
const refused: FakeOptions["onDial"] = (address) => {
  throw dialFailure(address, { code: "ECONNREFUSED" });
};

/** Lets nobody in: says 57P03 on every connection. */
const startingUp: Play = async (peer) => {
  await peer.packet();
  await peer.send(errorResponse("57P03", "the database system is starting up"));
  await peer.end();
};

/** The lines of the error's message, each cut behind the place; the reasons are the attempts' own. */
async function placesOf(
  server: FakeServer,
  target: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const error = await connectRejection(
    connect({ ...PLAIN, ...target }, { adapter: server.adapter }),
  );
  const lines = error.message.split("\n");
  assert.equal(lines.length, error.attempts.length);
  return lines.map((line, index) => {
    const reason = ` failed: ${error.errors[index]?.message}`;
    assert.ok(line.endsWith(reason), `"${line}" does not end with "${reason}"`);
    return line.slice(0, -reason.length);
  });
}

async function messageOf(
  server: FakeServer,
  target: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const error = await connectRejection(
    connect({ ...PLAIN, ...target }, { adapter: server.adapter }),
  );
  assert.equal(error.name, "ConnectError");
  return error.message.split("\n");
}

test("a refused socket of an address has its address once, as in libpq", async () => {
  const server = fakeServer(trust, { onDial: refused });
  const target = { host: "192.0.2.1,2001:db8::1", port: "5432,5433" };
  assert.deepEqual(await placesOf(server, target), [
    'connection to server at "192.0.2.1", port 5432',
    'connection to server at "2001:db8::1", port 5433',
  ]);
  for (const line of await messageOf(server, target)) assert.match(line, /Connection refused/);
});

test("a name has its address in brackets, one line an address", async () => {
  const server = fakeServer(trust, {
    resolve: () => Promise.resolve(["192.0.2.1", "2001:db8::1"]),
    onDial: refused,
  });
  const lines = await messageOf(server, { host: "db.test" });
  assert.deepEqual(lines.map((line) => line.split(" failed: ")[0]), [
    'connection to server at "db.test" (192.0.2.1), port 5432',
    'connection to server at "db.test" (2001:db8::1), port 5432',
  ]);
});

test("hostaddr stands behind host, and alone where there is no host", async () => {
  const server = fakeServer(trust, { onDial: refused });
  const both = await messageOf(server, { host: "a.test,b.test", hostaddr: "192.0.2.1,192.0.2.2" });
  assert.match(
    both[1] ?? "",
    /^connection to server at "b\.test" \(192\.0\.2\.2\), port 5432 failed/,
  );
  const { host: _, ...hostless } = PLAIN;
  const error = await connectRejection(
    connect({ ...hostless, hostaddr: "192.0.2.1,192.0.2.2" }, { adapter: server.adapter }),
  );
  assert.match(error.message, /^connection to server at "192\.0\.2\.1", port 5432 failed/);
});

test("a Unix socket is named by its path", async () => {
  const server = fakeServer(trust, { onDial: refused });
  assert.deepEqual(await placesOf(server, { host: "/run/pg,@pg", port: "5432,5433" }), [
    'connection to server on socket "/run/pg/.s.PGSQL.5432"',
    'connection to server on socket "@pg/.s.PGSQL.5433"',
  ]);
});

test("a host that looks like a directory is no socket where hostaddr leads over TCP", async () => {
  const server = fakeServer(trust, { onDial: refused });
  const lines = await messageOf(server, {
    host: "/run/pg,192.0.2.2",
    hostaddr: "192.0.2.1,192.0.2.2",
  });
  assert.match(
    lines[0] ?? "",
    /^connection to server at "\/run\/pg" \(192\.0\.2\.1\), port 5432 failed/,
  );
});

test("the server's own words follow the place, severity first", async () => {
  const server = fakeServer(startingUp);
  assert.deepEqual(await messageOf(server, { host: "192.0.2.1,192.0.2.2" }), [
    'connection to server at "192.0.2.1", port 5432 failed: FATAL:  the database system is starting up',
    'connection to server at "192.0.2.2", port 5432 failed: FATAL:  the database system is starting up',
  ]);
});

test("every encryption that was tried has a line of its own", async () => {
  const server = fakeServer(async (peer) => {
    if ((await peer.packet()).type === "SSLRequest") await peer.send(Uint8Array.of(0x53));
    else await peer.end();
  }, {
    tls: () => {
      throw new ConnectionError("tls-failed", "handshake failure", { phase: "tls" });
    },
  });
  const lines = await messageOf(server, { sslmode: "prefer" });
  assert.equal(lines.length, 2);
  assert.match(lines[0] ?? "", /port 5432 failed: handshake failure$/);
  assert.match(lines[1] ?? "", /port 5432 failed: server closed the connection unexpectedly/);
});

test("a name that does not resolve has its line too", async () => {
  const server = fakeServer(trust, {
    resolve: (host) => Promise.reject(nameFailure(host, { code: "ENOTFOUND" })),
  });
  const lines = await messageOf(server, { host: "a.test,b.test" });
  assert.match(
    lines[0] ?? "",
    /^connection to server at "a\.test", port 5432 failed: .*"a\.test".*Name or service not known/,
  );
  assert.match(lines[1] ?? "", /^connection to server at "b\.test", port 5432 failed: .*"b\.test"/);
});

test("one attempt throws its own error, and its attempts tell where", async () => {
  const server = fakeServer(startingUp);
  const error = await rejection(connect(PLAIN, { adapter: server.adapter }));
  assert.equal(error.message, "the database system is starting up");
  assert.equal(error.attempts?.length, 1);
  const [attempt] = error.attempts ?? [];
  assert.equal(attempt?.error, error);
  assert.deepEqual([attempt?.host, attempt?.address, attempt?.port, attempt?.encryption], [
    "192.0.2.1",
    "192.0.2.1",
    5432,
    "plain",
  ]);
  assert.ok((attempt?.durationMs ?? -1) >= 0);
  assert.equal(JSON.stringify(error).includes("attempts"), false, "attempts are for asking");
});

test("ConnectReport prints one line an attempt, the session's last", async () => {
  const server = fakeServer((peer, connection) =>
    (connection === 0 ? startingUp : trust)(peer, connection)
  );
  const target = { ...PLAIN, host: "192.0.2.1,192.0.2.2" };
  const session = await connect(target, { adapter: server.adapter });
  const { report } = session;
  assert.ok(report instanceof ConnectReport);
  const lines = `${report}`.split("\n");
  assert.equal(lines.length, 2);
  assert.equal(
    lines[0],
    'connection to server at "192.0.2.1", port 5432 failed: FATAL:  the database system is starting up',
  );
  assert.match(
    lines[1] ?? "",
    /^connection to server at "192\.0\.2\.2", port 5432 succeeded after \d+\.\d ms$/,
  );
  const spent = report.attempts.reduce((sum, { durationMs }) => sum + durationMs, 0);
  assert.ok(report.durationMs >= spent, "attempts took longer than all of it");
  await session.close();
});

test("a report does not change any more, and holds no secret", async () => {
  const server = fakeServer(async (peer) => {
    await peer.packet();
    await peer.send({ type: "AuthenticationMD5Password", salt: new Uint8Array(4) });
    await peer.message("password");
    await peer.send({ type: "AuthenticationOk" }, { type: "ReadyForQuery", status: "I" });
  });
  const session = await connect({ ...PLAIN, password: "correct-horse" }, {
    adapter: server.adapter,
  });
  assert.equal(JSON.stringify(session.report).includes("correct-horse"), false);
  assert.equal(session.report.attempts.length, 1);
  await session.close();
  assert.equal(session.report.attempts.length, 1);
});

class Failure extends PgHandshakeError {
  constructor() {
    super("dial-failed", "no way");
  }
}

const ATTEMPT: AttemptReport = {
  host: "db.test",
  address: "192.0.2.1",
  port: 5432,
  encryption: "plain",
  phase: "dial",
  durationMs: 12.345,
  error: new Failure(),
};

const TEXTS: readonly (readonly [Partial<AttemptReport>, string])[] = [
  [{}, 'connection to server at "db.test" (192.0.2.1), port 5432 failed: no way'],
  [{ address: "db.test" }, 'connection to server at "db.test", port 5432 failed: no way'],
  [{ host: "::1", address: "::1" }, 'connection to server at "::1", port 5432 failed: no way'],
  [
    { host: "/tmp", address: "/tmp/.s.PGSQL.5432" },
    'connection to server on socket "/tmp/.s.PGSQL.5432" failed: no way',
  ],
  [
    { host: "@x", address: "@x/.s.PGSQL.5432" },
    'connection to server on socket "@x/.s.PGSQL.5432" failed: no way',
  ],
  [
    { error: undefined },
    'connection to server at "db.test" (192.0.2.1), port 5432 succeeded after 12.3 ms',
  ],
];

for (const [given, text] of TEXTS) {
  test(`attemptText() says: ${text}`, () => {
    assert.equal(attemptText({ ...ATTEMPT, ...given }), text);
  });
}

test("a report of no attempt is an empty text", () => {
  assert.equal(`${new ConnectReport([], 0)}`, "");
});
