import "../support/guard.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { test } from "node:test";
import type { DetachedSession } from "../../src/connect/detached.ts";
import { UsageError } from "../../src/errors.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import { encodeFrontend } from "../../src/wire/frontend.ts";
import { join } from "../support/vectors.ts";
import { deferred, settled } from "./deferred.ts";
import { GREETING, type Play } from "./fake_server.ts";
import { reasonOf } from "./rejection.ts";
import { IDLE, open } from "./sessions.ts";

const NOTICE = encodeBackend({ type: "NoticeResponse", fields: { message: "early" } });
const ANSWER = encodeBackend({ type: "EmptyQueryResponse" });
const QUERY = encodeFrontend({ type: "Query", text: "" });
const TERMINATE = encodeFrontend({ type: "Terminate" });

/** Sends octets with the greeting, answers one query, then waits for the end. */
const conversation: Play = async (peer) => {
  await peer.packet();
  await peer.send(...GREETING, NOTICE);
  await peer.message();
  await peer.send(ANSWER, IDLE);
  await peer.message();
  await peer.end();
};

const EXPECTED = join(NOTICE, ANSWER, encodeBackend(IDLE));

async function detached(play: Play = conversation) {
  const { session, server } = await open(play);
  return { handed: session.detach(), server };
}

async function readable(from: ReadableStream<Uint8Array>, count: number): Promise<Uint8Array> {
  const reader = from.getReader();
  const chunks: Uint8Array[] = [];
  for (let length = 0; length < count;) {
    const { value, done } = await reader.read();
    assert.ok(!done);
    chunks.push(value);
    length += value.length;
  }
  reader.releaseLock();
  return join(...chunks);
}

test("Web Streams give what was read ahead first, and end with both sides", async () => {
  const { handed, server } = await detached();
  const writer = handed.writable.getWriter();
  assert.deepEqual(await readable(handed.readable, NOTICE.length), NOTICE);
  await writer.write(QUERY);
  assert.deepEqual(
    await readable(handed.readable, EXPECTED.length - NOTICE.length),
    EXPECTED.subarray(NOTICE.length),
  );
  await writer.write(TERMINATE);
  await writer.close();
  assert.deepEqual(await handed.readable.getReader().read(), { value: undefined, done: true });
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage", "Query", "Terminate"]]);
});

test("cancelling readable releases the socket", async () => {
  const { handed, server } = await detached();
  await handed.readable.cancel();
  await server.done();
});

test("aborting writable releases the socket, and reading fails", async () => {
  const { handed, server } = await detached();
  const { readable, writable } = handed;
  await writable.abort(new Error("enough"));
  const reader = readable.getReader();
  await reader.read();
  assert.equal((await reasonOf(reader.read()) as { code?: string }).code, "aborted");
  await server.done();
});

test("Web Streams read nothing ahead of their reader", async () => {
  let sent = 0;
  const { handed, server } = await detached(async (peer) => {
    await peer.packet();
    await peer.send(...GREETING);
    try {
      for (; sent < 1_000; sent++) await peer.send(new Uint8Array(65_536));
    } catch {
      // The test has seen enough and released the socket.
    }
  });
  await readable(handed.readable, 65_536);
  await settled(50);
  assert.ok(sent < 10, `${sent} pieces were taken`);
  await handed.readable.cancel();
  await server.done();
});

test("a Duplex gives what was read ahead first, and ends with both sides", async () => {
  const { handed, server } = await detached();
  const duplex = await handed.duplex();
  assert.equal(await handed.duplex(), duplex);
  const chunks: Buffer[] = [];
  const asked = deferred();
  duplex.on("data", (chunk: Buffer) => {
    assert.ok(Buffer.isBuffer(chunk));
    chunks.push(chunk);
    const length = chunks.reduce((sum, one) => sum + one.length, 0);
    if (length === EXPECTED.length) asked.resolve();
  });
  duplex.write(QUERY);
  await asked.promise;
  assert.deepEqual(new Uint8Array(Buffer.concat(chunks)), EXPECTED);
  const closed = once(duplex, "close");
  duplex.end(TERMINATE);
  await closed;
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage", "Query", "Terminate"]]);
});

test("destroying a Duplex releases the socket", async () => {
  const { handed, server } = await detached();
  const duplex = await handed.duplex();
  duplex.destroy();
  await once(duplex, "close");
  await server.done();
});

test("a write that cannot arrive is the error of a Duplex", async () => {
  const { handed } = await detached(async (peer) => {
    await peer.packet();
    await peer.send(...GREETING);
    await peer.message();
    peer.break();
  });
  const duplex = await handed.duplex();
  duplex.resume();
  duplex.write(QUERY);
  await once(duplex, "end");
  const failed = once(duplex, "error");
  duplex.write(QUERY);
  assert.equal(((await failed)[0] as { code?: string }).code, "connection-lost");
});

const VIEWS: readonly (readonly [string, (handed: DetachedSession) => unknown])[] = [
  ["transport", (handed) => handed.transport],
  ["Web Streams", (handed) => handed.readable],
  ["Duplex", (handed) => handed.duplex()],
];

for (const [first, take] of VIEWS) {
  for (const [second, takeAgain] of VIEWS.filter(([name]) => name !== first)) {
    test(`a session that was taken as ${first} is not given as ${second} too`, async () => {
      const { handed, server } = await detached();
      const view = await take(handed);
      assert.equal(await take(handed), view);
      // deno-lint-ignore require-await -- a getter throws, a method rejects: both alike here
      const error = await reasonOf((async () => takeAgain(handed))());
      assert.ok(error instanceof UsageError);
      assert.match(error.message, new RegExp(`as ${second}: it was taken as ${first}`));
      if (first === "transport") assert.ok(handed.leftover.length > 0);
      else assert.throws(() => handed.leftover, UsageError);
      await release(handed, first);
      await server.done();
    });
  }
}

async function release(handed: DetachedSession, view: string): Promise<void> {
  if (view === "transport") handed.transport.close();
  else if (view === "Web Streams") await handed.readable.cancel();
  else (await handed.duplex()).destroy();
}
