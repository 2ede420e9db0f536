import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { type Connector, createConnector } from "../../src/connect/connector.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import { ServerError } from "../../src/handshake/server_error.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { certificateText } from "../support/certificates.ts";
import {
  errorResponse,
  type FakeServer,
  fakeServer,
  GREETING,
  type Play,
  trust,
} from "./fake_server.ts";
import { reasonOf, rejection } from "./rejection.ts";
import { EMPTY, IDLE, isUsable, PLAIN, rows } from "./sessions.ts";
import { ScramServer } from "./scram_server.ts";

const PASSWORD = "correct-horse";
const LOGIN = { ...PLAIN, password: PASSWORD };
const QUERY = "select 'a secret of ours'";
const ANSWER: readonly BackendMessage[] = [...rows(["x"], ["1"]), IDLE];

/** SCRAM, with what to say behind the proof. */
function scram(...behind: readonly (BackendMessage | Uint8Array)[]): Play {
  return async (peer) => {
    await peer.packet();
    const exchange = new ScramServer(peer, { password: PASSWORD });
    await exchange.first();
    const data = await exchange.proof();
    await peer.send({ type: "AuthenticationSASLFinal", data }, ...behind);
  };
}

/** Takes a Query that came, or comes, and answers. */
function thenAnswering(play: Play, ...answers: readonly (readonly BackendMessage[])[]): Play {
  return async (peer, connection) => {
    await play(peer, connection);
    for (const answer of answers) {
      const message = await peer.message();
      assert.equal(message.type, "Query");
      await peer.send(...answer);
    }
  };
}

function sawQuery(server: FakeServer): number {
  return server.peers.filter(({ octets }) =>
    octets.some((part) => new TextDecoder().decode(part).includes(QUERY))
  ).length;
}

/** Takes the first result of a new session. */
async function resultBy(connector: Connector): Promise<void> {
  const session = await connector.connect();
  assert.deepEqual((await session.firstResult)?.[0]?.rows, [["1"]]);
  await session.close();
}

/** How many writes of the client held the query, and whether one of them held something else too. */
function inOneFlight(server: FakeServer): boolean {
  return server.peers.some(({ octets }) =>
    octets.some((part) => {
      const text = new TextDecoder("latin1").decode(part);
      return text.includes(QUERY) && !text.startsWith("Q");
    })
  );
}

test("the query leaves with the proof, and its result comes by firstResult", async () => {
  const server = fakeServer(thenAnswering(scram(...GREETING), ANSWER, EMPTY));
  const session = await connect(LOGIN, { adapter: server.adapter, firstQuery: QUERY });
  const [result] = await (session.firstResult ?? []);
  assert.deepEqual(result?.rows, [["1"]]);
  assert.ok(inOneFlight(server));
  assert.deepEqual([session.report.saved.earlyQuery, session.report.saved.roundTrips], [true, 1]);
  await isUsable(session);
});

test("the result may be in the octets that end the start-up", async () => {
  const play: Play = async (peer) => {
    await scram(...GREETING, ...ANSWER)(peer, 0);
    await peer.message();
    await peer.message();
    await peer.send(...EMPTY);
  };
  const server = fakeServer(play);
  const session = await connect(LOGIN, { adapter: server.adapter, firstQuery: QUERY });
  const [result] = await (session.firstResult ?? []);
  assert.deepEqual(result?.rows, [["1"]]);
  await isUsable(session);
});

test("without the option there is no first result", async () => {
  const session = await connect(PLAIN, { adapter: fakeServer(trust).adapter });
  assert.equal(session.firstResult, undefined);
  await session.close();
});

test("the first query goes before every other, and detach() waits for it", async () => {
  const second = [...rows(["y"], ["2"]), IDLE];
  const server = fakeServer(thenAnswering(scram(...GREETING), ANSWER, second));
  const session = await connect(LOGIN, { adapter: server.adapter, firstQuery: QUERY });
  assert.throws(() => session.detach(), /a query is running/);
  const [later] = await session.query("select 2 as y");
  assert.deepEqual(later?.rows, [["2"]]);
  assert.deepEqual((await session.firstResult)?.[0]?.rows, [["1"]]);
  session.detach().transport.close();
});

