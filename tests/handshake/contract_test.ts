import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { ChannelFacts } from "../../src/auth/channel.ts";
import { ConfigError, UsageError } from "../../src/errors.ts";
import { CancelHandshake } from "../../src/handshake/cancel.ts";
import { ClientHandshake } from "../../src/handshake/client.ts";
import type { SessionStart } from "../../src/handshake/client_state.ts";
import { PHASES } from "../../src/handshake/phases.ts";
import type { Machine, Step } from "../../src/handshake/step.ts";
import { join, toHex } from "../support/vectors.ts";
import { converse, goOn, RFC7677_KEYS } from "./converse.ts";
import { arrive, type Way, WAYS_TO_OTHERS, WAYS_TO_READING } from "./places.ts";
import {
  cancelConfig,
  type CaseConfig,
  clientConfig,
  flight,
  octets,
  scriptOf,
  securedBy,
} from "./vector_case.ts";

const PASSWORD = octets("text:pencil");
const TOKEN = octets("text:tok");
const TLS = securedBy({ alpn: "postgresql", verified: "full" });
const BY_GSS: ChannelFacts = {
  kind: "gss",
  local: false,
  gss: { service: "postgres@db.test", delegated: false },
};

/** Every call a machine knows, as some caller might make it. */
const CALLS: Readonly<Record<string, <R>(machine: Machine<R>) => Step<R>>> = {
  "start()": (machine) => machine.start(),
  "receive()": (machine) => machine.receive(octets("5200")),
  "receive() of nothing": (machine) => machine.receive(new Uint8Array(0)),
  "receiveEnd()": (machine) => machine.receiveEnd(),
  "secured(tls)": (machine) => machine.secured(TLS),
  "secured(gss)": (machine) => machine.secured(BY_GSS),
  "secured(plain)": (machine) => machine.secured({ kind: "plain", local: false }),
  "answer(password)": (machine) => machine.answer({ kind: "password", password: PASSWORD }),
  "answer(bearer-token)": (machine) => machine.answer({ kind: "bearer-token", token: TOKEN }),
  "answer(gss-token)": (machine) =>
    machine.answer({ kind: "gss-token", token: octets("6001"), complete: false, mutual: false }),
  "answer(scram-keys)": (machine) => machine.answer({ kind: "scram-keys", keys: RFC7677_KEYS }),
};

const WAYS: ReadonlyMap<string, Way> = new Map(
  Object.entries({ ...WAYS_TO_READING, ...WAYS_TO_OTHERS }),
);

/** The calls that are in order somewhere; "failed" answers any with its failure. */
function isInOrder(call: string, place: string): boolean {
  if (place === "failed") return true;
  if (call.startsWith("receive")) return place in PHASES || /^await-(ssl|gss)-answer$/.test(place);
  const places: Readonly<Record<string, string>> = {
    "secured(tls)": "await-tls",
    "secured(gss)": "await-gss",
    "answer(password)": "await-password",
    "answer(bearer-token)": "await-token",
    "answer(gss-token)": "await-gss-token",
    "answer(scram-keys)": "await-keys",
  };
  return places[call] === place;
}

for (const [place, way] of WAYS) {
  for (const [call, run] of Object.entries(CALLS)) {
    if (isInOrder(call, place)) {
      test(`${call} is in order at "${place}"`, () => {
        const { machine } = arrive(way);
        const step = run(machine);
        assert.ok(step.send instanceof Uint8Array && Array.isArray(step.events));
      });
    } else {
      test(`${call} at "${place}" is a UsageError and changes nothing`, () => {
        const { machine, step, script } = arrive(way);
        const { phase } = machine;
        assert.throws(() => run(machine), (error: unknown) => {
          assert.ok(error instanceof UsageError);
          assert.equal(error.code, "misuse");
          assert.ok(error.message.includes(place), error.message);
          return true;
        });
        assert.equal(machine.phase, phase);
        if (place === "finished") return;
        const unharmed = arrive(way);
        const told = goOn(machine, step, script, Infinity);
        const wanted = goOn(unharmed.machine, unharmed.step, script, Infinity);
        assert.equal(told.end.kind, way.ends ?? "finish");
        assert.equal(toHex(told.sent), toHex(wanted.sent));
        assert.deepEqual(told.steps, wanted.steps);
      });
    }
  }
}

