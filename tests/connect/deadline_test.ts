import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ConnectionError, type Phase } from "../../src/errors.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import { interceptPbkdf2 } from "../support/pbkdf2.ts";
import { type Deferred, deferred, never, settled } from "./deferred.ts";
import { fakeTimers, watchedSignal } from "./fake_time.ts";
import { type FakeOptions, fakeServer, GREETING, LOCAL, type Play } from "./fake_server.ts";
import { reasonOf } from "./rejection.ts";
import { ScramServer } from "./scram_server.ts";

/** A place where connect() waits. */
interface Place {
  readonly name: string;
  readonly phase: Phase;
  readonly target?: Readonly<Record<string, string>>;
  readonly options?: (reached: Deferred) => ConnectOptions;
  readonly server?: (reached: Deferred) => FakeOptions;
  readonly play: (reached: Deferred) => Play;
  /** Runs around the connection; returns what undoes it. */
  readonly prepare?: (reached: Deferred) => () => void;
  /** The names of what was sent until then. */
  readonly sent: readonly (readonly string[])[];
}

const nothing: Play = () => Promise.resolve();
const half = Uint8Array.of(0x52, 0, 0);

/** Waits for the StartupMessage, sends `messages` and says that the place is reached. */
function after(...messages: readonly Uint8Array[]): Place["play"] {
  return (reached) => async (peer) => {
    await peer.packet();
    if (messages.length > 0) await peer.send(...messages);
    reached.resolve();
  };
}

const SCRAM = { password: "pencil" } as const;

const PLACES: readonly Place[] = [
  {
    name: "while the name is looked up",
    phase: "resolve",
    target: { host: "db.test" },
    server: (reached) => ({
      resolve() {
        reached.resolve();
        return never();
      },
    }),
    play: () => nothing,
    sent: [],
  },
  {
    name: "while the socket is opened",
    phase: "dial",
    server: (reached) => ({
      async onDial(_address, _dial, signal) {
        reached.resolve();
        await new Promise<void>((_, reject) => {
          signal?.addEventListener("abort", () => reject(new Error("given up")), { once: true });
        });
      },
    }),
    play: () => nothing,
    sent: [],
  },
  {
    name: "while SSLRequest is unanswered",
    phase: "negotiate",
    target: { sslmode: "require" },
    play: after(),
    sent: [["SSLRequest"]],
  },
  {
    name: "while the TLS handshake is unanswered",
    phase: "tls",
    target: { sslmode: "require" },
    server: (reached) => ({
      tls() {
        reached.resolve();
        return never();
      },
    }),
    play: () => async (peer) => {
      await peer.packet();
      await peer.send(Uint8Array.of(0x53));
    },
    sent: [["SSLRequest"]],
  },
  {
    name: "while StartupMessage is unanswered",
    phase: "start-up",
    play: after(),
    sent: [["StartupMessage"]],
  },
  {
    name: "in the middle of a message",
    phase: "start-up",
    play: after(half),
    sent: [["StartupMessage"]],
  },
  {
    name: "while the password callback is pending",
    phase: "authenticate",
    options: (reached) => ({
      password() {
        reached.resolve();
        return never();
      },
    }),
    play: () => async (peer) => {
      await peer.packet();
      await peer.send({ type: "AuthenticationCleartextPassword" });
    },
    sent: [["StartupMessage"]],
  },
  {
    name: "while a password awaits its verdict",
    phase: "authenticate",
    target: SCRAM,
    play: (reached) => async (peer) => {
      await peer.packet();
      await peer.send({ type: "AuthenticationCleartextPassword" });
      await peer.message("password");
      reached.resolve();
    },
    sent: [["StartupMessage", "PasswordMessage"]],
  },
  {
    name: "while server-first is awaited",
    phase: "authenticate",
    target: SCRAM,
    play: (reached) => async (peer) => {
      await peer.packet();
      await peer.send({ type: "AuthenticationSASL", mechanisms: ["SCRAM-SHA-256"] });
      await peer.message("sasl-initial");
      reached.resolve();
    },
    sent: [["StartupMessage", "SASLInitialResponse"]],
  },
  {
    name: "while SCRAM keys are derived",
    phase: "authenticate",
    target: SCRAM,
    prepare(reached) {
      return interceptPbkdf2(() => {
        reached.resolve();
        return never();
      });
    },
    play: () => async (peer) => {
      await peer.packet();
      await new ScramServer(peer, SCRAM).first();
    },
    sent: [["StartupMessage", "SASLInitialResponse"]],
  },
  {
    name: "while server-final is awaited",
    phase: "authenticate",
    target: SCRAM,
    play: (reached) => async (peer) => {
      await peer.packet();
      const scram = new ScramServer(peer, SCRAM);
      await scram.first();
      await scram.proof();
      reached.resolve();
    },
    sent: [["StartupMessage", "SASLInitialResponse", "SASLResponse"]],
  },
  {
    name: "between AuthenticationOk and ReadyForQuery",
    phase: "prepare",
    options: (reached) => ({ onParameter: reached.resolve }),
    play: () => async (peer) => {
      await peer.packet();
      await peer.send(...GREETING.slice(0, 2));
    },
    sent: [["StartupMessage"]],
  },
];

/** How a wait is ended, and what the error says then. */
interface End {
  readonly name: string;
  readonly code: "aborted" | "timeout";
  readonly timeout?: true;
  readonly reason?: Error;
}

const ENDS: readonly End[] = [
  { name: "the signal is aborted", code: "aborted", reason: new Error("no longer wanted") },
  {
    name: "the signal's deadline passes",
    code: "timeout",
    reason: new DOMException("The operation timed out.", "TimeoutError"),
  },
  { name: "connect_timeout passes", code: "timeout", timeout: true },
];

for (const end of ENDS) {
  for (const place of PLACES) {
    // As in libpq, connect_timeout begins with an address, not with its look-up.
    if (end.timeout && place.phase === "resolve") continue;
    test(`connect() gives up once when ${end.name} ${place.name}, and leaves nothing behind`, async () => {
      const reached = deferred();
      const undo = place.prepare?.(reached);
      const timers = fakeTimers();
      try {
        const server = fakeServer(place.play(reached), place.server?.(reached));
        const watched = watchedSignal();
        const connecting = connect({
          ...LOCAL,
          sslmode: "disable",
          ...place.target,
          ...(end.timeout ? { connect_timeout: "7" } : {}),
        }, {
          adapter: server.adapter,
          signal: watched.signal,
          ...place.options?.(reached),
        });
        await reached.promise;
        // The client may have a step to go from what the server has just sent.
        await settled();
        assert.equal(watched.listeners > 0, true);
        if (end.timeout) timers.fire();
        else watched.abort(end.reason);
        const error = await reasonOf(connecting);
        assert.ok(error instanceof ConnectionError, String(error));
        assert.deepEqual([error.code, error.phase], [end.code, place.phase]);
        assert.equal(error.cause, end.reason);
        assert.match(error.message, end.timeout ? /^timeout expired.*7 s/ : /signal/);
        assert.equal(error.attempts?.length, 1);
        await server.done();
        assert.deepEqual(server.sent(), place.sent);
        assert.deepEqual(server.peers.map(({ ended }) => ended), server.peers.map(() => true));
        assert.equal(watched.listeners, 0);
        assert.equal(timers.pending, 0);
        assert.deepEqual(timers.delays, end.timeout ? [7000] : []);
      } finally {
        timers.restore();
        undo?.();
      }
    });
  }
}
