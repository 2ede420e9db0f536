import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Session } from "../../src/connect/session.ts";
import { ConnectionError, PgHandshakeError, UsageError } from "../../src/errors.ts";
import { type BackendMessage, encodeBackend } from "../../src/wire/backend.ts";
import { BACKEND, MAX_LONG_LENGTH } from "../../src/wire/codes.ts";
import { type Play, trust } from "../connect/fake_server.ts";
import type { Peer } from "../connect/peer.ts";
import { reasonOf } from "../connect/rejection.ts";
import { answering, EMPTY, IDLE, isClosed, isUsable, open, rows } from "../connect/sessions.ts";
import { join } from "../support/vectors.ts";
import { header, type HeldWatch, watchHeld } from "./held.ts";

const PIECE = 65_536;
const MIB = 1_048_576;
/** The most a message nobody asked for may make a session hold (ours; libpq goes up to 1 GiB). */
const MAX_UNASKED = 16 * MIB;

/** Opens a session and watches what is held from then on. */
async function watched(
  play: Play,
  run: (session: Session, watch: HeldWatch) => Promise<void>,
  options: Parameters<typeof open>[1] = {},
): Promise<void> {
  const { session, server } = await open(play, options);
  const watch = watchHeld();
  try {
    await run(session, watch);
  } finally {
    watch.stop();
    await session.close();
    await server.done();
  }
}

/** Sends until the client has closed its side. */
async function pour(peer: Peer, octets: Uint8Array, times: number): Promise<void> {
  try {
    for (let sent = 0; sent < times; sent++) await peer.send(octets);
  } catch (error) {
    // The client has given up, which is what tests of endless streams wait for.
    if (!(error instanceof ConnectionError)) throw error;
  }
}

/** Answers the first query with `begin` and then one piece so many times; ends the stream behind it. */
function pouring(begin: Uint8Array, piece: Uint8Array, times: number): Play {
  return async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    await peer.send(begin);
    await pour(peer, piece, times);
    await peer.end();
  };
}

test("a message beyond 1 GiB is refused at its header in a session, whatever its type", async () => {
  for (let type = 0; type < 256; type++) {
    for (const length of [MAX_LONG_LENGTH + 1, 0x7fff_ffff, 0xffff_ffff]) {
      await watched(
        pouring(header(type, length), new Uint8Array(PIECE), 1),
        async (session, watch) => {
          const error = await reasonOf(session.query("select 1"));
          assert.ok(error instanceof PgHandshakeError, String(error));
          assert.deepEqual([error.code, error.phase, watch.most], [
            "malformed-message",
            "ready",
            5,
          ]);
          await isClosed(session);
        },
      );
    }
  }
});

/** Kinds that may be long although no query asked for their length. */
const UNASKED = [
  "ErrorResponse",
  "NoticeResponse",
  "NotificationResponse",
  "RowDescription",
  "ParameterDescription",
] as const;

for (const name of UNASKED) {
  test(`a ${name} of 1 GB in a session makes us hold 16 MiB at most`, async () => {
    const begin = join(header(BACKEND[name], MAX_LONG_LENGTH), new TextEncoder().encode("M"));
    const piece = new Uint8Array(PIECE).fill(0x78);
    await watched(pouring(begin, piece, 2 * MAX_UNASKED / PIECE), async (session, watch) => {
      const error = await reasonOf(session.query("select 1"));
      assert.ok(error instanceof PgHandshakeError, String(error));
      assert.ok(watch.most <= MAX_UNASKED + PIECE, `${watch.most} octets were held`);
      await isClosed(session);
    });
  });
}

test("endless notices in a session are delivered, and none is kept", async () => {
  const count = 200_000;
  const notice = encodeBackend({ type: "NoticeResponse", fields: { message: "n".repeat(20) } });
  const perPiece = Math.floor(PIECE / notice.length);
  const piece = join(...Array.from({ length: perPiece }, () => notice));
  let delivered = 0;
  await watched(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    await pour(peer, piece, Math.ceil(count / perPiece));
    await peer.send(...EMPTY);
    await peer.message();
    await peer.send(...EMPTY);
  }, async (session, watch) => {
    await session.query("");
    assert.equal(delivered, Math.ceil(count / perPiece) * perPiece);
    assert.ok(watch.pushed > delivered * notice.length);
    assert.ok(watch.most <= piece.length + notice.length, `${watch.most} octets were held`);
    await isUsable(session);
  }, { onNotice: () => delivered++ });
});

