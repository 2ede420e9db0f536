import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ConfigError, ConnectionError } from "../../src/errors.ts";
import { ConnectError } from "../../src/connect/connect_error.ts";
import { deferred } from "./deferred.ts";
import { fakeTimers } from "./fake_time.ts";
import { errorResponse, fakeServer, LOCAL, type Play, TARGET, trust } from "./fake_server.ts";
import { connectRejection, reasonOf, refusal, rejection } from "./rejection.ts";

const TWO = { ...TARGET, host: "192.0.2.1,192.0.2.2", port: "5432,5433", sslmode: "disable" };

/** What connection 0 does; the others let the client in. */
function firstOnly(play: Play): Play {
  return (peer, connection) => (connection === 0 ? play : trust)(peer, connection);
}

const MOVES: readonly { readonly name: string; readonly play: Play; readonly dials: number }[] = [
  {
    name: "57P03",
    dials: 2,
    play: async (peer) => {
      await peer.packet();
      await peer.send(errorResponse("57P03", "the database system is starting up"));
    },
  },
  {
    name: "its end before any request",
    dials: 2,
    play: async (peer) => {
      await peer.packet();
      await peer.end();
    },
  },
  {
    name: "its end in the middle of the first message",
    dials: 2,
    play: async (peer) => {
      await peer.packet();
      await peer.send(Uint8Array.of(0x52, 0, 0));
      await peer.end();
    },
  },
  {
    name: "its end instead of a word",
    dials: 2,
    play: (peer) => peer.end(),
  },
  {
    name: "its end after AuthenticationOk",
    dials: 1,
    play: async (peer) => {
      await peer.packet();
      await peer.send({ type: "AuthenticationOk" });
      await peer.end();
    },
  },
  {
    name: "its end after a request",
    dials: 1,
    play: async (peer) => {
      await peer.packet();
      await peer.send({ type: "AuthenticationMD5Password", salt: new Uint8Array(4) });
      await peer.message("password");
      await peer.end();
    },
  },
  {
    name: "53300",
    dials: 1,
    play: async (peer) => {
      await peer.packet();
      await peer.send(errorResponse("53300", "sorry, too many clients already"));
    },
  },
  {
    name: "28P01",
    dials: 1,
    play: async (peer) => {
      await peer.packet();
      await peer.send({ type: "AuthenticationMD5Password", salt: new Uint8Array(4) });
      await peer.message("password");
      await peer.send(errorResponse("28P01", "no"));
    },
  },
  {
    name: "something that is not PostgreSQL",
    dials: 1,
    play: (peer) => peer.send(new TextEncoder().encode("SSH-2.0-OpenSSH_9.2p1\r\n")),
  },
];

for (const { name, play, dials } of MOVES) {
  test(`the first host answers with ${name}: ${dials === 2 ? "the second is tried" : "it ends there"}`, async () => {
    const server = fakeServer(firstOnly(play));
    const connecting = connect({ ...TWO, password: "secret" }, { adapter: server.adapter });
    if (dials === 2) {
      const session = await connecting;
      assert.deepEqual(session.report.attempts.map(({ address, port }) => [address, port]), [
        ["192.0.2.1", 5432],
        ["192.0.2.2", 5433],
      ]);
      await session.close();
    } else await rejection(connecting);
    await server.done();
    assert.equal(server.dials.length, dials);
  });
}

test("every address of a name is dialed in the resolver's order, then the next host", async () => {
  const server = fakeServer(trust, {
    resolve: (host) =>
      host === "a.test"
        ? Promise.resolve(["192.0.2.1", "2001:db8::1"])
        : Promise.resolve(["192.0.2.9"]),
    onDial: (_address, dial) => {
      if (dial < 2) throw new ConnectionError("dial-failed", "Connection refused");
    },
  });
  const target = { ...TARGET, host: "a.test,b.test", sslmode: "disable" };
  const session = await connect(target, { adapter: server.adapter });
  assert.deepEqual(session.report.attempts.map(({ host, address }) => [host, address]), [
    ["a.test", "192.0.2.1"],
    ["a.test", "2001:db8::1"],
    ["b.test", "192.0.2.9"],
  ]);
  await session.close();
  await server.done();
});

test("a name that does not resolve leads to the next host and stands in the report", async () => {
  const server = fakeServer(trust, {
    resolve: (host) => {
      if (host === "b.test") return Promise.resolve(["192.0.2.9"]);
      throw new ConnectionError("name-not-found", `no such name`, { phase: "resolve" });
    },
  });
  const target = { ...TARGET, host: "a.test,b.test", sslmode: "disable" };
  const session = await connect(target, { adapter: server.adapter });
  const [first] = session.report.attempts;
  assert.deepEqual([first?.host, first?.phase, first?.error?.code], [
    "a.test",
    "resolve",
    "name-not-found",
  ]);
  await session.close();
  await server.done();
});

