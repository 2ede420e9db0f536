import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { MessageFormatError, ProtocolError, UsageError } from "../../src/errors.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { errorResponse, fakeServer, type Play, trust } from "./fake_server.ts";
import { rejection } from "./rejection.ts";
import { answering, column, EMPTY, IDLE, isUsable, open, PLAIN, rows } from "./sessions.ts";

const FORMATS = { format: 0, columnFormats: [0] } as const;

const COPIES: readonly { readonly name: string; readonly play: Play }[] = [
  {
    name: "COPY FROM STDIN",
    play: async (peer) => {
      await peer.send({ type: "CopyInResponse", ...FORMATS });
      const refused = await peer.message();
      assert.equal(refused.type, "CopyFail");
      await peer.send(errorResponse("57014", "COPY from stdin failed", "ERROR"), IDLE);
    },
  },
  {
    name: "COPY TO STDOUT",
    play: (peer) =>
      peer.send(
        { type: "CopyOutResponse", ...FORMATS },
        { type: "CopyData", data: Uint8Array.of(0x31, 0x0a) },
        { type: "CopyDone" },
        { type: "CommandComplete", tag: "COPY 1" },
        IDLE,
      ),
  },
  {
    // A walsender takes CopyDone and CopyData only; CopyFail is FATAL there (walsender.c, ProcessRepliesIfAny).
    name: "START_REPLICATION",
    play: async (peer) => {
      await peer.send({ type: "CopyBothResponse", ...FORMATS });
      const refused = await peer.message();
      assert.equal(refused.type, "CopyDone");
      await peer.send(
        { type: "CopyData", data: new Uint8Array(25) },
        { type: "CopyDone" },
        { type: "CommandComplete", tag: "START_STREAMING" },
        IDLE,
      );
    },
  },
];

for (const { name, play } of COPIES) {
  test(`${name} is refused in our own words, and the session stays usable`, async () => {
    const server = fakeServer(async (peer, connection) => {
      await trust(peer, connection);
      await peer.message();
      await play(peer, connection);
      await peer.message();
      await peer.send(...EMPTY);
    });
    const session = await connect(PLAIN, { adapter: server.adapter });
    const error = await rejection(session.query(name));
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /^Cannot run COPY with query\(\)/);
    await isUsable(session);
    await server.done();
  });
}

const BROKEN: readonly {
  readonly name: string;
  readonly answer: readonly (BackendMessage | Uint8Array)[];
  readonly kind: typeof ProtocolError | typeof MessageFormatError;
}[] = [
  {
    name: "a DataRow with too many values",
    answer: [{ type: "RowDescription", columns: [column("one")] }, {
      type: "DataRow",
      values: ["1", "2"],
    }],
    kind: ProtocolError,
  },
  {
    name: "a DataRow without RowDescription",
    answer: [{ type: "DataRow", values: ["1"] }],
    kind: ProtocolError,
  },
  {
    name: "a DataRow of the statement before",
    answer: [...rows(["one"], ["1"]), { type: "DataRow", values: ["1"] }],
    kind: ProtocolError,
  },
  { name: "AuthenticationOk", answer: [{ type: "AuthenticationOk" }], kind: ProtocolError },
  { name: "CopyData without COPY", answer: [{ type: "CopyDone" }], kind: ProtocolError },
  { name: "an unknown type", answer: [Uint8Array.of(0x7e, 0, 0, 0, 4)], kind: ProtocolError },
  {
    name: "a message whose length is below 4",
    answer: [Uint8Array.of(0x43, 0, 0, 0, 3)],
    kind: MessageFormatError,
  },
  {
    name: "a message that announces more octets than its kind may have",
    answer: [Uint8Array.of(0x5a, 0x7f, 0xff, 0xff, 0xff)],
    kind: MessageFormatError,
  },
  {
    name: "a CommandComplete without its zero octet",
    answer: [Uint8Array.of(0x43, 0, 0, 0, 5, 0x41)],
    kind: MessageFormatError,
  },
];

for (const { name, answer, kind } of BROKEN) {
  test(`${name} in the answer to a query ends the session`, async () => {
    const { session, server } = await open(answering(answer));
    const error = await rejection(session.query("select 1"));
    assert.ok(error instanceof kind, String(error));
    assert.equal(error.phase, "ready");
    assert.equal((await rejection(session.query("select 1"))).code, "session-closed");
    await server.done();
  });
}

test("the end in the middle of a query is connection-lost", async () => {
  const server = fakeServer(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    await peer.end();
  });
  const session = await connect(PLAIN, { adapter: server.adapter });
  const error = await rejection(session.query("select 1"));
  assert.deepEqual([error.code, error.phase], ["connection-lost", "ready"]);
  assert.equal((await rejection(session.query("select 1"))).code, "session-closed");
  await server.done();
});

test("the server's FATAL error is told in place of the end that follows it", async () => {
  const server = fakeServer(async (peer, connection) => {
    await trust(peer, connection);
    await peer.message();
    await peer.send(errorResponse("57P01", "terminating connection"));
    await peer.end();
  });
  const session = await connect(PLAIN, { adapter: server.adapter });
  const error = await rejection(session.query("select 1"));
  assert.deepEqual([error.code, error.sqlState, error.phase], ["server-error", "57P01", "ready"]);
  await server.done();
});