test("a statement that fails does not end the session, looked at or not", async () => {
  const failing = [errorResponse("42601", "syntax error", "ERROR"), IDLE];
  for (const look of [true, false]) {
    const server = fakeServer(thenAnswering(scram(...GREETING), failing, EMPTY));
    const session = await connect(LOGIN, { adapter: server.adapter, firstQuery: QUERY });
    if (look) {
      const error = await reasonOf(Promise.resolve(session.firstResult));
      assert.ok(error instanceof ServerError && error.sqlState === "42601");
    }
    await isUsable(session);
  }
});

/** Which channel the query leaves early on: a target, what was asked for, and whether it does. */
const CHANNELS: readonly (readonly [
  string,
  Readonly<Record<string, string>>,
  NonNullable<ConnectOptions["firstQuery"]>,
  boolean,
])[] = [
  ["loopback", { host: "127.0.0.1" }, QUERY, true],
  ["a Unix socket", { host: "/run/pg" }, QUERY, true],
  ["plaintext to another machine", { host: "192.0.2.1" }, QUERY, false],
  ["plaintext, by wish", { host: "192.0.2.1" }, { text: QUERY, earlyOn: "any-channel" }, true],
  ["loopback, unwanted", { host: "127.0.0.1" }, { text: QUERY, earlyOn: "none" }, false],
  ["TLS that is not verified", { host: "192.0.2.1", sslmode: "require" }, QUERY, false],
  [
    "TLS whose name is not verified",
    { host: "192.0.2.1", sslmode: "verify-ca", sslrootcert: certificateText("ca.crt") },
    QUERY,
    false,
  ],
  [
    "TLS that is verified",
    {
      host: "db.test",
      hostaddr: "192.0.2.1",
      sslmode: "verify-full",
      sslrootcert: certificateText("ca.crt"),
    },
    QUERY,
    true,
  ],
];

for (const [channel, target, firstQuery, early] of CHANNELS) {
  test(`over ${channel} the query ${early ? "leaves early" : "waits until the server is ready"}`, async () => {
    const play = thenAnswering(scram(...GREETING), ANSWER);
    const server = fakeServer(async (peer, connection) => {
      if (target["sslmode"] !== undefined) {
        await peer.packet();
        await peer.send(Uint8Array.of(0x53));
      }
      await play(peer, connection);
    });
    const session = await connect({ ...LOGIN, ...target }, {
      adapter: server.adapter,
      firstQuery,
    });
    assert.deepEqual((await session.firstResult)?.[0]?.rows, [["1"]]);
    assert.deepEqual([inOneFlight(server), session.report.saved.earlyQuery], [early, early]);
    await session.close();
    await server.done();
    assert.equal(server.sent().flat().filter((name) => name === "Query").length, 1);
  });
}

test("a server with a wrong signature gets the query and gives nothing", async () => {
  const server = fakeServer(async (peer) => {
    await peer.packet();
    const exchange = new ScramServer(peer, { password: PASSWORD });
    await exchange.first();
    await peer.message("sasl");
    const data = new TextEncoder().encode(`v=${"A".repeat(43)}=`);
    await peer.send({ type: "AuthenticationSASLFinal", data }, ...GREETING, ...ANSWER);
  });
  const error = await rejection(
    connect(LOGIN, { adapter: server.adapter, firstQuery: QUERY }),
  );
  assert.equal(error.code, "server-not-verified");
  assert.equal(server.dials.length, 1);
});

test("a known trust gets the query with StartupMessage", async () => {
  const server = fakeServer(thenAnswering(trust, ANSWER));
  const connector = createConnector(PLAIN, { adapter: server.adapter, firstQuery: QUERY });
  for (const early of [false, true]) {
    const session = await connector.connect();
    assert.deepEqual((await session.firstResult)?.[0]?.rows, [["1"]]);
    assert.equal(session.report.saved.earlyQuery, early);
    await session.close();
  }
  assert.ok(inOneFlight(server));
  assert.equal(connector.statistics.earlyQueries, 1);
});

