import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { GssTransport } from "../../src/connect/gss_transport.ts";
import { type ConnectionError, UsageError } from "../../src/errors.ts";
import { createMemoryPair } from "../../src/transport/memory.ts";
import type { TlsRequest, Transport } from "../../src/transport/transport.ts";
import { gssFrame, MAX_GSS_FRAME } from "../../src/wire/gss_frames.ts";
import { FakeContext } from "../gss/fake_provider.ts";
import { join, split, toHex } from "../support/vectors.ts";
import { rejection } from "./rejection.ts";

interface Pair {
  readonly near: GssTransport;
  readonly context: FakeContext;
  /** The other end, without encryption. */
  readonly wire: Transport;
  /** Packets of the server, in order. */
  packet(text: string): Promise<Uint8Array>;
}

function pair(maxPlain = 100): Pair {
  const [inner, wire] = createMemoryPair();
  const context = new FakeContext();
  const server = new FakeContext();
  return {
    near: new GssTransport(inner, context, maxPlain),
    context,
    wire,
    packet: async (text) => gssFrame(await server.wrap(new TextEncoder().encode(text))),
  };
}

async function textOf(transport: Transport): Promise<string | undefined> {
  const octets = await transport.read();
  return octets && new TextDecoder().decode(octets);
}

test("packets are decrypted however they are cut", async () => {
  for (const pieces of [1, 2, 5, 1000]) {
    const { near, wire, packet } = pair();
    const stream = join(await packet("one"), await packet(""), await packet("two"));
    let told = "";
    const reading = (async () => {
      for (let text = await textOf(near); text !== undefined; text = await textOf(near)) {
        assert.ok(text.length > 0);
        told += text;
      }
    })();
    for (const piece of split(stream, pieces)) await wire.write(piece);
    await wire.closeWrite();
    await reading;
    assert.equal(told, "onetwo");
  }
});

test("what is written is cut into packets a server takes", async () => {
  const { near, wire } = pair(100);
  await near.write(new Uint8Array(250).fill(7));
  const server = new GssTransport(wire, new FakeContext(), 100);
  const got = await server.read();
  assert.equal(toHex(got ?? new Uint8Array(0)), "07".repeat(250));
  await near.write(new Uint8Array(0));
  assert.equal(near.endpoint, near.endpoint);
});

for (
  const [what, forge] of [
    ["a packet that is repeated", (one: Uint8Array, two: Uint8Array) => [one, one, two]],
    ["a packet that is left out", (_one: Uint8Array, two: Uint8Array) => [two]],
    ["a packet in the wrong place", (one: Uint8Array, two: Uint8Array) => [two, one]],
    ["a packet with a bit turned", (one: Uint8Array) => {
      const turned = one.slice();
      turned[turned.length - 1] = (turned[turned.length - 1] ?? 0) ^ 1;
      return [turned];
    }],
  ] as const
) {
  test(`${what} ends the transport for good`, async () => {
    const { near, wire, packet } = pair();
    const packets = forge(await packet("one"), await packet("two"));
    await wire.write(join(...packets));
    const first = await textOf(near).catch((error: ConnectionError) => error.code);
    // What came before it was genuine.
    assert.ok(first === "one" || first === "gss-failed", String(first));
    for (let again = 0; again < 2; again++) {
      const error = await rejection(near.read()) as ConnectionError;
      assert.deepEqual([error.code, error.phase], ["gss-failed", "ready"]);
    }
    const error = await rejection(near.write(Uint8Array.of(1))) as ConnectionError;
    assert.equal(error.code, "gss-failed");
  });
}

test("a stream in clear is refused by its first octets", async () => {
  const { near, wire } = pair();
  await wire.write(Uint8Array.of(0x52, 0, 0, 0, 8, 0, 0, 0, 0));
  const error = await rejection(near.read()) as ConnectionError;
  assert.deepEqual([error.code, error.phase], ["protocol-violation", "ready"]);
});

test("the end between packets is the end, in one it is a loss", async () => {
  const whole = pair();
  await whole.wire.write(await whole.packet("one"));
  await whole.wire.closeWrite();
  assert.equal(await textOf(whole.near), "one");
  assert.equal(await textOf(whole.near), undefined);
  const cut = pair();
  await cut.wire.write((await cut.packet("one")).subarray(0, 7));
  await cut.wire.closeWrite();
  const error = await rejection(cut.near.read()) as ConnectionError;
  assert.equal(error.code, "connection-lost");
  assert.match(error.message, /in the middle of an encrypted packet/);
});

test("a context that makes packets too long for a server sends none of them", async () => {
  const { near, wire } = pair(MAX_GSS_FRAME);
  const error = await rejection(near.write(new Uint8Array(MAX_GSS_FRAME))) as ConnectionError;
  assert.equal(error.code, "gss-failed");
  near.close();
  assert.equal(await wire.read(), undefined);
});

test("a provider that throws what it likes gives an error of ours with its cause", async () => {
  const { near, wire, packet, context } = pair();
  const cause = new RangeError("oops");
  context.unwrap = () => Promise.reject(cause);
  await wire.write(await packet("one"));
  const error = await rejection(near.read()) as ConnectionError;
  assert.equal(error.code, "gss-failed");
  assert.equal(error.cause, cause);
});

test("close() releases socket and context, closeWrite() only our side, and TLS cannot begin inside", async () => {
  const { near, wire, context, packet } = pair();
  await near.closeWrite();
  assert.equal(await wire.read(), undefined);
  await wire.write(await packet("one"));
  assert.equal(await textOf(near), "one");
  assert.ok(await rejection(near.startTls({} as TlsRequest)) instanceof UsageError);
  assert.equal(context.disposed, false);
  near.close();
  near.close();
  assert.equal(context.disposed, true);
  await rejection(near.read());
});
