/** What servers of a journey tell about their state: whether they are standbys, and whether sessions are read-only. */
import type { BackendMessage } from "../../src/wire/backend.ts";
import { errorResponse } from "../connect/fake_server.ts";

type Rows = readonly (readonly string[])[];

/** What tells a session's state: reported, or shown to the two queries that ask for it. */
interface StateOf {
  readonly version: string;
  readonly reported?: readonly [readOnlyByDefault: string, inStandby: string];
  /** Rows of `SHOW transaction_read_only`, then of `pg_is_in_recovery()`; undefined is an error. */
  readonly shown?: readonly [Rows | undefined, Rows | undefined];
}

const rows = (readOnly: string, inRecovery: string): readonly [Rows, Rows] => [
  [[readOnly]],
  [[inRecovery]],
];

const STATES: Readonly<Record<string, StateOf>> = {
  "trust": { version: "18.6", reported: ["off", "off"] },
  "standby": { version: "18.6", reported: ["off", "on"] },
  "read-only": { version: "18.6", reported: ["on", "off"] },
  "old primary": { version: "12.5", shown: rows("off", "f") },
  "old standby": { version: "12.5", shown: rows("on", "t") },
  "old read-only": { version: "12.5", shown: rows("on", "f") },
  "silent about state": { version: "18.6", shown: rows("off", "f") },
  "ancient": { version: "8.4.22", shown: [[["off"]], undefined] },
  "probe fails": { version: "12.5", shown: [undefined, undefined] },
  "probe gives two rows": { version: "12.5", shown: [[["off"], ["off"]], [["f"], ["f"]]] },
  "probe gives nothing": { version: "12.5", shown: [[], []] },
};

/** The parameters of one connection, one of them its own. */
export function factsOf(connection: number, state: string): readonly BackendMessage[] {
  const { version, reported } = STATES[state] ?? { version: "12.5" };
  const parameters: readonly (readonly [string, string])[] = [
    ["server_version", version],
    [`only_on_connection_${connection}`, "yes"],
    ...(reported === undefined ? [] : [
      ["default_transaction_read_only", reported[0]],
      ["in_hot_standby", reported[1]],
    ] as const),
  ];
  return parameters.map(([name, value]) => ({ type: "ParameterStatus", name, value }));
}

const COLUMN = {
  name: "value",
  tableId: 0,
  columnNumber: 0,
  typeId: 25,
  typeSize: -1,
  typeModifier: -1,
  format: 0,
} as const;

/** What a server of that state answers to one of the two queries that ask for it. */
export function answerTo(query: string, state: string): readonly BackendMessage[] {
  const shown = STATES[state]?.shown;
  if (shown === undefined) throw new Error(`Cannot answer "${query}": "${state}" is reported`);
  const rows = query.startsWith("SHOW") ? shown[0] : shown[1];
  if (rows === undefined) return [errorResponse("42883", "no such function", "ERROR")];
  return [
    { type: "RowDescription", columns: [COLUMN] },
    ...rows.map((values): BackendMessage => ({ type: "DataRow", values })),
    { type: "CommandComplete", tag: `SELECT ${rows.length}` },
  ];
}