test("a thousand errors to one query leave the first, and hold one", async () => {
  const error = (number: number): BackendMessage => ({
    type: "ErrorResponse",
    fields: { severity: "ERROR", sqlState: "XX000", message: `${number} ${"x".repeat(20_000)}` },
  });
  const errors = Array.from({ length: 1_000 }, (_, number) => error(number));
  await watched(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    for (const one of errors) await peer.send(one);
    await peer.send(IDLE);
    await peer.message();
    await peer.send(...EMPTY);
  }, async (session, watch) => {
    const reason = await reasonOf(session.query("select 1"));
    assert.ok(reason instanceof PgHandshakeError);
    assert.match(reason.message, /^(ERROR: +)?0 x/);
    assert.ok(watch.most < 2 * 20_100);
    await isUsable(session);
  });
});

test("of a million new parameters in a session a thousand are kept, and the next ends it", async () => {
  const perPiece = 5_000;
  await watched(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    for (let number = 0; number < 1_000_000 && !peer.ended; number += perPiece) {
      const names = Array.from({ length: perPiece }, (_, at) => `p${number + at}`);
      const octets = names.map((name) =>
        encodeBackend({ type: "ParameterStatus", name, value: "" })
      );
      await pour(peer, join(...octets), 1);
    }
    await pour(peer, join(...EMPTY.map(encodeBackend)), 1);
  }, async (session) => {
    const outcome = await session.query("").then(() => "taken", (error: unknown) => error);
    assert.ok(session.parameters.size <= 1_000, `${session.parameters.size} are kept`);
    assert.ok(outcome instanceof PgHandshakeError, String(outcome));
    assert.deepEqual([outcome.code, outcome.phase], ["protocol-violation", "ready"]);
    await isClosed(session);
  });
});

test("a parameter that changes a hundred thousand times is kept once", async () => {
  const status = encodeBackend({ type: "ParameterStatus", name: "TimeZone", value: "UTC" });
  const piece = join(...Array.from({ length: 2_000 }, () => status));
  await watched(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    await pour(peer, piece, 50);
    await peer.send(...EMPTY);
  }, async (session, watch) => {
    await session.query("");
    assert.deepEqual([...session.parameters.keys()], ["server_version", "TimeZone"]);
    assert.ok(watch.most <= piece.length + status.length);
  });
});

const COPY_OUT: BackendMessage = { type: "CopyOutResponse", format: 0, columnFormats: [0] };
const COPY_DATA = encodeBackend({ type: "CopyData", data: new Uint8Array(PIECE) });

test("what COPY sends out is refused without being kept, and the session goes on", async () => {
  await watched(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    await peer.send(COPY_OUT);
    await pour(peer, COPY_DATA, 500);
    await peer.send({ type: "CopyDone" }, { type: "CommandComplete", tag: "COPY 1" }, IDLE);
    await peer.message();
    await peer.send(...EMPTY);
  }, async (session, watch) => {
    const error = await reasonOf(session.query("copy t to stdout"));
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /COPY/);
    assert.ok(watch.pushed > 500 * PIECE);
    assert.ok(watch.most <= 2 * COPY_DATA.length, `${watch.most} octets were held`);
    await isUsable(session);
  });
});

for (
  const [name, begin, piece] of [
    ["COPY data", encodeBackend(COPY_OUT), COPY_DATA],
    [
      "notices",
      new Uint8Array(0),
      encodeBackend({ type: "NoticeResponse", fields: { message: "-" } }),
    ],
  ] as const
) {
  test(`close() ends a query whose ${name} never end`, async () => {
    let endless = true;
    let seen = 0;
    let onHundredth = (): void => {};
    const { session, server } = await open(async (peer, connection) => {
      await trust(peer, connection);
      await peer.message();
      await peer.send(begin);
      await pour(peer, piece, Infinity);
      endless = false;
    }, {
      onEvent(event) {
        if (event.type === "message" && ++seen === 100) onHundredth();
      },
    });
    let closing: Promise<void> | undefined;
    onHundredth = () => closing = session.close();
    const error = await reasonOf(session.query("copy t to stdout"));
    assert.ok(error instanceof PgHandshakeError, String(error));
    assert.ok(closing !== undefined);
    await closing;
    await isClosed(session);
    await server.done();
    assert.equal(endless, false);
  });
}

test("rows whose descriptions change without end leave the last description only", async () => {
  const [description = IDLE, ...rest] = rows(["a"], ["1"]);
  await watched(
    answering([
      ...Array.from({ length: 5_000 }, () => description),
      ...rest,
      IDLE,
    ]),
    async (session) => {
      const results = await session.query("select 1");
      assert.deepEqual(results.map((one) => one.rows), [[["1"]]]);
    },
  );
});
