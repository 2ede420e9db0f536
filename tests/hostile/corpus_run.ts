/** Plays a case against connect() and checks everything it says. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect } from "../../src/connect/connect.ts";
import type { Session } from "../../src/connect/session.ts";
import { PgHandshakeError, type Phase } from "../../src/errors.ts";
import { ConnectError } from "../../src/connect/connect_error.ts";
import { deferred, settled } from "../connect/deferred.ts";
import { fakeTimers } from "../connect/fake_time.ts";
import { FakeGss } from "../gss/fake_provider.ts";
import { printed } from "../handshake/secrets.ts";
import { certificateText } from "../support/certificates.ts";
import { BASE, GENERATED, type HostileCase, type HostileOutcome, MAX_HELD } from "./corpus_case.ts";
import { fixedNonce, type HostileServer, hostileServer, watchHeld } from "./corpus_server.ts";

/** How an attempt ended. */
type End = { readonly session: Session; readonly notices: number } | { readonly error: unknown };

/** Which settings a case uses; `@name` stands for the text of a fixture. */
function targetOf(one: HostileCase): string | Record<string, string> {
  if (one.target !== undefined) return one.target;
  const entries = Object.entries({ ...BASE, ...one.settings }).flatMap(([name, value]) => {
    if (value === null) return [];
    return [[name, value.startsWith("@") ? certificateText(value.slice(1)) : value]];
  });
  return Object.fromEntries(entries);
}

/**
 * Plays one case.
 *
 * @param one The case.
 * @param pieceOctets How the server's flights are cut; Infinity sends them whole.
 */
export async function runCase(one: HostileCase, pieceOctets: number): Promise<void> {
  const silence = deferred();
  const server = hostileServer(one.server, {
    pieceOctets,
    silence,
    ...(one.tls === undefined ? {} : { tls: one.tls }),
  });
  const undo = fixedNonce();
  const held = watchHeld();
  const silent = one.server.some((steps) => steps.includes("silence"));
  const timers = silent ? fakeTimers() : undefined;
  try {
    const ending = endOf(one, server);
    if (timers !== undefined) {
      // A client that refuses before the silence begins has ended already.
      await Promise.race([silence.promise, ending]);
      await settled();
      timers.fire();
    }
    const end = await ending;
    checkOutcome(one, end, pieceOctets === Infinity ? undefined : one.cutPhase);
    if ("session" in end) await end.session.close();
    await server.done();
    assert.deepEqual(server.peers.map(({ ended }) => ended), server.peers.map(() => true));
    assert.equal(timers?.pending ?? 0, 0, "a timer is left");
  } finally {
    timers?.restore();
    held.restore();
    undo();
  }
  checkSent(one, server);
  const bound = Math.max(one.heldAtMost ?? MAX_HELD, 0) + pieceSlack(pieceOctets);
  assert.ok(held.most <= bound, `the client held ${held.most} octets, above ${bound}`);
  const { taken } = server;
  const most = (one.takenAtMost ?? Infinity) + pieceSlack(pieceOctets);
  assert.ok(taken <= most, `the client took ${taken} octets, above ${most}`);
}

/** What a socket delivers at once is held whatever it is; only what is gathered from pieces tells of the bound. */
function pieceSlack(pieceOctets: number): number {
  return pieceOctets === Infinity ? Infinity : pieceOctets;
}

async function endOf(one: HostileCase, { adapter }: HostileServer): Promise<End> {
  let notices = 0;
  const { bearerToken, ...others } = one.options ?? {};
  try {
    const session = await connect(targetOf(one), {
      ...others,
      ...(bearerToken === undefined ? {} : { bearerToken: bearerToken ?? (() => undefined) }),
      ...(one.gss === true ? { gss: new FakeGss({ credentials: false }) } : {}),
      adapter,
      onNotice: () => notices += 1,
    });
    return { session, notices };
  } catch (error) {
    return { error };
  }
}

function checkOutcome(one: HostileCase, end: End, cutPhase: Phase | undefined): void {
  const { outcome } = one;
  if ("session" in outcome) {
    if ("error" in end) throw end.error;
    return checkSession(outcome.session, end);
  }
  if ("session" in end) {
    assert.fail(`a session by ${end.session.authentication.method} in place of ${outcome.fail}`);
  }
  const { error } = end;
  if (!(error instanceof PgHandshakeError || error instanceof ConnectError)) throw error;
  assert.deepEqual(
    [error.code, error.phase],
    [outcome.fail, cutPhase ?? outcome.phase],
    error.message,
  );
  if (outcome.sqlState !== undefined) assert.equal(error.sqlState, outcome.sqlState);
  const shown = one.attack === GENERATED ? error.message : printed(error);
  for (const text of outcome.includes ?? []) {
    assert.ok(error.message.includes(text), `"${error.message}" lacks "${text}"`);
  }
  for (const text of ["pencil", ...outcome.notIncludes ?? []]) {
    assert.ok(!shown.includes(text), `the error shows "${text}": ${error.message}`);
  }
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(error.message, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/, "a control character");
}

function checkSession(
  expected: Extract<HostileOutcome, { session: unknown }>["session"],
  { session, notices }: Extract<End, { session: Session }>,
): void {
  const found = {
    method: session.authentication.method,
    channelBound: session.authentication.channelBound,
    protocolVersion: session.protocolVersion,
    parameters: Object.fromEntries(session.parameters),
    serverVersion: session.serverVersion?.number,
    transactionStatus: session.transactionStatus,
    notices,
  };
  for (const [name, value] of Object.entries(expected)) {
    assert.deepEqual(found[name as keyof typeof found], value, name);
  }
}

function checkSent(one: HostileCase, server: HostileServer): void {
  const sent = server.sent();
  assert.deepEqual(sent, one.sent);
  for (const name of one.mustNotSend ?? []) {
    const plaintext = name.startsWith("plaintext ");
    for (const names of sent) {
      const clear = names.includes("TLS") ? names.slice(0, names.indexOf("TLS")) : names;
      const word = name.replace("plaintext ", "");
      assert.ok(!(plaintext ? clear : names).includes(word), `${name} was sent`);
    }
  }
  if (one.clearAllowed === true) return;
  for (const { octets } of server.peers) {
    const all = Buffer.concat(octets).toString("latin1");
    assert.ok(!all.includes("pencil"), "the password went out in clear");
  }
}
