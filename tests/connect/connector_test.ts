import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import {
  type Connector,
  type ConnectorOptions,
  createConnector,
} from "../../src/connect/connector.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import { WrongGuess } from "../../src/handshake/early.ts";
import { dialFailure } from "../../src/transport/failures.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { assertSilent } from "../hostile/silence.ts";
import {
  errorResponse,
  type FakeServer,
  fakeServer,
  GREETING,
  LOCAL,
  type Play,
  TARGET,
  trust,
} from "./fake_server.ts";
import { settled } from "./deferred.ts";
import { askingClear, askingScram } from "./logins.ts";
import { reasonOf, rejection } from "./rejection.ts";
import { keysOf, ScramServer } from "./scram_server.ts";

const PASSWORD = "correct-horse";
const PLAIN = { ...LOCAL, sslmode: "disable", password: PASSWORD };
const SCRAM = askingScram({ password: PASSWORD });
const EARLY = ["StartupMessage", "SASLInitialResponse", "SASLResponse"];

/** A server that plays something else on every connection; the last again from then on. */
function playing(...plays: readonly Play[]): FakeServer {
  return fakeServer(async (peer, connection) => {
    await (plays[Math.min(connection, plays.length - 1)] ?? trust)(peer, connection);
  });
}

function connectorTo(server: FakeServer, options: ConnectorOptions = {}): Connector {
  return createConnector(PLAIN, { adapter: server.adapter, ...options });
}

async function loginBy(connector: Connector, options: ConnectOptions = {}): Promise<boolean> {
  const session = await connector.connect(options);
  await session.close();
  return session.report.saved.earlySasl;
}

/** Asks for what it is told to once both messages have come, as PostgreSQL would. */
function answeringGuess(...answer: readonly BackendMessage[]): Play {
  return async (peer) => {
    await peer.packet();
    await peer.message("sasl-initial");
    await peer.send(...answer);
  };
}

test("the second connection sends SASLInitialResponse with StartupMessage", async () => {
  const server = playing(SCRAM);
  const connector = connectorTo(server);
  assert.deepEqual([await loginBy(connector), await loginBy(connector)], [false, true]);
  await server.done();
  // In one write: the server has both before it says anything.
  const [first, second] = server.peers.map(({ octets }) => octets[0]?.length ?? 0);
  assert.ok((second ?? 0) > (first ?? 0));
  assert.deepEqual(server.sent(), [[...EARLY, "Terminate"], [...EARLY, "Terminate"]]);
  assert.equal(connector.statistics.keyDerivations, 1);
});

test("pipelining: off asks nothing of the past", async () => {
  const server = playing(SCRAM);
  const connector = connectorTo(server, { pipelining: "off" });
  assert.deepEqual([await loginBy(connector), await loginBy(connector)], [false, false]);
  assert.equal(connector.statistics.keyDerivations, 1);
});

test("scramKeyCache: false derives the keys for every connection", async () => {
  const connector = connectorTo(playing(SCRAM), { scramKeyCache: false });
  for (const _ of [1, 2, 3]) await loginBy(connector);
  assert.equal(connector.statistics.keyDerivations, 3);
  assert.equal(connector.statistics.keysHeld, 0);
});

const WRONG: Readonly<Record<string, Play>> = {
  "AuthenticationOk": answeringGuess(...GREETING),
  "AuthenticationCleartextPassword": answeringGuess({ type: "AuthenticationCleartextPassword" }),
  "AuthenticationMD5Password": answeringGuess({
    type: "AuthenticationMD5Password",
    salt: Uint8Array.of(1, 2, 3, 4),
  }),
  "an error 08P01": answeringGuess(errorResponse("08P01", "expected password response")),
  "the list, then an error 08P01": answeringGuess(
    { type: "AuthenticationSASL", mechanisms: ["SCRAM-SHA-256"] },
    errorResponse("08P01", "unexpected message"),
  ),
  "the end of the stream": async (peer) => {
    await peer.packet();
    await peer.end();
  },
  "a broken connection": async (peer) => {
    await peer.packet();
    peer.break();
  },
};

