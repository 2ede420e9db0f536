import "../support/guard.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import pg from "pg";
import { pgStream } from "../../src/bridge/pg.ts";
import { postgresSocket } from "../../src/bridge/postgres.ts";
import { encodeStartupPacket } from "../../src/wire/startup.ts";
import { liveServers } from "../support/live.ts";
import { errorOf, targetOf, withPool, withSql } from "./drivers.ts";
import { countedAdapter } from "./sockets.ts";

const live = await liveServers();
const skip = live.skip(18);
const NOWHERE = targetOf({ port: 1 });

/** What comes of a packet: the error's name and text, or undefined for an end without one. */
async function fateOf(
  stream: Duplex,
  octets: Uint8Array,
): Promise<{ readonly error: Error | undefined; readonly received: Uint8Array }> {
  let error: Error | undefined;
  const received: Uint8Array[] = [];
  stream.on("error", (thrown) => error = thrown);
  stream.on("data", (chunk: Uint8Array) => void received.push(chunk));
  // Not once(), which an event 'error' rejects.
  const closed = new Promise((done) => stream.on("close", done));
  stream.write(octets);
  assert.equal(await closed, error !== undefined);
  return { error, received: Buffer.concat(received) };
}

function word(value: number): readonly number[] {
  return [value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255];
}

const HINT = /Of pg\.Pool or pg\.Client: options must hold "ssl: false"; connectionString/;

for (
  const [name, octets, type, message] of [
    ["SSLRequest", [...word(8), ...word(80877103)], "ConfigError", HINT],
    ["GSSENCRequest", [...word(8), ...word(80877104)], "ConfigError", HINT],
    ["a ClientHello", [22, 3, 1, 0, 5], "ConfigError", HINT],
    ["an HTTP request", [...Buffer.from("GET / HTTP/1.1\r\n\r\n")], "MessageFormatError", /length/],
    ["a length of 0", [...word(0), ...word(196608)], "MessageFormatError", /length/],
    ["a length of 2 GB", [...word(0x7fffffff), ...word(196608)], "MessageFormatError", /length/],
    ["protocol 2.0", [...word(9), ...word(0x20000), 0], "ProtocolError", /asks for protocol 2\.0/],
    ["no terminator", [...word(9), ...word(196608), 65], "MessageFormatError", /StartupMessage/],
    [
      "a cancel without a key",
      [...word(12), ...word(80877102), ...word(1)],
      "MessageFormatError",
      /key/,
    ],
    [
      "a cancel with an unknown key",
      [...word(16), ...word(80877102), ...word(1), ...word(2)],
      undefined,
      /^$/,
    ],
    ["Terminate", [88, ...word(4)], undefined, /^$/],
  ] as const
) {
  test(`a first packet that is ${name} is never answered`, async () => {
    const counted = await countedAdapter();
    const { error, received } = await fateOf(
      pgStream(NOWHERE, counted)(),
      Uint8Array.from(octets),
    );
    assert.equal(error?.name, type);
    assert.match(error?.message ?? "", message);
    assert.equal(received.length, 0);
    assert.equal(counted.opened(), 0);
  });
}

test("the first packet may be cut anywhere, and what follows it waits", { skip }, async () => {
  const packet = encodeStartupPacket({
    type: "StartupMessage",
    version: 0x30000,
    parameters: [["user", "trust_user"], ["database", "app"]],
  });
  const query = Uint8Array.of(81, 0, 0, 0, 13, ...Buffer.from("select 1"), 0);
  for (const size of [1, 7, packet.length + query.length]) {
    const stream = postgresSocket(targetOf(live.get(18)))();
    const octets = Buffer.concat([packet, query]);
    let text = "";
    const answered = new Promise<void>((done) => {
      stream.on("data", (chunk: Uint8Array) => {
        text += Buffer.from(chunk).toString("latin1");
        if (text.includes("SELECT 1\0Z")) done();
      });
    });
    for (let at = 0; at < octets.length; at += size) stream.write(octets.subarray(at, at + size));
    await answered;
    // AuthenticationOk first, and one ReadyForQuery for the start-up, one for the query.
    assert.equal(text.slice(0, 9), "R\0\0\0\x08\0\0\0\0");
    assert.equal(text.split("Z\0\0\0\x05I").length, 3);
    const closed = once(stream, "close");
    stream.end(Uint8Array.of(88, 0, 0, 0, 4));
    assert.deepEqual(await closed, [false]);
  }
});

test("a driver that asks for more than protocol 3.0 is told that there is no more", {
  skip,
}, async () => {
  const packet = encodeStartupPacket({
    type: "StartupMessage",
    version: 0x30002,
    parameters: [["user", "trust_user"], ["database", "app"], ["_pq_.more", "on"]],
  });
  const stream = postgresSocket(targetOf(live.get(18)))();
  const arrived = once(stream, "data");
  stream.write(packet);
  const [welcome] = await arrived as [Uint8Array];
  const name = [...Buffer.from("_pq_.more\0")];
  const expected = [118, ...word(12 + name.length), ...word(0x30000), ...word(1), ...name];
  assert.deepEqual([...welcome.subarray(0, expected.length)], expected);
  stream.destroy();
});

test("pg: TLS of its own is refused with what to change", async () => {
  for (
    const options of [
      { ssl: true },
      { ssl: { rejectUnauthorized: false } },
      { ssl: true, sslnegotiation: "direct" },
      { connectionString: "postgres://h/?sslmode=verify-full" },
    ]
  ) {
    const error = await errorOf(
      withPool(NOWHERE, (pool) => pool.query("select 1"), options as pg.PoolConfig),
    );
    assert.equal(error.name, "ConfigError");
    assert.match(error.message, /^Cannot hand a session to pg: it asks for encryption of its own/);
    assert.match(error.message, HINT);
  }
});

test("postgres.js: TLS of its own is refused with what to change", async () => {
  for (const options of [{ ssl: "require" }, { ssl: "require", sslnegotiation: "direct" }]) {
    const error = await errorOf(
      withSql(NOWHERE, (sql) => sql`select 1`, { ...options, max: 1 } as object),
    );
    assert.equal(error.name, "ConfigError");
    assert.match(error.message, /^Cannot hand a session to postgres\.js: it asks for encryption/);
    assert.match(error.message, /Of postgres\(\): options must hold "ssl: false"/);
  }
});

test("environment variables that switch TLS on are named", async () => {
  const { env } = globalThis.process;
  env["PGSSLMODE"] = "verify-full";
  try {
    const pool = new pg.Pool({ stream: pgStream({ ...NOWHERE, sslmode: "disable" }) });
    const error = await errorOf(pool.query("select 1"));
    assert.match(error.message, /the environment variable PGSSLMODE is "verify-full"/);
    await pool.end();
  } finally {
    delete env["PGSSLMODE"];
  }
});

test("no print of a bridge shows a password", async () => {
  const { inspect } = await import("node:util");
  const stream = pgStream({ ...NOWHERE, password: "hush" }, { password: "hush" })();
  const shown = inspect(stream, { depth: 9, showHidden: true });
  assert.doesNotMatch(shown, /hush/);
  stream.destroy();
});

test("a target that cannot be read is an error at once", () => {
  for (const bridge of [pgStream, postgresSocket]) {
    assert.throws(() => bridge("postgres://h/?sslmod=require"), { name: "ConfigError" });
  }
});
