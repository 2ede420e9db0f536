import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectEvent } from "../../src/connect/options.ts";
import type { Session } from "../../src/connect/session.ts";
import { type AttemptReport, PgHandshakeError } from "../../src/errors.ts";
import { attemptText } from "../../src/connect/connect_error.ts";
import { ConnectError } from "../../src/connect/connect_error.ts";
import { settled } from "../connect/deferred.ts";
import { fakeTimers, watchedSignal } from "../connect/fake_time.ts";
import { readVectors, type VectorCase } from "../support/vectors.ts";
import {
  type Behaviour,
  FIRST_PROCESS,
  type JourneyServer,
  journeyServer,
} from "./journey_server.ts";

interface JourneyCase extends VectorCase {
  readonly target: Readonly<Record<string, string>>;
  readonly names?: Readonly<Record<string, readonly string[]>>;
  readonly servers: Readonly<Record<string, Behaviour>>;
  readonly attempts: readonly string[];
  readonly sent: readonly string[];
  readonly clocks?: number;
}

/** What a journey ended with, and what it showed on the way. */
interface Travelled {
  readonly session: Session | undefined;
  readonly error: unknown;
  readonly attempts: readonly AttemptReport[];
  readonly events: readonly ConnectEvent[];
}

/** An attempt as the vectors write it. */
function textOf({ host, address, encryption, phase, error }: AttemptReport): string {
  const place = address === host ? host : `${host} (${address})`;
  const why = error === undefined
    ? ""
    : ` ${error.code === "server-error" ? error.sqlState : error.code}`;
  return `${place} ${encryption}: ${phase}${why}`;
}

async function travel(
  target: JourneyCase["target"],
  server: JourneyServer,
  signal: AbortSignal,
): Promise<Travelled> {
  const events: ConnectEvent[] = [];
  try {
    const session = await connect({ user: "app", dbname: "shop", ...target }, {
      adapter: server.adapter,
      signal,
      onEvent: (event) => events.push(event),
    });
    return { session, error: undefined, attempts: session.report.attempts, events };
  } catch (error) {
    if (!(error instanceof PgHandshakeError || error instanceof ConnectError)) throw error;
    return { session: undefined, error, attempts: error.attempts ?? [], events };
  }
}

/** How long an attempt may take before the next host's name is looked up beside it. */
const PATIENCE_MS = 250;

for (const one of readVectors<JourneyCase>("journey")) {
  test(`connect(): ${one.name}`, async () => {
    const timers = fakeTimers();
    const watched = watchedSignal();
    try {
      const server = journeyServer(one.servers, one.names ?? {}, () => {
        // The client still has to take what was said before the silence.
        void settled(5).then(() => timers.fire());
      });
      const travelled = await travel(one.target, server, watched.signal);
      assert.deepEqual(travelled.attempts.map(textOf), one.attempts);
      assertToldByEvents(travelled);
      assertThrown(travelled);
      await assertOwnSession(travelled, server);
      await server.done();
      assert.deepEqual(server.sent().map((names) => names.join(" ")), one.sent);
      assert.equal(new Set(server.nonces).size, server.nonces.length, "a nonce was used twice");
      assert.equal(server.nonces.includes(""), false, "a nonce was not found");
      const clocks = timers.delays.filter((delayMs) => delayMs !== PATIENCE_MS);
      assert.deepEqual(clocks, Array.from({ length: one.clocks ?? 0 }, () => 3000));
      assert.equal(timers.pending, 0);
      assert.equal(watched.listeners, 0);
    } finally {
      timers.restore();
    }
  });
}

/** Every attempt is told when it begins and when it fails; a look-up only when it fails. */
function assertToldByEvents({ attempts, events, session }: Travelled): void {
  const told = events.flatMap((event): readonly unknown[] => {
    if (event.type === "attempt") return [[event.host, event.address, event.encryption]];
    return event.type === "failed" ? [event.error] : event.type === "ready" ? ["ready"] : [];
  });
  const expected = attempts.flatMap(({ host, address, encryption, phase, error }) => [
    ...(phase === "resolve" ? [] : [[host, address, encryption]]),
    error ?? "ready",
  ]);
  assert.deepEqual(told, expected);
  const secured = events.filter(({ type }) => type === "secured").length;
  const inside = events.filter((event) => event.type === "message" && event.name === "SSLRequest");
  assert.ok(secured <= inside.length, "TLS that nobody asked for");
  assert.equal(session === undefined, !told.includes("ready"));
}

/** One attempt throws its own error; several throw all of them, each labelled by its place. */
function assertThrown({ error, attempts, session }: Travelled): void {
  if (session !== undefined) return assert.equal(error, undefined);
  const errors = attempts.map((attempt) => attempt.error);
  if (errors.length === 1) return assert.equal(error, errors[0]);
  assert.ok(error instanceof ConnectError);
  assert.deepEqual(error.errors, errors);
  assert.equal(error.cause, errors.at(-1));
  assert.deepEqual([error.code, error.sqlState, error.phase], [
    errors.at(-1)?.code,
    errors.at(-1)?.sqlState,
    errors.at(-1)?.phase,
  ]);
  assert.equal(error.message, attempts.map(attemptText).join("\n"));
}

/** The session's facts are those of its own connection, the last one (protocol.md, edge case 79). */
async function assertOwnSession(travelled: Travelled, server: JourneyServer): Promise<void> {
  const { session, attempts } = travelled;
  if (session === undefined) return;
  const connection = server.peers.length - 1;
  assert.equal(session.processId, FIRST_PROCESS + connection);
  assert.deepEqual(
    [...session.parameters.keys()].filter((name) => name.startsWith("only_on_connection_")),
    [`only_on_connection_${connection}`],
  );
  const last = attempts.at(-1);
  const { remoteAddress, path } = session.address;
  assert.equal(remoteAddress ?? path, last?.address);
  const own = travelled.events.slice(
    travelled.events.findLastIndex(({ type }) => type === "attempt"),
  );
  assert.equal(session.channel.kind === "tls", own.some(({ type }) => type === "secured"));
  assert.equal(
    session.authentication.method !== "none",
    own.some(({ type }) => type === "password-requested"),
  );
  assert.equal(session.transactionStatus, "I");
  await session.close();
}