for (const [call, run] of Object.entries(CALLS)) {
  if (call === "start()") continue;
  test(`${call} before start() is a UsageError and changes nothing`, () => {
    const machine = new ClientHandshake(clientConfig());
    assert.throws(() => run(machine), UsageError);
    assert.equal(machine.start().next.do, "read");
    const cancel = new CancelHandshake(cancelConfig());
    assert.throws(() => run(cancel), UsageError);
    assert.equal(cancel.start().next.do, "read");
  });

  test(`${call} after a failure gives the same failure`, () => {
    const { machine, step } = arrive(WAYS_TO_OTHERS.failed);
    assert.ok(step.next.do === "fail");
    const again = run(machine);
    assert.deepEqual({ send: again.send.length, events: again.events }, { send: 0, events: [] });
    assert.ok(again.next.do === "fail" && again.next.error === step.next.error);
    assert.equal(machine.phase, step.next.error.phase);
  });

  test(`${call} after a cancel has failed gives the same failure`, () => {
    const cancel = new CancelHandshake(cancelConfig());
    cancel.start();
    const step = cancel.receive(octets("45"));
    assert.ok(step.next.do === "fail");
    const again = run(cancel);
    assert.ok(again.next.do === "fail" && again.next.error === step.next.error);
    assert.equal(again.send.length, 0);
  });
}

test("an answer with keys of a wrong length is a UsageError and may be given again", () => {
  const { machine, script } = arrive(WAYS_TO_OTHERS["await-keys"]);
  const short = { clientKey: new Uint8Array(31), serverKey: new Uint8Array(32) };
  assert.throws(() => machine.answer({ kind: "scram-keys", keys: short }), UsageError);
  const step = machine.answer({ kind: "scram-keys", keys: RFC7677_KEYS });
  assert.equal(goOn(machine, step, script, Infinity).end.kind, "finish");
});

test("a password with a zero octet is a UsageError that does not show it", () => {
  const { machine } = arrive({ ...WAYS_TO_OTHERS["await-password"], flights: [cleartext()] });
  assert.throws(
    () => machine.answer({ kind: "password", password: octets("70656e63696c00") }),
    (error: unknown) => error instanceof UsageError && !error.message.includes("pencil"),
  );
  assert.equal(machine.answer({ kind: "password", password: PASSWORD }).next.do, "read");
});

test("what was handed in may be overwritten at once", () => {
  const { machine } = arrive({ config: { local: true }, flights: [], rest: [] }, true);
  const keys = { clientKey: copy(RFC7677_KEYS.clientKey), serverKey: copy(RFC7677_KEYS.serverKey) };
  const sent: string[] = [];
  const take = (step: Step<SessionStart>): Step<SessionStart> => {
    sent.push(toHex(step.send));
    return step;
  };
  const receive = (flightOctets: Uint8Array): Step<SessionStart> => {
    let step: Step<SessionStart> | undefined;
    for (const piece of [flightOctets.subarray(0, 7), flightOctets.subarray(7)]) {
      const given = copy(piece);
      step = take(machine.receive(given));
      given.fill(0xff);
    }
    assert.ok(step);
    return step;
  };
  receive(flight("ask-scram"));
  receive(flight("server-first"));
  take(machine.answer({ kind: "scram-keys", keys }));
  keys.clientKey.fill(0xff);
  keys.serverKey.fill(0xff);
  const { next } = receive(join(flight("final-n"), flight("welcome"), octets("01020304")));
  assert.ok(next.do === "finish");
  assert.deepEqual([...next.result.parameters], [["server_version", "18.6"]]);
  assert.equal(toHex(next.result.cancelKey?.request() ?? new Uint8Array(0)).slice(-8), "89abcdef");
  assert.equal(toHex(next.result.leftover), "01020304");
});

