import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { EventStream } from "../../src/connect/event_stream.ts";
import type { Notification } from "../../src/connect/options.ts";
import type { Session } from "../../src/connect/session.ts";
import { ConnectionError, PgHandshakeError, UsageError } from "../../src/errors.ts";
import { type BackendMessage, encodeBackend } from "../../src/wire/backend.ts";
import { watchHeld } from "../hostile/held.ts";
import { join } from "../support/vectors.ts";
import { deferred, settled } from "./deferred.ts";
import { errorResponse, type Play, trust } from "./fake_server.ts";
import type { Peer } from "./peer.ts";
import { reasonOf, rejection } from "./rejection.ts";
import { answering, EMPTY, IDLE, open } from "./sessions.ts";

const DONE = (tag: string): readonly BackendMessage[] => [{ type: "CommandComplete", tag }, IDLE];

function news(payload: string, channel = "news"): BackendMessage {
  return { type: "NotificationResponse", processId: 7, channel, payload };
}

/** The payloads of so many notifications. */
async function payloads(stream: EventStream<Notification>, count: number): Promise<string[]> {
  const found: string[] = [];
  while (found.length < count) {
    const { value, done } = await stream.next();
    assert.ok(done !== true, `it ended after ${found.length}`);
    found.push(value.payload);
  }
  return found;
}

/** The text of the next Query. */
async function queryText(peer: Peer): Promise<string> {
  const message = await peer.message();
  assert.ok(message.type === "Query");
  return message.text;
}

test("notifications() gives every notification from then on, to everybody who asks", async () => {
  const { session } = await open(answering([
    news("one"),
    news("two", "other"),
    ...EMPTY,
  ], [news("three"), ...EMPTY]));
  const first = session.notifications();
  await session.query("");
  const second = session.notifications();
  await session.query("");
  assert.deepEqual(await payloads(first, 3), ["one", "two", "three"]);
  assert.deepEqual(await payloads(second, 1), ["three"]);
  await session.close();
  assert.deepEqual(await first.next(), { value: undefined, done: true });
});

test("an iteration waits for what comes, and break ends it", async () => {
  const go = deferred();
  const { session } = await open(async (peer, connection) => {
    await trust(peer, connection);
    await go.promise;
    await peer.send(news("late"));
  });
  setTimeout(go.resolve, 1);
  const heard: string[] = [];
  for await (const { payload } of session.notifications()) {
    heard.push(payload);
    break;
  }
  assert.deepEqual(heard, ["late"]);
  await session.close();
});

test("notices() and parameterChanges() iterate like notifications()", async () => {
  const { session } = await open(answering([
    { type: "NoticeResponse", fields: { message: "careful" } },
    { type: "ParameterStatus", name: "TimeZone", value: "UTC" },
    ...EMPTY,
  ]));
  const notices = session.notices();
  const changes = session.parameterChanges();
  await session.query("");
  assert.equal((await notices.next()).value.message, "careful");
  assert.deepEqual((await changes.next()).value, { name: "TimeZone", value: "UTC" });
  await session.close();
});

test("iterations end with the reason why the session ended, behind what they held", async () => {
  const { session } = await open(async (peer, connection) => {
    await trust(peer, connection);
    await peer.send(news("last"), errorResponse("57P01", "shutting down"));
    await peer.end();
  });
  const stream = session.notifications();
  await session.closed;
  assert.deepEqual(await payloads(stream, 1), ["last"]);
  const error = await rejection(stream.next());
  assert.equal(error.sqlState, "57P01");
  assert.deepEqual(await stream.next(), { value: undefined, done: true });
});

test("iterations end well when the session is closed or handed over", async () => {
  for (
    const end of [(session: Session) => session.close(), (session: Session) => {
      session.detach().transport.close();
      return Promise.resolve();
    }]
  ) {
    const { session } = await open(trust);
    const waiting = session.notifications().next();
    await settled();
    await end(session);
    assert.deepEqual(await waiting, { value: undefined, done: true });
    assert.throws(() => session.notifications(), { code: "session-closed" });
  }
});

test("listen() sends LISTEN, filters by channel, and unlisten() sends UNLISTEN", async () => {
  const texts: string[] = [];
  const { session, server } = await open(async (peer, connection) => {
    await trust(peer, connection);
    texts.push(await queryText(peer));
    await peer.send(
      ...DONE("LISTEN"),
      news("a", 'we"ird'),
      news("b", "other"),
      news("c", 'we"ird'),
    );
    texts.push(await queryText(peer));
    await peer.send(...DONE("UNLISTEN"));
  });
  const subscription = await session.listen('we"ird');
  assert.equal(subscription.channel, 'we"ird');
  assert.deepEqual(await payloads(subscription, 2), ["a", "c"]);
  await subscription.unlisten();
  await subscription.unlisten();
  assert.deepEqual(texts, ['LISTEN "we""ird"', 'UNLISTEN "we""ird"']);
  assert.deepEqual(await subscription.next(), { value: undefined, done: true });
  await session.close();
  await server.done();
});