test("a trust that became a password gets the query a second time, which no one has run", async () => {
  const asking: Play = async (peer) => {
    await peer.packet();
    await peer.message();
    await peer.send({ type: "AuthenticationCleartextPassword" });
  };
  const plays = [thenAnswering(trust, ANSWER), asking, thenAnswering(scram(...GREETING), ANSWER)];
  const server = fakeServer(async (peer, connection) =>
    await plays[connection]?.(peer, connection)
  );
  const connector = createConnector(LOGIN, { adapter: server.adapter, firstQuery: QUERY });
  await resultBy(connector);
  await resultBy(connector);
  await server.done();
  assert.equal(connector.statistics.wrongGuesses, 1);
  assert.ok(server.sent().every((sent) => !sent.includes("PasswordMessage")));
});

/** How a server goes away that has got the query with StartupMessage and may have run it. */
const GONE: Readonly<Record<string, Play>> = {
  "closes": async (peer) => {
    await peer.packet();
    await peer.message();
    await peer.end();
  },
  "breaks": async (peer) => {
    await peer.packet();
    await peer.message();
    peer.break();
  },
  "closes after AuthenticationOk": async (peer) => {
    await peer.packet();
    await peer.message();
    await peer.send({ type: "AuthenticationOk" });
    await peer.end();
  },
};

for (const [how, gone] of Object.entries(GONE)) {
  test(`a server that ${how} may have run the query: it goes to no other host`, async () => {
    const server = fakeServer(async (peer, connection) =>
      await (connection === 0 ? thenAnswering(trust, ANSWER) : gone)(peer, connection)
    );
    const hosts = { ...PLAIN, host: "127.0.0.1,127.0.0.2" };
    const connector = createConnector(hosts, { adapter: server.adapter, firstQuery: QUERY });
    await resultBy(connector);
    const error = await rejection(connector.connect());
    assert.equal(error.code, "connection-lost");
    assert.equal(server.dials.length, 2);
    assert.equal(sawQuery(server), 2);
  });
}

test("a server that refuses us has not run the query: the next host gets it", async () => {
  const plays: readonly Play[] = [
    thenAnswering(trust, ANSWER),
    async (peer) => {
      await peer.packet();
      await peer.message();
      await peer.send(errorResponse("57P03", "the database system is starting up"));
      await peer.end();
    },
    thenAnswering(trust, ANSWER),
  ];
  const server = fakeServer(async (peer, connection) =>
    await plays[connection]?.(peer, connection)
  );
  const hosts = { ...PLAIN, host: "127.0.0.1,127.0.0.2" };
  const connector = createConnector(hosts, { adapter: server.adapter, firstQuery: QUERY });
  await resultBy(connector);
  await resultBy(connector);
});

test("with target_session_attrs the query goes to the accepted server only", async () => {
  const [ok, ...rest] = GREETING;
  assert.ok(ok !== undefined);
  const greeting = (standby: "on" | "off"): readonly BackendMessage[] => [
    ok,
    { type: "ParameterStatus", name: "in_hot_standby", value: standby },
    { type: "ParameterStatus", name: "default_transaction_read_only", value: "off" },
    ...rest,
  ];
  const server = fakeServer(async (peer, connection) => {
    if (connection === 0) await scram(...greeting("on"))(peer, connection);
    else await thenAnswering(scram(...greeting("off")), ANSWER)(peer, connection);
  });
  const session = await connect(
    { ...LOGIN, host: "127.0.0.1,127.0.0.2", target_session_attrs: "primary" },
    { adapter: server.adapter, firstQuery: QUERY },
  );
  assert.deepEqual((await session.firstResult)?.[0]?.rows, [["1"]]);
  assert.equal(session.report.saved.earlyQuery, false);
  await session.close();
  await server.done();
  assert.equal(sawQuery(server), 1);
  assert.deepEqual(server.sent()[0]?.at(-1), "Terminate");
});

test("a query that cannot be sent is refused before anything is dialed", async () => {
  const server = fakeServer(trust);
  const error = await rejection(
    connect(PLAIN, { adapter: server.adapter, firstQuery: "select '\0'" }),
  );
  assert.equal(error.code, "misuse");
  assert.equal(server.dials.length, 0);
});
