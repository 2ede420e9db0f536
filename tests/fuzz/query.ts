/** Simple queries: legal answers give what was put in, any other order ends in a declared error. */
import assert from "node:assert/strict";
import { Collector, type QueryResult, SimpleQuery } from "../../src/connect/simple_query.ts";
import { ProtocolError, UsageError } from "../../src/errors.ts";
import { ServerError } from "../../src/handshake/server_error.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import { SESSION_LIMITS } from "../../src/wire/limits.ts";
import type { Prng } from "../support/prng.ts";
import { join } from "../support/vectors.ts";
import { decodeServer } from "../wire/cases.ts";
import { fuzz, type Report, type Target, withoutPieces } from "./fuzz.ts";
import { backendMessageOf } from "./messages.ts";
import { edge, list, outcome, pieces, text } from "./parts.ts";

interface Input {
  readonly messages: readonly BackendMessage[];
  /** What the messages amount to; undefined if they are in no order. */
  readonly results: readonly QueryResult[] | undefined;
  readonly cut: number;
}

const TYPES = [
  "RowDescription",
  "DataRow",
  "DataRow",
  "CommandComplete",
  "EmptyQueryResponse",
  "ErrorResponse",
  "ReadyForQuery",
  "CopyInResponse",
  "CopyOutResponse",
  "CopyBothResponse",
  "CopyData",
  "CopyDone",
  "AuthenticationOk",
  "ParameterStatus",
] as const;

const TARGET: Target<Input> = {
  name: "query",
  generate(prng) {
    const cut = 1 + prng.below(0xffff_0000);
    if (prng.below(2) === 0) return { ...legal(prng), cut };
    if (prng.below(3) === 0) {
      const messages = legal(prng).messages.map((message) => spoilt(message, prng));
      return { messages, results: undefined, cut };
    }
    const messages = list(prng, 8, () => backendMessageOf(prng, TYPES));
    return { messages, results: undefined, cut };
  },
  check({ messages, results, cut }) {
    const octets = join(...messages.map(encodeBackend));
    const read = decodeServer(pieces(octets, cut), SESSION_LIMITS);
    assert.deepEqual(read, messages);
    const collector = new Collector();
    const query = new SimpleQuery(collector);
    const end = outcome([ProtocolError], () => take(query, read));
    if (end.kind === "error") {
      assert.ok(results === undefined, "legal messages are refused");
      assert.equal(end.error.phase, "ready");
      return end.error.code;
    }
    const given = outcome([ServerError, UsageError], () => {
      if (query.error !== undefined) throw query.error;
      return collector.results;
    });
    assert.equal(given.kind === "error", query.error !== undefined);
    if (given.kind === "error") {
      // COPY is our caller's mistake; without one no UsageError may be the server's doing.
      const copies = messages.some(({ type }) => /^Copy.*Response$/.test(type));
      assert.ok(!(given.error instanceof UsageError) || copies, given.error.message);
      assert.ok(messages.some(({ type }) => type === "ErrorResponse" || type.startsWith("Copy")));
      return given.error.code;
    }
    for (const { columns, rows } of given.value) {
      for (const row of rows) assert.equal(row.length, columns.length);
    }
    if (results !== undefined) assert.deepEqual(given.value, results);
    return end.value === undefined ? "unfinished" : "finish";
  },
  show: ({ messages, cut }) => JSON.stringify({ messages, cut }),
  *smaller(input) {
    for (const messages of withoutPieces(input.messages)) {
      yield { ...input, messages, results: undefined };
    }
  },
};

/** Plays queries. */
export function run(seed: number, cases: number): Report {
  return fuzz(TARGET, seed, cases);
}

/** The status of ReadyForQuery; undefined if it did not come. */
function take(query: SimpleQuery, messages: readonly BackendMessage[]): string | undefined {
  for (const message of messages) {
    const step = query.onMessage(message);
    if (step.do === "finish") return step.status;
    if (step.do === "send") assert.match(step.message.type, /^Copy(Fail|Done)$/);
  }
  return undefined;
}

function legal(prng: Prng): Omit<Input, "cut"> {
  const results = list(prng, 3, () => statement(prng));
  const messages = results.flatMap(({ columns, rows, command }): BackendMessage[] =>
    command === "" ? [{ type: "EmptyQueryResponse" }] : [
      ...(columns.length > 0 ? [{ type: "RowDescription", columns } as const] : []),
      ...rows.map((values) => ({ type: "DataRow", values }) as const),
      { type: "CommandComplete", tag: command },
    ]
  );
  const status = prng.pick(["I", "T", "E"] as const);
  return { results, messages: [...messages, { type: "ReadyForQuery", status }] };
}

/** A row with a value too many or too few, at times. */
function spoilt(message: BackendMessage, prng: Prng): BackendMessage {
  if (message.type !== "DataRow" || prng.below(3) > 0) return message;
  const { values } = message;
  return { type: "DataRow", values: prng.below(2) === 0 ? values.slice(1) : [...values, null] };
}

function statement(prng: Prng): QueryResult {
  const nothing = { columns: [], rows: [] };
  if (prng.below(4) === 0) return { ...nothing, command: "" };
  const command = `SELECT ${text(prng)}`;
  if (prng.below(4) === 0) return { ...nothing, command };
  const columns = Array.from({ length: 1 + prng.below(3) }, () => ({
    name: text(prng),
    tableId: edge(prng, 0, 0xffff_ffff),
    columnNumber: 1,
    typeId: 25,
    typeSize: -1,
    typeModifier: -1,
    format: 0,
  }));
  const value = (): string | null => prng.below(5) === 0 ? null : text(prng);
  const rows = list(prng, 4, () => columns.map(value));
  return { columns, rows, command };
}
