import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { createConnector } from "../../src/connect/connector.ts";
import type { PasswordContext } from "../../src/connect/options.ts";
import { PolicyError } from "../../src/errors.ts";
import { dialFailure } from "../../src/transport/failures.ts";
import type { Adapter } from "../../src/transport/transport.ts";
import { certificateText } from "../support/certificates.ts";
import { deferred, never, settled } from "./deferred.ts";
import { fakeServer, GREETING, type Play, TARGET, trust } from "./fake_server.ts";
import { fakeTimers } from "./fake_time.ts";
import { askingClear, askingScram } from "./logins.ts";
import { rejection } from "./rejection.ts";
import { keysOf, ScramServer, SECRET } from "./scram_server.ts";
import { PLAIN } from "./sessions.ts";

const PASSWORD = "correct-horse";
const SCRAM = askingScram({ password: PASSWORD });
/** As RFC 8305 has it. */
const PATIENCE_MS = 250;

/** A callback that notes what it is asked. */
function source(told: PasswordContext["method"][] = []): {
  readonly told: readonly PasswordContext["method"][];
  readonly password: (context: PasswordContext) => string;
} {
  return { told, password: ({ method }) => (told.push(method), PASSWORD) };
}

test("a password callback runs while server-first is on its way", async () => {
  const asked = deferred();
  const play: Play = async (peer) => {
    await peer.packet();
    const scram = new ScramServer(peer, { password: PASSWORD });
    // Says nothing more before the callback was asked, which used to wait for this server's next word.
    await scram.first(undefined, asked.promise);
    const data = await scram.proof();
    await peer.send({ type: "AuthenticationSASLFinal", data }, ...GREETING);
  };
  const server = fakeServer(play);
  const session = await connect(PLAIN, {
    adapter: server.adapter,
    password: () => (asked.resolve(), PASSWORD),
  });
  await session.close();
  await server.done();
});

test("what a callback gave early is used, and it is asked once", async () => {
  const server = fakeServer(SCRAM);
  const { told, password } = source();
  const session = await connect(PLAIN, { adapter: server.adapter, password });
  await session.close();
  assert.deepEqual(told, ["scram-sha-256"]);
});

test("keys that were given keep a callback from being asked", async () => {
  const server = fakeServer(SCRAM);
  const { told, password } = source();
  const { client, server: serverKey } = keysOf({ ...SECRET, password: PASSWORD });
  const keys = {
    scram_client_key: client.toString("base64"),
    scram_server_key: serverKey.toString("base64"),
  };
  const session = await connect({ ...PLAIN, ...keys }, { adapter: server.adapter, password });
  await session.close();
  assert.deepEqual(told, []);
});

test("a callback that fails early fails the connection once the server asks", async () => {
  const server = fakeServer(SCRAM);
  const failure = new Error("no token");
  const error = await rejection(connect(PLAIN, {
    adapter: server.adapter,
    password: () => Promise.reject(failure),
  }));
  assert.ok(error instanceof PolicyError);
  assert.deepEqual([error.code, error.cause], ["password-unavailable", failure]);
});

/** Two servers one after the other, of which a connector expects the same. */
function between(first: Play, second: Play, open: () => Promise<void> = () => settled()): {
  readonly adapter: Adapter;
} {
  return fakeServer((peer, connection) => (connection === 0 ? first : second)(peer, connection), {
    onDial: (_, dial) => dial === 1 ? open() : undefined,
  });
}

for (const [name, play] of [["scram-sha-256", SCRAM], ["password", askingClear()]] as const) {
  test(`a connector asks for the password of "${name}" while it dials`, async () => {
    const asked = deferred();
    const { adapter } = between(play, play, () => asked.promise);
    const told: string[] = [];
    using connector = createConnector(PLAIN, {
      adapter,
      password: ({ method }) => {
        // The second socket opens no sooner.
        if (told.push(method) === 2) asked.resolve();
        return PASSWORD;
      },
    });
    for (const _ of [1, 2]) await (await connector.connect()).close();
    assert.deepEqual(told, [name, name]);
  });
}

test("a connector that asked for nothing's sake uses nothing of the answer", async () => {
  const { adapter } = between(askingClear(), trust);
  let asked = 0;
  using connector = createConnector(PLAIN, {
    adapter,
    password: () => ++asked === 1 ? PASSWORD : Promise.reject(new Error("no token")),
  });
  await (await connector.connect()).close();
  const session = await connector.connect();
  assert.equal(session.authentication.method, "none");
  assert.equal(asked, 2);
  await session.close();
});

test("a callback that was told another method is asked again", async () => {
  const { adapter } = between(askingClear(), SCRAM);
  const { told, password } = source();
  using connector = createConnector(PLAIN, { adapter, password });
  await (await connector.connect()).close();
  await (await connector.connect()).close();
  assert.deepEqual(told, ["password", "password", "scram-sha-256"]);
});

