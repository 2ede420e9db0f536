import "../support/guard.ts";
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import copyStreams from "pg-copy-streams";
import Cursor from "pg-cursor";
import type { Adapter, Feed, Sink, Transport } from "../../src/transport/transport.ts";
import { liveServers } from "../support/live.ts";
import { openSql, targetOf, withClient, withSql } from "./drivers.ts";
import { adapterOfRuntime } from "./sockets.ts";

const live = await liveServers();
const skip = live.skip(18);
const target = () => targetOf(live.get(18));

const MEGABYTE = 1_000_000;
/** What is let into the process at once: an inbox, a chunk of the socket, and what the driver's own streams hold. */
const MAX_HELD = 4 * MEGABYTE;

/** Counts what a bridge has taken from the server and its driver has not, and the other way round. */
interface Meter {
  readonly adapter: Adapter;
  received: number;
  sent: number;
  /** The most octets of one write: what was held when it began. */
  mostWritten: number;
}

async function meter(): Promise<Meter> {
  const inner = await adapterOfRuntime();
  const self: Meter = {
    received: 0,
    sent: 0,
    mostWritten: 0,
    adapter: {
      ...inner,
      async dial(address, signal, options) {
        const transport = await inner.dial(address, signal, options);
        measure(transport, self);
        return transport;
      },
    },
  };
  return self;
}

function measure(transport: Transport, meter: Meter): void {
  const feed = transport.feed?.bind(transport);
  if (feed === undefined) throw new Error("The adapters of the runtimes have a feed");
  transport.feed = (sink: Sink): Feed => {
    const inner = feed({
      data(octets) {
        meter.received += octets.length;
        return sink.data(octets);
      },
      end: (error) => sink.end(error),
    });
    return {
      resume: () => inner.resume(),
      write(octets, done) {
        meter.sent += octets.length;
        meter.mostWritten = Math.max(meter.mostWritten, octets.length);
        inner.write(octets, done);
      },
    };
  };
}

test("a result of 100 MB arrives whole, by pg and by postgres.js", { skip }, async () => {
  const text = "select repeat('x', 10000) as x from generate_series(1, 10000)";
  for (const driver of ["pg", "postgres.js"] as const) {
    const counts = await meter();
    const rows: readonly { x: string }[] = driver === "pg"
      ? await withClient(target(), async (client) => (await client.query(text)).rows, {}, counts)
      : await withSql(target(), (sql) => sql.unsafe<{ x: string }[]>(text), { max: 1 }, counts);
    assert.equal(rows.reduce((sum, { x }) => sum + x.length, 0), 100 * MEGABYTE);
    assert.ok(counts.received > 100 * MEGABYTE);
  }
});

test("COPY out of 100 MB waits for a slow reader", { skip }, async () => {
  const text = "copy (select repeat('x', 999) from generate_series(1, 100000)) to stdout";
  const counts = await meter();
  const sql = openSql(target(), { max: 1 }, counts);
  try {
    const out = await sql.unsafe(text).readable();
    let taken = 0;
    let mostHeld = 0;
    let chunks = 0;
    for await (const chunk of out) {
      taken += (chunk as Uint8Array).length;
      mostHeld = Math.max(mostHeld, counts.received - taken);
      // A reader that is slower than the server, now and then.
      if (++chunks % 2000 === 0) await new Promise((go) => setTimeout(go, 1));
    }
    assert.equal(taken, 100 * MEGABYTE);
    // Five octets a row are the message's own.
    assert.ok(mostHeld < MAX_HELD + 500_000, `${mostHeld} octets were held`);
  } finally {
    // The driver alone, too, may leave its socket paused at the end of a long COPY, and would wait for it.
    await sql.end({ timeout: 0 });
  }
});

test("a cursor takes 100 MB in parts", { skip }, async () => {
  const counts = await meter();
  await withClient(
    target(),
    async (client) => {
      const text = "select repeat('x', 10000) as x from generate_series(1, 10000)";
      const cursor = client.query(new Cursor<{ x: string }>(text));
      let taken = 0;
      let mostHeld = 0;
      for (;;) {
        const rows = await cursor.read(100);
        if (rows.length === 0) break;
        for (const { x } of rows) taken += x.length;
        mostHeld = Math.max(mostHeld, counts.received - taken);
      }
      assert.equal(taken, 100 * MEGABYTE);
      assert.ok(mostHeld < MAX_HELD, `${mostHeld} octets were held`);
    },
    {},
    counts,
  );
});

test("COPY in of 100 MB waits for the server", { skip }, async () => {
  const rows = 10_000;
  const line = `${"x".repeat(9_999)}\n`;
  for (const driver of ["pg", "postgres.js"] as const) {
    const counts = await meter();
    let produced = 0;
    let mostHeld = 0;
    const lines = (): Generator<string> =>
      repeated(line, rows, () => {
        produced += line.length;
        mostHeld = Math.max(mostHeld, produced - counts.sent);
      });
    const use = {
      create: "create temp table t (x text)",
      copy: "copy t from stdin",
      count: "select count(*)::int as n, sum(length(x))::int as l from t",
    };
    const counted = driver === "pg"
      ? await withClient(
        target(),
        async (client) => {
          await client.query(use.create);
          await pipeline(Readable.from(lines()), client.query(copyStreams.from(use.copy)));
          return (await client.query(use.count)).rows[0];
        },
        {},
        counts,
      )
      : await withSql(
        target(),
        async (sql) => {
          await sql.unsafe(use.create);
          await pipeline(Readable.from(lines()), await sql.unsafe(use.copy).writable());
          return (await sql.unsafe(use.count))[0];
        },
        { max: 1 },
        counts,
      );
    assert.deepEqual({ ...counted }, { n: rows, l: rows * 9_999 });
    assert.ok(mostHeld < MAX_HELD, `${driver}: ${mostHeld} octets were held`);
    assert.ok(counts.mostWritten < MAX_HELD, `${driver}: one write of ${counts.mostWritten}`);
  }
});

function* repeated(line: string, times: number, onTaken: () => void): Generator<string> {
  for (let at = 0; at < times; at++) {
    yield line;
    onTaken();
  }
}