for (const [what, wrong] of Object.entries(WRONG)) {
  test(`${what} after a guess: once more in turn, and the caller gets a session`, async () => {
    const server = playing(SCRAM, wrong, SCRAM);
    const connector = connectorTo(server);
    await loginBy(connector);
    const session = await connector.connect();
    const { attempts, saved } = session.report;
    assert.deepEqual(attempts.map(({ error }) => error instanceof WrongGuess), [true, false]);
    assert.deepEqual([saved.earlySasl, saved.roundTrips], [false, 0]);
    await session.close();
    // Known again from now on.
    assert.equal(await loginBy(connector), true);
    await server.done();
    assert.equal(server.sent().length, 4);
    for (const sent of server.sent()) assert.ok(!sent.includes("PasswordMessage"));
    assert.equal(connector.statistics.wrongGuesses, 1);
  });
}

test("a second AuthenticationSASL after a guess is a violation: nothing is sent or tried after it", async () => {
  const list = { type: "AuthenticationSASL", mechanisms: ["SCRAM-SHA-256"] } as const;
  const server = playing(SCRAM, answeringGuess(list, list));
  const connector = connectorTo(server);
  await loginBy(connector);
  const error = await rejection(connector.connect());
  assert.deepEqual([error.code, error.phase], ["protocol-violation", "authenticate"]);
  await server.done();
  assert.deepEqual(server.sent()[1], ["StartupMessage", "SASLInitialResponse"]);
  assert.equal(server.dials.length, 2);
});

test("a server that says nothing after a guess is not guessed about again", async () => {
  const controller = new AbortController();
  const silent: Play = async (peer) => {
    await peer.packet();
    await peer.message("sasl-initial");
    controller.abort();
  };
  const server = playing(SCRAM, silent, SCRAM);
  const connector = connectorTo(server);
  await loginBy(connector);
  const error = await rejection(connector.connect({ signal: controller.signal }));
  assert.equal(error.code, "aborted");
  assert.equal(await loginBy(connector), false);
});

test("a guess is made to the address that won the race, and so is the try after it", async () => {
  const server = playing(SCRAM, answeringGuess(...GREETING), trust);
  const connector = createConnector({ ...PLAIN, host: "db.test" }, {
    addressRacing: true,
    resolve: () => Promise.resolve(["192.0.2.7", "192.0.2.8"]),
    adapter: {
      ...server.adapter,
      dial(address, signal) {
        const isFirst = address.kind === "tcp" && address.host === "192.0.2.7";
        return isFirst
          ? Promise.reject(dialFailure(address, { code: "ECONNREFUSED" }))
          : server.adapter.dial(address, signal);
      },
    },
  });
  await loginBy(connector);
  assert.deepEqual(connector.learned.map(({ address }) => address), ["192.0.2.8"]);
  const session = await connector.connect();
  const { attempts } = session.report;
  assert.deepEqual(attempts.map(({ address, error }) => [address, error instanceof WrongGuess]), [
    ["192.0.2.7", false],
    ["192.0.2.8", true],
    ["192.0.2.8", false],
  ]);
  await session.close();
});

test("a server that changed to a password gets it in turn only, and is not guessed about", async () => {
  const passwords: Uint8Array[] = [];
  const clear = askingClear(passwords);
  const server = playing(
    SCRAM,
    answeringGuess({ type: "AuthenticationCleartextPassword" }),
    clear,
  );
  const connector = connectorTo(server);
  for (const _ of [1, 2, 3]) await loginBy(connector);
  await server.done();
  assert.deepEqual(server.sent().map((sent) => sent.slice(0, 3)), [
    EARLY,
    ["StartupMessage", "SASLInitialResponse"],
    ["StartupMessage", "PasswordMessage", "Terminate"],
    ["StartupMessage", "PasswordMessage", "Terminate"],
  ]);
  assert.equal(passwords.length, 2);
});

test("require_auth holds after a guess as before: nothing is tried again", async () => {
  const server = playing(SCRAM, answeringGuess(...GREETING));
  const connector = createConnector({ ...PLAIN, require_auth: "scram-sha-256" }, {
    adapter: server.adapter,
  });
  await loginBy(connector);
  const error = await rejection(connector.connect());
  assert.equal(error.code, "auth-forbidden");
  assert.equal(server.dials.length, 2);
});

