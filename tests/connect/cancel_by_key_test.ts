import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { cancel, type CancelOptions } from "../../src/connect/cancel.ts";
import { ConfigError, ConnectionError, UsageError } from "../../src/errors.ts";
import { abortedFailure } from "../../src/transport/failures.ts";
import { toHex } from "../support/vectors.ts";
import { deferred } from "./deferred.ts";
import { type FakeServer, fakeServer, type Play, TARGET } from "./fake_server.ts";
import { fakeTimers } from "./fake_time.ts";
import { connectRejection, rejection } from "./rejection.ts";

const KEY = Uint8Array.of(0xca, 0xfe, 0xba, 0xbe);
const PLAIN = { ...TARGET, sslmode: "disable" };

const takeAndClose: Play = async (peer) => {
  await peer.packet();
  await peer.end();
};

const sslThen = (answer: number, play: Play): Play => async (peer, connection) => {
  await peer.packet();
  await peer.send(Uint8Array.of(answer));
  await play(peer, connection);
};

function run(server: FakeServer, options: Partial<CancelOptions> = {}): Promise<void> {
  return cancel({
    target: PLAIN,
    processId: 4711,
    secretKey: KEY,
    adapter: server.adapter,
    ...options,
  });
}

test("cancel() brings the key of any session and awaits the server's end", async () => {
  const server = fakeServer(takeAndClose);
  await run(server);
  await server.done();
  assert.equal(
    toHex(server.peers[0]?.octets[0] ?? new Uint8Array(0)),
    "00000010" + "04d2162e" + "00001267" + "cafebabe",
  );
});

test("cancel() takes the key as the integer that drivers keep", async () => {
  for (const secretKey of [0xcafebabe | 0, new DataView(KEY.buffer).getInt32(0)]) {
    const server = fakeServer(takeAndClose);
    await run(server, { secretKey, processId: -5 });
    await server.done();
    assert.equal(
      toHex(server.peers[0]?.octets[0] ?? new Uint8Array(0)),
      "00000010" + "04d2162e" + "fffffffb" + "cafebabe",
    );
  }
});

test("cancel() takes the long keys of protocol 3.2", async () => {
  const server = fakeServer(takeAndClose);
  const secretKey = Uint8Array.from({ length: 256 }, (_, index) => index);
  await run(server, { secretKey });
  await server.done();
  assert.equal(server.peers[0]?.octets.reduce((sum, { length }) => sum + length, 0), 12 + 256);
});

test("cancel() is encrypted as the target says", async () => {
  const server = fakeServer(sslThen(0x53, takeAndClose));
  await run(server, { target: { ...TARGET, sslmode: "require" } });
  await server.done();
  assert.deepEqual(server.sent(), [["SSLRequest", "CancelRequest"]]);
  const direct = fakeServer(takeAndClose);
  await run(direct, { target: { ...TARGET, sslmode: "require", sslnegotiation: "direct" } });
  assert.equal(direct.tlsRequests.length, 1);
});

test("cancel() goes on in plaintext after N with prefer, and not with require", async () => {
  const prefer = fakeServer(sslThen(0x4e, takeAndClose));
  await run(prefer, { target: { ...TARGET, sslmode: "prefer" } });
  await prefer.done();
  assert.deepEqual(prefer.sent(), [["SSLRequest", "CancelRequest"]]);
  const require = fakeServer(sslThen(0x4e, () => Promise.resolve()));
  const error = await rejection(run(require, { target: { ...TARGET, sslmode: "require" } }));
  assert.equal(error.code, "tls-refused");
  await require.done();
  assert.deepEqual(require.sent(), [["SSLRequest"]]);
});

test("cancel() tries the addresses of a name until one takes it", async () => {
  const server = fakeServer(takeAndClose, {
    resolve: () => Promise.resolve(["192.0.2.8", "192.0.2.9"]),
    onDial: (_address, dial) => {
      if (dial === 0) throw new ConnectionError("dial-failed", "Connection refused");
    },
  });
  await run(server, { target: { ...PLAIN, host: "db.test" } });
  await server.done();
  assert.deepEqual(server.dials.at(-1), { kind: "tcp", host: "192.0.2.9", port: 5432 });
});

test("a key that was sent is sent nowhere else", async () => {
  const server = fakeServer(async (peer) => {
    await peer.packet();
    await peer.send(Uint8Array.of(0x45));
  }, { resolve: () => Promise.resolve(["192.0.2.8", "192.0.2.9"]) });
  const error = await rejection(run(server, { target: { ...PLAIN, host: "db.test" } }));
  assert.deepEqual([error.code, error.phase], ["protocol-violation", "cancel"]);
  assert.equal(server.dials.length, 1);
});