test("a name with no address at all is an error that names it", async () => {
  const server = fakeServer(trust, { resolve: () => Promise.resolve([]) });
  const error = await reasonOf(
    connect({ ...TARGET, host: "db.test" }, { adapter: server.adapter }),
  );
  assert.match(String(error), /db\.test/);
  assert.equal((error as ConnectionError).code, "name-not-found");
});

test("an adapter that resolves while dialing is given the name", async () => {
  const server = fakeServer(trust);
  const session = await connect({ ...LOCAL, host: "db.test", sslmode: "disable" }, {
    adapter: server.adapter,
  });
  assert.deepEqual(server.dials, [{ kind: "tcp", host: "db.test", port: 5432 }]);
  await session.close();
});

test("a permission that is missing ends everything, as no other host would mend it", async () => {
  const server = fakeServer(trust, {
    onDial: () => {
      throw new ConfigError("Deno needs the permission", { code: "missing-permission" });
    },
  });
  const failed = await refusal(connect(TWO, { adapter: server.adapter }));
  assert.equal(failed.code, "missing-permission");
  assert.equal(server.dials.length, 1);
});

test("nothing of a failed attempt is left in the session of the next", async () => {
  const server = fakeServer(firstOnly(async (peer) => {
    await peer.packet();
    await peer.end();
  }));
  const seen: string[] = [];
  const session = await connect(TWO, {
    adapter: server.adapter,
    onParameter: (name) => seen.push(name),
  });
  assert.deepEqual([...session.parameters.keys()], ["server_version"]);
  assert.deepEqual(seen, ["server_version"]);
  assert.equal(session.processId, 4711);
  assert.equal(session.report.attempts.at(-1)?.error, undefined);
  await session.close();
  await server.done();
});

/** Says nothing to the first `silent` connections. */
function silentFirst(silent: number, onSilence: () => void): Play {
  return async (peer, connection) => {
    if (connection >= silent) return await trust(peer, connection);
    await peer.packet();
    onSilence();
  };
}

for (
  const { name, host } of [
    { name: "another address", host: "192.0.2.1,192.0.2.2" },
    { name: "the same address, listed twice", host: "192.0.2.1,192.0.2.1" },
  ]
) {
  test(`connect_timeout begins anew for ${name}`, async () => {
    const timers = fakeTimers();
    try {
      const silence = deferred();
      const server = fakeServer(silentFirst(1, silence.resolve));
      const target = { ...TARGET, host, sslmode: "disable", connect_timeout: "3" };
      const connecting = connect(target, { adapter: server.adapter });
      await silence.promise;
      timers.fire();
      const session = await connecting;
      assert.deepEqual(timers.delays, [3000, 3000]);
      assert.equal(timers.pending, 0);
      assert.deepEqual(session.report.attempts.map(({ error }) => error?.code), [
        "timeout",
        undefined,
      ]);
      await session.close();
      await server.done();
    } finally {
      timers.restore();
    }
  });
}

test("connect_timeout goes on for another encryption of the same address", async () => {
  const timers = fakeTimers();
  try {
    const silence = deferred();
    const server = fakeServer(async (peer) => {
      if ((await peer.packet()).type === "SSLRequest") await peer.send(Uint8Array.of(0x53));
      else silence.resolve();
    }, {
      tls: () => {
        throw new ConnectionError("tls-failed", "handshake failure", { phase: "tls" });
      },
    });
    const target = { ...TARGET, sslmode: "prefer", connect_timeout: "3" };
    const connecting = connect(target, { adapter: server.adapter });
    await silence.promise;
    assert.deepEqual(timers.delays, [3000]);
    timers.fire();
    const error = await connectRejection(connecting);
    assert.deepEqual(error.errors.map(({ code }) => code), ["tls-failed", "timeout"]);
    await server.done();
  } finally {
    timers.restore();
  }
});

test("connect_timeout of zero or less sets no timer", async () => {
  for (const connect_timeout of ["0", "-1"]) {
    const timers = fakeTimers();
    try {
      const server = fakeServer(trust);
      const target = { ...TARGET, sslmode: "disable", connect_timeout };
      await (await connect(target, { adapter: server.adapter })).close();
      assert.deepEqual(timers.delays, []);
    } finally {
      timers.restore();
    }
  }
});

test("an aborted signal ends the list of hosts", async () => {
  const controller = new AbortController();
  const server = fakeServer(silentFirst(2, () => controller.abort()));
  const error = await reasonOf(
    connect(TWO, { adapter: server.adapter, signal: controller.signal }),
  );
  assert.ok(!(error instanceof ConnectError));
  await server.done();
  assert.equal(server.dials.length, 1);
});

test("the session's facts are those of the attempt that succeeded", async () => {
  const server = fakeServer(firstOnly(async (peer) => {
    await peer.packet();
    await peer.send(errorResponse("57P03", "starting up"));
  }));
  const session = await connect(TWO, { adapter: server.adapter });
  assert.equal(session.address.remoteAddress, "192.0.2.2");
  assert.equal(session.address.remotePort, 5433);
  assert.ok(session.report.durationMs >= 0);
  await session.close();
});
