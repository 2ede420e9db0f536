import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectEvent, ConnectOptions } from "../../src/connect/options.ts";
import { errorResponse, fakeServer, GREETING, type Play, TARGET, trust } from "./fake_server.ts";
import { reasonOf } from "./rejection.ts";
import { ScramServer } from "./scram_server.ts";
import { answering, IDLE, PLAIN } from "./sessions.ts";

const PASSWORD = "correct-horse";

/** TLS, then SCRAM with channel binding left out of the offer, then one query. */
const whole: Play = async (peer) => {
  await peer.packet();
  await peer.send(Uint8Array.of(0x53));
  await peer.packet();
  const scram = new ScramServer(peer, { password: PASSWORD });
  await scram.first();
  const data = await scram.proof();
  await peer.send({ type: "AuthenticationSASLFinal", data }, ...GREETING);
  await peer.message();
  await peer.send({ type: "CommandComplete", tag: "SET" }, { type: "ReadyForQuery", status: "I" });
};

/** An event as a short text. */
function brief(event: ConnectEvent): string {
  return event.type === "message" ? `${event.direction} ${event.name}` : event.type;
}

async function trace(): Promise<{ readonly events: readonly ConnectEvent[] }> {
  const events: ConnectEvent[] = [];
  const server = fakeServer(whole, { resolve: () => Promise.resolve(["192.0.2.1"]) });
  const session = await connect({
    ...TARGET,
    host: "db.test",
    sslmode: "require",
    password: PASSWORD,
  }, { adapter: server.adapter, onEvent: (event) => events.push(event) });
  await session.query("set timezone = 'UTC'");
  await session.close();
  await server.done();
  return { events };
}

test("every step and every message of a connection is an event, in order", async () => {
  const { events } = await trace();
  assert.deepEqual(events.map(brief), [
    "resolved",
    "attempt",
    "dialed",
    "sent SSLRequest",
    "received SSLResponse",
    "secured",
    "sent StartupMessage",
    "received AuthenticationSASL",
    "sent SASLInitialResponse",
    "received AuthenticationSASLContinue",
    "password-requested",
    "sent SASLResponse",
    "received AuthenticationSASLFinal",
    "received AuthenticationOk",
    "received ParameterStatus",
    "received BackendKeyData",
    "received ReadyForQuery",
    "ready",
    "sent Query",
    "received CommandComplete",
    "received ReadyForQuery",
    "sent Terminate",
  ]);
});

test("events say what they are about", async () => {
  const { events } = await trace();
  const of = <Type extends ConnectEvent["type"]>(type: Type) =>
    events.filter((event): event is Extract<ConnectEvent, { type: Type }> => event.type === type)
      .map(({ at: _, ...rest }) => rest);
  assert.deepEqual(of("resolved"), [
    { type: "resolved", host: "db.test", addresses: ["192.0.2.1"] },
  ]);
  assert.deepEqual(of("attempt"), [{
    type: "attempt",
    host: "db.test",
    address: "192.0.2.1",
    port: 5432,
    encryption: "ssl-request",
    adapter: "fake",
  }]);
  assert.deepEqual(of("dialed"), [{ type: "dialed", remoteAddress: "192.0.2.1" }]);
  assert.deepEqual(of("password-requested"), [
    { type: "password-requested", method: "scram-sha-256" },
  ]);
  const [secured] = of("secured");
  assert.equal(secured?.channel.kind, "tls");
  const started = of("message").find(({ name }) => name === "StartupMessage");
  assert.deepEqual(started?.detail, {
    version: "3.0",
    parameters: ["user=app", "database=shop", "client_encoding=UTF8"],
  });
  assert.equal(started?.octets, 8 + "user\0app\0database\0shop\0client_encoding\0UTF8\0\0".length);
});

test("the times of events never run backwards", async () => {
  const times = (await trace()).events.map(({ at }) => at);
  assert.ok(times.every((time, index) => time >= (times[index - 1] ?? 0)), times.join(" "));
});

test("no event shows a secret", async () => {
  const { events } = await trace();
  for (const print of [JSON.stringify(events), inspect(events, { depth: null })]) {
    assert.doesNotMatch(print, /correct-horse|cafebabe|p=[A-Za-z0-9+/]{43}=|v=[A-Za-z0-9+/]{43}=/);
    assert.doesNotMatch(print, /202, ?254, ?186, ?190/);
  }
  const secrets = events.flatMap((event) => event.type === "message" ? [event] : [])
    .filter(({ name }) => /SASL(Initial|Response|Continue|Final)|KeyData/.test(name));
  assert.equal(secrets.length, 5);
  assert.ok(secrets.every(({ detail }) => Object.values(detail).includes("(not shown)")));
});

test("a failed attempt is an event, and so is the next attempt", async () => {
  const events: ConnectEvent[] = [];
  const server = fakeServer(async (peer, connection) => {
    if (connection === 1) return await trust(peer, connection);
    await peer.packet();
    await peer.send(errorResponse("57P03", "starting up"));
  });
  const target = { ...TARGET, host: "192.0.2.1,192.0.2.2", sslmode: "disable" };
  const session = await connect(target, {
    adapter: server.adapter,
    onEvent: (event) => events.push(event),
  });
  await session.close();
  assert.deepEqual(events.map(brief).filter((one) => !/^(sent|received)/.test(one)), [
    "attempt",
    "dialed",
    "failed",
    "attempt",
    "dialed",
    "ready",
  ]);
  const failed = events.find((event) => event.type === "failed");
  assert.equal(failed?.type === "failed" ? failed.error.sqlState : undefined, "57P03");
});

/** How often the long texts of a connection are cut to be shown, which is what describing a message costs. */
async function descriptions(options: ConnectOptions): Promise<number> {
  const long = "x".repeat(1_000);
  const server = fakeServer(answering([{ type: "EmptyQueryResponse" }, IDLE]));
  const { slice } = String.prototype;
  let count = 0;
  Object.defineProperty(String.prototype, "slice", {
    configurable: true,
    writable: true,
    value(this: string, ...bounds: [number?, number?]): string {
      if (this.endsWith(long)) count += 1;
      return slice.apply(this, bounds);
    },
  });
  try {
    const session = await connect({ ...PLAIN, application_name: long }, {
      adapter: server.adapter,
      ...options,
    });
    await session.query(long);
    await session.close();
    await server.done();
  } finally {
    Object.defineProperty(String.prototype, "slice", {
      configurable: true,
      writable: true,
      value: slice,
    });
  }
  return count;
}

test("messages are described for a listener, and without one they are not", async () => {
  assert.equal(await descriptions({ onEvent: () => undefined }), 1);
  assert.equal(await descriptions({}), 0);
});

for (const type of ["attempt", "dialed", "message", "secured", "ready"] as const) {
  test(`a listener that throws at "${type}" ends the connection and is heard`, async () => {
    const server = fakeServer(whole);
    const defect = new RangeError(`a defect at ${type}`);
    const target = { ...TARGET, sslmode: "require", password: PASSWORD };
    const error = await reasonOf(connect(target, {
      adapter: server.adapter,
      onEvent: (event) => {
        if (event.type === type) throw defect;
      },
    }));
    assert.equal(error, defect);
    await server.done();
  });
}