test("octets may come in a Buffer that is used again", () => {
  const { machine } = arrive({ config: { local: true }, flights: [], rest: [] });
  const pool = Buffer.alloc(4096);
  const receive = (piece: Uint8Array): Step<SessionStart> => {
    pool.fill(0xff);
    pool.set(piece, 100);
    return machine.receive(pool.subarray(100, 100 + piece.length));
  };
  const { next } = receive(octets("520000000c00000005 61626364"));
  assert.ok(next.do === "answer");
  pool.fill(0);
  const step = machine.answer({ kind: "password", password: Buffer.from("pencil") });
  assert.ok(Buffer.from(step.send).includes("md5243e4910bc512d5c2c7b967cf41d160e"));
  receive(flight("prepared"));
  const end = receive(octets("4b0000000c0000123489abcdef 5a0000000549 0708"));
  pool.fill(0);
  assert.ok(end.next.do === "finish");
  assert.equal(toHex(end.next.result.leftover), "0708");
  assert.equal(
    toHex(end.next.result.cancelKey?.request() ?? new Uint8Array(0)).slice(-8),
    "89abcdef",
  );
});

test("what was handed out may be overwritten at once", () => {
  const machine = new ClientHandshake(clientConfig());
  const sent: string[] = [];
  const take = (step: Step<SessionStart>): Step<SessionStart> => {
    sent.push(toHex(step.send));
    step.send.fill(0xff);
    if (step.next.do === "answer" && step.next.request.want === "scram-keys") {
      step.next.request.salt.fill(0xff);
    }
    return step;
  };
  take(machine.start());
  take(machine.receive(flight("ask-scram")));
  take(machine.receive(flight("server-first")));
  take(machine.answer({ kind: "scram-keys", keys: RFC7677_KEYS }));
  take(machine.receive(join(flight("final-n"), flight("welcome"))));
  const whole = converse(
    new ClientHandshake(clientConfig()),
    {
      ...scriptOf({ name: "-", source: "-", server: [], outcome: { waits: "negotiate" } }),
      flights: [
        flight("ask-scram"),
        flight("server-first"),
        join(flight("final-n"), flight("welcome")),
      ],
    },
    Infinity,
  );
  assert.equal(sent.join(""), toHex(whole.sent));
});

test("nothing handed out is a view of a larger buffer", () => {
  for (const surplus of ["", "01020304"]) {
    const { machine, step } = arrive(WAYS_TO_READING["await-authentication"]);
    const given = join(flight("welcome"), octets(surplus));
    const { next } = machine.receive(given);
    assert.ok(next.do === "finish");
    const { leftover } = next.result;
    assert.equal(toHex(leftover), surplus);
    assert.equal(leftover.buffer.byteLength, leftover.length, "leftover");
    assert.equal(step.send.buffer.byteLength, step.send.length, "send");
  }
  const { step } = arrive(WAYS_TO_OTHERS["await-keys"]);
  assert.ok(step.next.do === "answer" && step.next.request.want === "scram-keys");
  const { salt } = step.next.request;
  assert.equal(salt.buffer.byteLength, salt.length, "salt");
});

test("policies nothing can satisfy are refused before anything is sent", () => {
  const contradictions: readonly CaseConfig[] = [
    { channelBinding: "require", requireAuth: "none" },
    { channelBinding: "require", requireAuth: "md5" },
    { channelBinding: "require", requireAuth: "!scram-sha-256" },
    { requireAuth: "!password,!md5,!gss,!sspi,!scram-sha-256,!oauth,!none" },
    { minScramIterations: 100_001 },
  ];
  for (const config of contradictions) {
    assert.throws(() => new ClientHandshake(clientConfig(config)), ConfigError);
    assert.throws(() => new CancelHandshake(cancelConfig(config)), ConfigError);
  }
});

function cleartext(): Uint8Array {
  return octets("520000000800000003");
}

/** Not a view, whatever the runtime makes of `slice()`. */
function copy(from: Uint8Array): Uint8Array {
  return Uint8Array.from(from);
}
