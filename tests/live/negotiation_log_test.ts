import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { type AttemptReport, PgHandshakeError } from "../../src/errors.ts";
import { ConnectError } from "../../src/connect/connect_error.ts";
import { certificatePath } from "../support/certificates.ts";
import {
  PASSWORD,
  type PostgresServer,
  SCRAM_PASSWORD,
  startPostgres,
} from "../support/postgres.ts";
import { startIfPossible } from "../support/program.ts";
import { readVectors, type VectorCase } from "../support/vectors.ts";
import { type Parameters, targetOf } from "./session_with.ts";

interface Case extends VectorCase {
  readonly sslmodes: readonly string[];
  readonly sslnegotiation: string;
  readonly tls: readonly boolean[];
  readonly roles: readonly string[];
  readonly connections: readonly string[];
  readonly outcome: string;
}

const CASES = readVectors<Case>("negotiation_log");
const SSLMODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
const ROLES = ["scram_user", "no_tls_user", "tls_user", "reject_user"];

/** What a line of the log means here; everything else that comes of a client's connection is told as it is. */
const EVENTS: readonly (readonly [RegExp, string])[] = [
  [/^(SSLRequest (?:accepted|rejected)|direct SSL connection (?:accepted|rejected))$/, "$1"],
  [/^connection authorized: .* SSL enabled .*$/, "authorized with SSL"],
  [/^connection authorized: .*$/, "authorized"],
  [/^.*pg_hba\.conf (?:entry|rejects).*, (no encryption|SSL encryption)$/, "refused ($1)"],
];
/** No part of the negotiation. */
const QUIET = /^connection (received|authenticated): /;

const servers = await startIfPossible(async () => {
  const started = await Promise.all(
    [17, 18].flatMap((version) =>
      [true, false].map(async (tls) => ({
        version,
        tls,
        server: await startPostgres({
          version: version as 17 | 18,
          ...(tls ? {} : { tls: false }),
          settings: { trace_connection_negotiation: "on", log_line_prefix: "[%p] " },
        }),
      }))
    ),
  );
  return {
    get(version: number, tls: boolean): PostgresServer {
      const found = started.find((one) => one.version === version && one.tls === tls);
      if (found === undefined) throw new Error(`Cannot find a server of version ${version}`);
      return found.server;
    },
    async stop() {
      await Promise.all(started.map(({ server }) => server.stop()));
    },
  };
});

test("the table holds every sslmode, sslnegotiation, role and server exactly once", () => {
  const listed = CASES.flatMap(({ sslmodes, sslnegotiation, tls, roles }) =>
    sslmodes.flatMap((mode) =>
      tls.flatMap((on) => roles.map((role) => `${mode} ${sslnegotiation} ${on} ${role}`))
    )
  );
  const all = SSLMODES.flatMap((mode) =>
    ["postgres", "direct"].flatMap((negotiation) =>
      [true, false].flatMap((on) => ROLES.map((role) => `${mode} ${negotiation} ${on} ${role}`))
    )
  );
  assert.deepEqual(listed.sort(), all.sort());
});

for (const version of [17, 18]) {
  for (const one of CASES) {
    test(`PostgreSQL ${version} logs it: ${one.name}`, { skip: servers.skip }, async () => {
      for (const tls of one.tls) {
        for (const sslmode of one.sslmodes) {
          for (const role of one.roles) await check(version, one, { tls, sslmode, role });
        }
      }
    });
  }
}

async function check(
  version: number,
  { sslnegotiation, connections, outcome }: Case,
  row: { readonly tls: boolean; readonly sslmode: string; readonly role: string },
): Promise<void> {
  const server = servers.get().get(version, row.tls);
  const before = server.log().length;
  const { reached, encryptions } = await reach(targetOf(server, row.role, {
    sslmode: row.sslmode,
    sslnegotiation,
    password: row.role === "scram_user" ? SCRAM_PASSWORD : PASSWORD,
    ...(row.sslmode.startsWith("verify") ? { sslrootcert: certificatePath("ca.crt") } : {}),
  }));
  const events = await eventsSince(server, before);
  const told = events.map((list, index) => `${encryptions[index]}: ${list.join(", ")}`);
  const what = JSON.stringify({ ...row, sslnegotiation });
  assert.deepEqual(told, connections, what);
  assert.equal(reached, outcome, what);
  assert.equal(encryptions.length, connections.length, what);
}

/** The channel of the session or the error's code, and how each attempt began. */
async function reach(
  target: Parameters,
): Promise<{ readonly reached: string; readonly encryptions: readonly string[] }> {
  const of = (attempts: readonly AttemptReport[]): readonly string[] =>
    attempts.map(({ encryption }) => encryption);
  try {
    await using session = await connect(target);
    return { reached: session.channel.kind, encryptions: of(session.report.attempts) };
  } catch (error) {
    if (!(error instanceof ConnectError || error instanceof PgHandshakeError)) throw error;
    return { reached: error.code, encryptions: of(error.attempts ?? []) };
  }
}

let marks = 0;

/** What was logged of each connection over TCP. All a client has seen the effect of was logged before the mark. */
async function eventsSince(
  server: PostgresServer,
  before: number,
): Promise<readonly (readonly string[])[]> {
  const mark = `mark ${++marks} of the test`;
  await server.sql(`DO $$ BEGIN RAISE LOG '${mark}'; END $$`);
  await server.logged(new RegExp(mark));
  const byProcess = new Map<string, string[]>();
  for (const line of server.log().slice(before).split("\n")) {
    const [, pid = "", text = ""] = /^\[(\d+)\] (?:LOG|FATAL): {2}(.*)$/.exec(line) ?? [];
    if (text.startsWith("connection received: host=127.0.0.1")) byProcess.set(pid, []);
    if (text === "" || QUIET.test(text)) continue;
    const [pattern, event] = EVENTS.find(([pattern]) => pattern.test(text)) ?? [/^.*$/, "$&"];
    byProcess.get(pid)?.push(text.replace(pattern, event));
  }
  return [...byProcess.values()];
}