test("without pipelining a connector asks when the server does", async () => {
  const opened = deferred();
  const { adapter } = between(askingClear(), askingClear(), () => opened.promise);
  const { told, password } = source();
  using connector = createConnector(PLAIN, { adapter, password, pipelining: "off" });
  await (await connector.connect()).close();
  const second = connector.connect();
  await settled(10);
  assert.deepEqual(told, ["password"]);
  opened.resolve();
  await (await second).close();
  assert.deepEqual(told, ["password", "password"]);
});

const LOADS: readonly (readonly [sslmode: string, times: number])[] = [
  ["disable", 0],
  // Whether this server has TLS is not known.
  ["prefer", 0],
  ["require", 1],
  ["verify-full", 1],
];

for (const [sslmode, times] of LOADS) {
  test(`sslmode=${sslmode} loads TLS ${times} times while it dials`, async () => {
    let loads = 0;
    let whenOpened: number | undefined;
    const server = fakeServer((peer) => Promise.resolve(peer.break()), {
      onDial: async () => {
        await settled();
        whenOpened ??= loads;
      },
    });
    const adapter: Adapter = { ...server.adapter, prepareTls: () => void loads++ };
    const roots = sslmode === "verify-full" ? { sslrootcert: certificateText("ca.crt") } : {};
    await rejection(connect({ ...TARGET, ...roots, sslmode }, { adapter }));
    assert.equal(whenOpened, times);
  });
}

/** Hosts by name; the first does not answer before the test says so. */
async function withSlowHost(
  use: (parts: {
    readonly looked: readonly string[];
    readonly timers: ReturnType<typeof fakeTimers>;
    readonly fail: () => void;
    readonly session: ReturnType<typeof connect>;
  }) => Promise<void>,
): Promise<void> {
  const timers = fakeTimers();
  const looked: string[] = [];
  const failing = deferred();
  const server = fakeServer(trust, {
    resolve: (host) => {
      looked.push(host);
      return Promise.resolve([host === "one.test" ? "192.0.2.1" : "192.0.2.2"]);
    },
    onDial: async (address) => {
      if (address.kind !== "tcp" || address.host !== "192.0.2.1") return;
      await failing.promise;
      throw dialFailure(address, { code: "ECONNREFUSED" });
    },
  });
  try {
    const target = { ...TARGET, host: "one.test,two.test", sslmode: "disable" };
    const session = connect(target, { adapter: server.adapter });
    await settled(10);
    await use({ looked, timers, fail: failing.resolve, session });
    await (await session).close();
    assert.equal(timers.pending, 0);
  } finally {
    timers.restore();
  }
}

test("the next host's name is looked up beside an attempt that takes long, and once", () =>
  withSlowHost(async ({ looked, timers, fail, session }) => {
    assert.deepEqual(looked, ["one.test"]);
    assert.deepEqual(timers.delays, [PATIENCE_MS]);
    timers.fire();
    assert.deepEqual(looked, ["one.test", "two.test"]);
    fail();
    assert.deepEqual((await session).address.remoteAddress, "192.0.2.2");
    assert.deepEqual(looked, ["one.test", "two.test"]);
  }));

test("an attempt that fails soon has its successor's name looked up when it is its turn", () =>
  withSlowHost(async ({ looked, timers, fail, session }) => {
    fail();
    assert.deepEqual((await session).address.remoteAddress, "192.0.2.2");
    assert.deepEqual(looked, ["one.test", "two.test"]);
    assert.equal(timers.pending, 0);
  }));

test("however many attempts take long, the next host's name is looked up once", async () => {
  const timers = fakeTimers();
  const looked: string[] = [];
  const server = fakeServer(trust, {
    resolve: (host) => {
      looked.push(host);
      return Promise.resolve(
        host === "one.test" ? ["192.0.2.1", "192.0.2.3"] : ["192.0.2.2"],
      );
    },
    onDial: async (address) => {
      if (address.kind !== "tcp" || address.host === "192.0.2.2") return;
      // Its patience is over before it fails.
      await settled();
      timers.fire();
      await settled();
      throw dialFailure(address, { code: "ECONNREFUSED" });
    },
  });
  try {
    const target = { ...TARGET, host: "one.test,two.test", sslmode: "disable" };
    const session = await connect(target, { adapter: server.adapter });
    assert.equal(session.report.attempts.length, 3);
    assert.deepEqual(looked, ["one.test", "two.test"]);
    await session.close();
  } finally {
    timers.restore();
  }
});

test("a callback that was asked early is told when nobody wants its answer any more", async () => {
  const told: AbortSignal[] = [];
  let broken = false;
  const { adapter } = fakeServer(askingClear(), {
    onDial: (address) => {
      if (broken) throw dialFailure(address, { code: "ECONNREFUSED" });
    },
  });
  const connector = createConnector(PLAIN, {
    adapter,
    password({ signal }) {
      told.push(signal);
      return broken ? never() : PASSWORD;
    },
  });
  await (await connector.connect()).close();
  broken = true;
  assert.equal((await rejection(connector.connect())).code, "dial-failed");
  // The first had its answer, and hears of nothing.
  assert.deepEqual(told.map(({ aborted }) => aborted), [false, true]);
});