test("several hosts are refused before anything is dialed", async () => {
  const server = fakeServer(takeAndClose);
  const error = await rejection(run(server, { target: { ...PLAIN, host: "192.0.2.1,192.0.2.2" } }));
  assert.ok(error instanceof ConfigError);
  assert.equal(error.keyword, "host");
  assert.equal(server.dials.length, 0);
});

for (
  const [name, wrong] of [
    ["a process ID that is no integer", { processId: 1.5 }],
    ["a process ID beyond 32 bits", { processId: 0xffff_ffff }],
    ["a key of 3 octets", { secretKey: KEY.subarray(1) }],
    ["a key of 257 octets", { secretKey: new Uint8Array(257) }],
    ["a key that is no integer", { secretKey: Number.NaN }],
    ["a key beyond 32 bits", { secretKey: 0xcafebabe }],
  ] as const
) {
  test(`${name} is refused, and not shown if it is a key`, async () => {
    const server = fakeServer(takeAndClose);
    const error = await rejection(run(server, wrong));
    assert.ok(error instanceof UsageError);
    assert.doesNotMatch(inspect(error), /cafebabe|3405691582/i);
    assert.equal(server.dials.length, 0);
  });
}

for (
  const { connect_timeout, delayMs } of [
    { connect_timeout: "7", delayMs: 7000 },
    { connect_timeout: "0", delayMs: 10_000 },
  ]
) {
  test(`a cancel nobody answers ends with connect_timeout=${connect_timeout}`, async () => {
    const arrived = deferred();
    const server = fakeServer(async (peer) => {
      await peer.packet();
      arrived.resolve();
    });
    const timers = fakeTimers();
    try {
      const running = run(server, { target: { ...PLAIN, connect_timeout } });
      await arrived.promise;
      assert.deepEqual(timers.delays, [delayMs]);
      timers.fire();
      const error = await rejection(running);
      assert.deepEqual([error.code, error.phase], ["timeout", "cancel"]);
      assert.equal(timers.pending, 0);
    } finally {
      timers.restore();
    }
    await server.done();
  });
}

test("a signal gives a cancel up", async () => {
  const arrived = deferred();
  const controller = new AbortController();
  const server = fakeServer(async (peer) => {
    await peer.packet();
    arrived.resolve();
  });
  const running = rejection(run(server, { signal: controller.signal }));
  await arrived.promise;
  controller.abort();
  assert.equal((await running).code, "aborted");
  await server.done();
});

test("all addresses that failed are told", async () => {
  const server = fakeServer(takeAndClose, {
    resolve: () => Promise.resolve(["192.0.2.8", "192.0.2.9"]),
    onDial: () => {
      throw new ConnectionError("dial-failed", "Connection refused");
    },
  });
  const error = await connectRejection(run(server, { target: { ...PLAIN, host: "db.test" } }));
  assert.deepEqual(error.attempts.map(({ address }) => address), ["192.0.2.8", "192.0.2.9"]);
});

test("a key that was taken goes nowhere else, though nobody closes in time", async () => {
  const timers = fakeTimers();
  try {
    const reached = deferred();
    const server = fakeServer(async (peer) => {
      await peer.packet();
      reached.resolve();
    }, { resolve: () => Promise.resolve(["192.0.2.1", "192.0.2.2"]) });
    const reason = rejection(run(server, { target: { ...PLAIN, host: "db.example" } }));
    await reached.promise;
    timers.fire();
    const error = await reason;
    assert.deepEqual([error.code, error.phase], ["timeout", "cancel"]);
    assert.equal(server.dials.length, 1);
  } finally {
    timers.restore();
  }
});

test("an address that does not answer a cancel is passed over, as no key was sent", async () => {
  const timers = fakeTimers();
  try {
    const dialing = deferred();
    const server = fakeServer(takeAndClose, {
      resolve: () => Promise.resolve(["192.0.2.1", "192.0.2.2"]),
      onDial: (address, dial, signal) =>
        dial > 0 ? undefined : new Promise((_, reject) => {
          signal?.addEventListener("abort", () => reject(abortedFailure(address, "dial")));
          dialing.resolve();
        }),
    });
    const over = run(server, { target: { ...PLAIN, host: "db.example" } });
    await dialing.promise;
    timers.fire();
    await over;
    assert.equal(server.dials.length, 2);
  } finally {
    timers.restore();
  }
});
