import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionError } from "../../src/errors.ts";
import { createMemoryPair, MemoryTransport } from "../../src/transport/memory.ts";
import type { TlsFacts } from "../../src/auth/channel.ts";
import type { TlsRequest, Transport } from "../../src/transport/transport.ts";
import { type Peer, runCase } from "./lab.ts";
import { readExactly } from "./octets.ts";
import { streamCases } from "./stream_cases.ts";

const FACTS: TlsFacts = {
  protocol: "TLSv1.3",
  cipher: "TLS_AES_128_GCM_SHA256",
  alpn: "postgresql",
  verified: "ca",
  serverCertificate: Uint8Array.of(0x30, 0),
};

const REQUEST: TlsRequest = {
  serverName: "localhost",
  verify: "full",
  host: "localhost",
  roots: "system",
  identity: undefined,
  minVersion: undefined,
  maxVersion: undefined,
  alpn: ["postgresql"],
};

/** The other end of a pair, as the contract's cases see it. */
class PairPeer implements Peer {
  readonly #transport: Transport;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async read(count: number): Promise<Uint8Array> {
    const octets = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const chunk = this.#rest.length > 0 ? this.#rest : await this.#transport.read();
      if (chunk === undefined) throw new Error(`the end came after ${filled} of ${count} octets`);
      const part = chunk.subarray(0, count - filled);
      octets.set(part, filled);
      filled += part.length;
      this.#rest = chunk.subarray(part.length);
    }
    return octets;
  }

  async readEnd(): Promise<void> {
    while (await this.#transport.read() !== undefined);
  }

  write(octets: Uint8Array): Promise<void> {
    return this.#transport.write(octets);
  }

  end(): void {
    void this.#transport.closeWrite();
  }
}

const cases = streamCases((lab) => {
  const [near, far] = createMemoryPair();
  lab.use(near);
  lab.use(far);
  return Promise.resolve({ near, far: new PairPeer(far) });
});
for (const one of cases) test(`memory pair: ${one.title}`, () => runCase(one));

test("memory pair: a write to a closed peer is a lost connection", async () => {
  const [near, far] = createMemoryPair();
  far.close();
  assert.equal(await near.read(), undefined);
  await assert.rejects(near.write(Uint8Array.of(1)), { code: "connection-lost" });
});

test("memory pair: a write that waits is lost when the peer closes", async () => {
  const [near, far] = createMemoryPair({ maxHeldOctets: 1 });
  const writing = near.write(Uint8Array.of(1));
  far.close();
  await assert.rejects(writing, { code: "connection-lost" });
});

test("memory pair: startTls() yields the facts it was given", async () => {
  const [near] = createMemoryPair({ tls: FACTS });
  assert.deepEqual(await near.startTls(REQUEST), FACTS);
});

test("memory pair: startTls() without facts fails", async () => {
  const [near] = createMemoryPair();
  await assert.rejects(near.startTls(REQUEST), { name: "UsageError" });
});

test("memory pair: startTls() refuses octets that arrived before the handshake", async () => {
  const [near, far] = createMemoryPair({ tls: FACTS });
  await far.write(Uint8Array.of(1, 2));
  await assert.rejects(near.startTls(REQUEST), {
    code: "protocol-violation",
    message: /2 octets arrived before the handshake/,
  });
});

test("memory pair: close() rejects a pending handshake", async () => {
  const [near] = createMemoryPair({ tls: () => new Promise(() => {}) });
  const securing = near.startTls(REQUEST);
  near.close();
  await assert.rejects(securing, { code: "aborted" });
});

test("scripted transport: steps are played as far as what was written allows", async () => {
  const transport = new MemoryTransport([
    { expect: 2 },
    { send: Uint8Array.of(0x53) },
    { expect: 1 },
    { send: Uint8Array.of(1, 2) },
    { end: true },
  ], { tls: FACTS });
  const reading = transport.read();
  await transport.write(Uint8Array.of(8));
  assert.equal(transport.played, false);
  await transport.write(Uint8Array.of(9));
  assert.deepEqual(await reading, Uint8Array.of(0x53));
  assert.equal(await transport.startTls(REQUEST), FACTS);
  assert.deepEqual(transport.tlsRequests, [REQUEST]);
  await transport.write(Uint8Array.of(10));
  assert.deepEqual(await readExactly(transport, 2), Uint8Array.of(1, 2));
  assert.equal(await transport.read(), undefined);
  assert.deepEqual(transport.written, Uint8Array.of(8, 9, 10));
  assert.equal(transport.played, true);
});

test("scripted transport: a reset breaks pending and later calls", async () => {
  const transport = new MemoryTransport([{ expect: 1 }, { reset: true }]);
  const reading = transport.read();
  await assert.rejects(transport.write(Uint8Array.of(1)), { code: "connection-lost" });
  await assert.rejects(reading, { code: "connection-lost", message: /Connection reset by peer$/ });
  await assert.rejects(transport.write(Uint8Array.of(1)), { code: "connection-lost" });
  assert.equal(transport.closed, true);
});

test("scripted transport: a handshake fails as the test says", async () => {
  const failure = new ConnectionError("certificate-untrusted", "Cannot verify it: expired");
  const transport = new MemoryTransport([], {
    tls: () => {
      throw failure;
    },
  });
  await assert.rejects(transport.startTls(REQUEST), (error) => error === failure);
});

test("scripted transport: closing is recorded", async () => {
  const transport = new MemoryTransport([]);
  assert.equal(transport.writeClosed, false);
  await transport.closeWrite();
  assert.equal(transport.writeClosed, true);
  assert.equal(transport.closed, false);
  transport.close();
  assert.equal(transport.closed, true);
});
