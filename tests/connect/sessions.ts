/** Open sessions over fake servers, and what servers answer to their queries. */
import assert from "node:assert/strict";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import type { Session } from "../../src/connect/session.ts";
import { UsageError } from "../../src/errors.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import type { ColumnDescription } from "../../src/wire/rows.ts";
import { type FakeServer, fakeServer, LOCAL, type Play, trust } from "./fake_server.ts";
import { rejection } from "./rejection.ts";

/** A target on this machine, without TLS. */
export const PLAIN: typeof LOCAL & { readonly sslmode: "disable" } = {
  ...LOCAL,
  sslmode: "disable",
};

/** The server awaits the next query, outside of a transaction. */
export const IDLE: BackendMessage = { type: "ReadyForQuery", status: "I" };

/** The answer to an empty query. */
export const EMPTY: readonly BackendMessage[] = [{ type: "EmptyQueryResponse" }, IDLE];

/** A session and the server it is open to. */
export interface Opened {
  readonly session: Session;
  readonly server: FakeServer;
}

/** Opens a session. */
export async function open(play: Play, options: ConnectOptions = {}): Promise<Opened> {
  const server = fakeServer(play);
  return { session: await connect(PLAIN, { adapter: server.adapter, ...options }), server };
}

/** Greets, then answers each query with what `answers` says in turn. */
export function answering(
  ...answers: readonly (readonly (BackendMessage | Uint8Array)[])[]
): Play {
  return async (peer, connection) => {
    await trust(peer, connection);
    for (const answer of answers) {
      await peer.message();
      await peer.send(...answer);
    }
  };
}

/** Asserts that the session takes no query any more. */
export async function isClosed(session: Session): Promise<void> {
  const error = await rejection(session.query("select 1"));
  assert.ok(error instanceof UsageError);
  assert.deepEqual([error.code, error.sqlState, error.phase], ["session-closed", "08003", "ready"]);
}

/** Asserts that the session still gives the server's answer, which must be EMPTY, and closes it. */
export async function isUsable(session: Session): Promise<void> {
  assert.deepEqual(await session.query(""), [{ columns: [], rows: [], command: "" }]);
  await session.close();
}

/** A column of type text. */
export function column(name: string): ColumnDescription {
  return {
    name,
    tableId: 0,
    columnNumber: 0,
    typeId: 25,
    typeSize: -1,
    typeModifier: -1,
    format: 0,
  };
}

/** What a statement with rows gives. */
export function rows(
  names: readonly string[],
  ...values: readonly (readonly (string | null)[])[]
): readonly BackendMessage[] {
  return [
    { type: "RowDescription", columns: names.map(column) },
    ...values.map((row) => ({ type: "DataRow" as const, values: row })),
    { type: "CommandComplete", tag: `SELECT ${values.length}` },
  ];
}
