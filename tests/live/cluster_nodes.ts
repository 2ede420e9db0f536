/** The servers of a cluster by letters, and a connect that is told in them. */
import assert from "node:assert/strict";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectEvent } from "../../src/connect/options.ts";
import { type AttemptReport, PgHandshakeError } from "../../src/errors.ts";
import { ConnectError } from "../../src/connect/connect_error.ts";
import type { Cluster } from "../support/standby.ts";
import { type Parameters, valueOf } from "./session_with.ts";

/** P primary, A and B standbys, S refuses with 57P03, X nobody listens. */
export type Node = "P" | "A" | "B" | "S" | "X";
/** The port of each on 127.0.0.1. */
export type Ports = Readonly<Record<Node, number>>;

/** @param unused A port nobody listens on. */
export function portsOf(cluster: Cluster, unused: number): Ports {
  const { primary, standbys: [first, second], starting } = cluster;
  return { P: primary.port, A: first.port, B: second.port, S: starting.port, X: unused };
}

/** The target for these nodes in this order, as in "PAB". */
export function targetOf(ports: Ports, order: string, parameters: Parameters = {}): Parameters {
  const nodes = [...order] as Node[];
  return {
    host: nodes.map(() => "127.0.0.1").join(","),
    port: nodes.map((node) => ports[node]).join(","),
    user: "trust_user",
    dbname: "app",
    sslmode: "disable",
    ...parameters,
  };
}

/** Every attempt as node and `ready` or the error's code, as in "P session-attrs". */
export function told(ports: Ports, attempts: readonly AttemptReport[]): readonly string[] {
  const nodes = Object.entries(ports);
  return attempts.map(({ port, phase, error }) => {
    const [node] = nodes.find(([, one]) => one === port) ?? ["?"];
    return `${node} ${error === undefined ? phase : error.code}`;
  });
}

/** How a connect went. */
export interface Went {
  /** As `told` says it. */
  readonly attempts: readonly string[];
  /** Whether the session is in recovery, and whether it is read-only, in the server's own words. */
  readonly state: readonly (string | null | undefined)[];
  /** How many queries were sent before the session was handed over. */
  readonly probes: number;
}

/** Connects, and tells how it went, whether or not it ended in a session. */
export async function go(ports: Ports, order: string, parameters: Parameters): Promise<Went> {
  let probes = 0;
  const onEvent = (event: ConnectEvent): void => {
    if (event.type === "message" && event.name === "Query") probes += 1;
  };
  let session;
  try {
    session = await connect(targetOf(ports, order, parameters), { onEvent });
  } catch (error) {
    if (!(error instanceof ConnectError || error instanceof PgHandshakeError)) throw error;
    const { attempts = [] } = error;
    assert.equal(error.code, attempts.at(-1)?.error?.code);
    return { attempts: told(ports, attempts), state: [], probes };
  }
  const before = probes;
  try {
    const state = [
      await valueOf(session, "select pg_is_in_recovery()"),
      await valueOf(session, "show transaction_read_only"),
    ];
    return { attempts: told(ports, session.report.attempts), state, probes: before };
  } finally {
    await session.close();
  }
}