test("after a wrong guess the error is that of the second try, alone", async () => {
  const refused: Play = async (peer) => {
    await peer.packet();
    await peer.send(errorResponse("28000", "no pg_hba.conf entry"));
    await peer.end();
  };
  const connector = connectorTo(playing(SCRAM, answeringGuess(...GREETING), refused));
  await loginBy(connector);
  const error = await rejection(connector.connect());
  assert.equal(error.sqlState, "28000");
  assert.deepEqual(error.attempts?.map((one) => one.error instanceof WrongGuess), [true, false]);
});

test("a server whose second answer is strange again is not guessed about a second time", async () => {
  const strange = answeringGuess(...GREETING);
  const server = playing(SCRAM, strange, trust);
  const connector = connectorTo(server);
  for (const _ of [1, 2, 3]) await loginBy(connector);
  await server.done();
  assert.deepEqual(server.sent().slice(2).map(([, second]) => second), ["Terminate", "Terminate"]);
});

test("a guess over TLS names the mechanism the server offered", async () => {
  const names: string[] = [];
  const plus: Play = async (peer) => {
    const packet = await peer.packet();
    if (packet.type === "SSLRequest") {
      await peer.send(Uint8Array.of(0x53));
      await peer.packet();
    }
    const initial = await peer.message("sasl-initial");
    if (initial.type === "SASLInitialResponse") names.push(initial.mechanism);
    await peer.send(errorResponse("28P01", "no"));
    await peer.end();
  };
  const teaching: Play = async (peer) => {
    await peer.packet();
    await peer.send(Uint8Array.of(0x53));
    await peer.packet();
    const scram = new ScramServer(peer, { password: PASSWORD });
    await scram.first(["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]);
    const data = await scram.proof();
    await peer.send({ type: "AuthenticationSASLFinal", data }, ...GREETING);
  };
  const server = playing(teaching, plus);
  const connector = createConnector({ ...PLAIN, sslmode: "require" }, { adapter: server.adapter });
  await loginBy(connector);
  assert.deepEqual(connector.learned.map(({ channel, channelBound }) => [channel, channelBound]), [
    ["tls", true],
  ]);
  assert.equal((await rejection(connector.connect())).sqlState, "28P01");
  assert.deepEqual(names, ["SCRAM-SHA-256-PLUS"]);
});

test("what was learned can be read", async () => {
  const server = playing(SCRAM);
  const resolve = (): Promise<string[]> => Promise.resolve(["127.0.0.1"]);
  const connector = connectorTo(server, { resolve });
  await loginBy(connector);
  assert.deepEqual(
    connector.learned.map((
      { user, database, address, method, mechanisms },
    ) => [user, database, address, method, mechanisms]),
    [["app", "shop", "127.0.0.1", "scram-sha-256", ["SCRAM-SHA-256"]]],
  );
});

test("a password that is refused takes its keys out of the cache, and is asked for anew", async () => {
  const refusing: Play = async (peer) => {
    await peer.packet();
    const scram = new ScramServer(peer, { password: PASSWORD });
    await scram.first();
    await peer.message("sasl");
    await peer.send(errorResponse("28P01", "password authentication failed"));
    await peer.end();
  };
  const server = playing(SCRAM, refusing, SCRAM);
  let asked = 0;
  const connector = connectorTo(server, {
    password: () => {
      asked++;
      return PASSWORD;
    },
  });
  await loginBy(connector);
  assert.equal(connector.statistics.keysHeld, 1);
  assert.equal((await rejection(connector.connect())).sqlState, "28P01");
  assert.equal(connector.statistics.keysHeld, 0);
  await loginBy(connector);
  assert.deepEqual([asked, connector.statistics.keyDerivations], [3, 2]);
});

test("a server that does not prove itself takes its keys out of the cache", async () => {
  const impostor: Play = async (peer) => {
    await peer.packet();
    const scram = new ScramServer(peer, { password: PASSWORD });
    await scram.first();
    await peer.message("sasl");
    const data = new TextEncoder().encode(`v=${"A".repeat(43)}=`);
    await peer.send({ type: "AuthenticationSASLFinal", data }, ...GREETING);
  };
  const connector = connectorTo(playing(SCRAM, impostor));
  await loginBy(connector);
  assert.equal((await rejection(connector.connect())).code, "server-not-verified");
  assert.equal(connector.statistics.keysHeld, 0);
});

test("a hundred connections at once derive the keys once", async () => {
  const server = playing(SCRAM);
  const connector = connectorTo(server);
  const sessions = await Promise.all(Array.from({ length: 100 }, () => connector.connect()));
  assert.equal(connector.statistics.keyDerivations, 1);
  assert.equal(sessions.filter(({ report }) => report.saved.keysReused).length, 99);
  await Promise.all(sessions.map((session) => session.close()));
});

test("whoever gives up while keys are derived takes nothing from the others", async () => {
  // Deriving takes many turns of the event loop.
  const server = playing(askingScram({ password: PASSWORD, iterations: 80_000 }));
  const connector = connectorTo(server);
  const controller = new AbortController();
  const reason = new Error("no longer wanted");
  const connecting = [1, 2, 3].map((number) =>
    connector.connect(number === 1 ? { signal: controller.signal } : {})
  );
  while (connector.statistics.keyDerivations === 0) await settled(1);
  controller.abort(reason);
  const [given, ...kept] = await Promise.allSettled(connecting);
  assert.ok(given?.status === "rejected" && given.reason.code === "aborted");
  for (const one of kept) {
    assert.ok(one.status === "fulfilled");
    await one.value.close();
  }
  assert.equal(connector.statistics.keyDerivations, 1);
});

test("two passwords have two keys", async () => {
  const passwords = ["one", "two"];
  const server = fakeServer((peer, connection) =>
    askingScram({ password: passwords[connection % 2] ?? "" })(peer, connection)
  );
  let asked = 0;
  const connector = connectorTo(server, { password: () => passwords[asked++ % 2] ?? "" });
  for (const _ of [1, 2, 3, 4]) await loginBy(connector);
  assert.deepEqual([asked, connector.statistics.keyDerivations], [4, 2]);
});

test("options of one connection go before the connector's own", async () => {
  const server = playing(trust);
  const names: string[] = [];
  const connector = connectorTo(server, {
    parameters: { statement_timeout: "5s" },
    onParameter: () => names.push("connector"),
  });
  await loginBy(connector);
  await loginBy(connector, {
    parameters: { statement_timeout: "7s" },
    onParameter: () => names.push("connection"),
  });
  await server.done();
  const texts = server.peers.map(({ octets }) => new TextDecoder().decode(octets[0]));
  assert.deepEqual(texts.map((text) => /statement_timeout\0(\ds)/.exec(text)?.[1]), ["5s", "7s"]);
  assert.deepEqual(names, ["connector", "connection"]);
});

test("a wrong guess is an event; no print of events, report or connector shows a secret", async () => {
  const server = playing(SCRAM, answeringGuess(...GREETING), SCRAM);
  const events: unknown[] = [];
  const connector = createConnector(PLAIN, {
    adapter: server.adapter,
    password: PASSWORD,
    onEvent: (event) => events.push(event),
  });
  await loginBy(connector);
  const session = await connector.connect();
  await session.close();
  const kinds = events.map((event) => (event as { readonly type: string }).type);
  assert.equal(kinds.filter((kind) => kind === "failed").length, 1);
  const { client, server: serverKey } = keysOf({
    password: PASSWORD,
    salt: new TextEncoder().encode("salt of a test"),
    iterations: 4096,
  });
  const secrets = { PASSWORD, clientKey: client, serverKey };
  const values = { events, report: session.report, session, connector, ...connector.statistics };
  for (const [name, value] of Object.entries(values)) assertSilent(value, secrets, name);
  assert.match(inspect(connector), /^Connector .*"scram-sha-256".*"keyDerivations":1/);
});

test("using: the connector forgets at the end of the block, and sessions stay", async () => {
  const connector = connectorTo(playing(SCRAM));
  const session = await connector.connect();
  connector[Symbol.dispose]();
  assert.deepEqual([connector.learned, connector.statistics.keysHeld], [[], 0]);
  await session.close();
});

test("a target that is wrong fails every time, until it is right", async () => {
  const connector = createConnector({ ...TARGET, sslmode: "sometimes" });
  for (const _ of [1, 2]) {
    const error = await reasonOf(connector.connect());
    assert.equal((error as { code?: string }).code, "invalid-setting");
  }
});

test("an option of one connection that is undefined leaves the connector's own in force", async () => {
  const server = fakeServer(askingClear());
  const connector = createConnector(PLAIN, { adapter: server.adapter, password: "correct-horse" });
  const options = { password: undefined, signal: undefined } as unknown as ConnectOptions;
  await (await connector.connect(options)).close();
  await server.done();
});