test("a channel two listen to is left with the second", async () => {
  const { session, server } = await open(
    answering(DONE("LISTEN"), DONE("LISTEN"), [news("x"), ...EMPTY], DONE("UNLISTEN")),
  );
  const first = await session.listen("news");
  const second = await session.listen("news");
  await first[Symbol.asyncDispose]();
  await session.query("");
  assert.deepEqual(await payloads(second, 1), ["x"]);
  await second.return();
  await session.close();
  await server.done();
  assert.deepEqual(server.sent(), [
    ["StartupMessage", "Query", "Query", "Query", "Query", "Terminate"],
  ]);
});

test("a LISTEN that fails leaves nothing behind", async () => {
  const { session } = await open(
    answering([errorResponse("25P02", "in a failed transaction", "ERROR"), IDLE], DONE("LISTEN"), [
      news("x"),
      ...EMPTY,
    ]),
  );
  assert.equal((await rejection(session.listen("news"))).sqlState, "25P02");
  const subscription = await session.listen("news");
  await session.query("");
  assert.deepEqual(await payloads(subscription, 1), ["x"]);
  await session.close();
  await subscription.unlisten();
});

for (const channel of ["", "x".repeat(64), "ä".repeat(32), "a\0b"]) {
  test(`a channel that no server has is refused: ${JSON.stringify(channel)}`, async () => {
    const { session, server } = await open(trust);
    const error = await rejection(session.listen(channel));
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /1 to 63 octets/);
    await session.close();
    await server.done();
    assert.deepEqual(server.sent(), [["StartupMessage", "Terminate"]]);
  });
}

test("a channel of 63 octets is listened to", async () => {
  const { session } = await open(answering(DONE("LISTEN")));
  assert.equal((await session.listen("x".repeat(63))).channel.length, 63);
  await session.close();
});

const PIECE = join(...Array.from({ length: 100 }, () => encodeBackend(news("n".repeat(800)))));

/** Pours notifications until the session takes no more for a while, and says how many octets it took. */
function pouring(most: number, progress: { taken: number }, behind?: Play): Play {
  return async (peer, connection) => {
    await trust(peer, connection);
    try {
      while (progress.taken < most) {
        await peer.send(PIECE);
        progress.taken += PIECE.length;
      }
    } catch (error) {
      // The test has seen enough and closed its session.
      if (error instanceof ConnectionError) return;
      throw error;
    }
    await behind?.(peer, connection);
  };
}

test("notifications nobody reads make the session stop reading, so that the server keeps them", async () => {
  const progress = { taken: 0 };
  const most = 64 * 1_048_576;
  const { session, server } = await open(pouring(most, progress));
  const stream = session.notifications();
  const watch = watchHeld();
  try {
    let before = -1;
    while (before !== progress.taken) {
      before = progress.taken;
      await settled(50);
    }
    assert.ok(progress.taken < 2_000_000, `${progress.taken} octets were taken`);
    const read = await payloads(stream, 5_000);
    assert.ok(read.every((payload) => payload.length === 800));
    await settled(50);
    assert.ok(progress.taken > before, "it went on");
    assert.ok(watch.most < 1_000_000, `${watch.most} octets were held`);
  } finally {
    watch.stop();
  }
  await session.close();
  await server.done();
});

test("a query gets its answer through notifications that nobody has read", async () => {
  const progress = { taken: 0 };
  const { session, server } = await open(pouring(1_500_000, progress, async (peer) => {
    await peer.message();
    await peer.send(...EMPTY);
  }));
  const stream = session.notifications();
  await settled(100);
  assert.equal((await session.query("")).length, 1);
  const count = progress.taken / PIECE.length * 100;
  assert.equal((await payloads(stream, count)).length, count);
  await session.close();
  await server.done();
});

test("while queries run at most 16 MiB wait; then the iteration fails, and the session goes on", async () => {
  const progress = { taken: 0 };
  const { session, server } = await open(pouring(20 * 1_048_576, progress, async (peer) => {
    await peer.message();
    await peer.send(...EMPTY);
    await peer.message();
    await peer.send(...EMPTY);
  }));
  const stream = session.notifications();
  await session.query("");
  assert.equal(progress.taken > 16 * 1_048_576, true);
  let held = 0;
  const error = await reasonOf((async () => {
    for (;;) {
      await stream.next();
      held += 1;
    }
  })());
  assert.ok(error instanceof UsageError);
  assert.match(error.message, /^Cannot keep more notifications: \d+ wait/);
  assert.ok(held * 800 < 16 * 1_048_576 && held * 1000 > 15 * 1_048_576, `${held} were held`);
  await session.query("");
  await session.close();
  await server.done();
});

test("a stream whose session was lost while somebody waits rejects once", async () => {
  const go = deferred();
  const { session } = await open(async (peer, connection) => {
    await trust(peer, connection);
    await go.promise;
    peer.break();
  });
  const stream = session.notifications();
  const waiting = [stream.next(), stream.next()];
  go.resolve();
  assert.ok(await reasonOf(waiting[0] as Promise<unknown>) instanceof PgHandshakeError);
  assert.deepEqual(await waiting[1], { value: undefined, done: true });
});

test("a stream that failed because nobody read it holds nobody else back", () => {
  let told = 0;
  const stream = new EventStream<string>({
    what: "events",
    onRoom: () => {},
    onClose: () => told++,
  });
  stream.push("much", 262_144);
  assert.equal(stream.full, true);
  stream.push("too much", 16 * 1_048_576);
  assert.deepEqual([stream.full, told], [false, 1]);
});
