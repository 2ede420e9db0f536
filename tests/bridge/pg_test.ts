import "../support/guard.ts";
import assert from "node:assert/strict";
import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import type pg from "pg";
import copyStreams from "pg-copy-streams";
import Cursor from "pg-cursor";
import QueryStream from "pg-query-stream";
import { pgStream } from "../../src/bridge/pg.ts";
import { liveServers } from "../support/live.ts";
import { errorOf, recordSessions, targetOf, WAYS, withClient, withPool } from "./drivers.ts";
import { untilAsleep } from "../live/session_with.ts";

const live = await liveServers();

for (const version of [18, 14] as const) {
  const skip = live.skip(version);
  for (const [way, parameters] of WAYS) {
    const target = () => targetOf(live.get(version), parameters);

    test(`pg ${version}, ${way}: a client sees the session that was opened for it`, {
      skip,
    }, async () => {
      const { facts, bridge } = recordSessions();
      await withClient(
        target(),
        async (client) => {
          const { rows } = await client.query(
            "select current_user as who, current_database() as where, pg_backend_pid() as pid, $1::text as text",
            ["häß"],
          );
          const { processID } = client as unknown as { processID: number };
          assert.deepEqual(rows, [
            { who: parameters["user"], where: "app", pid: processID, text: "häß" },
          ]);
          const [session] = facts;
          assert.equal(session?.processId, processID);
          assert.equal(session?.authentication.channelBound, way === "TLS");
          assert.equal(session?.channel.kind, way === "TLS" ? "tls" : "plain");
        },
        {},
        bridge,
      );
      assert.equal(facts.length, 1);
    });

    test(`pg ${version}, ${way}: a pool runs 1000 queries at concurrency 50`, {
      skip,
    }, async () => {
      const { facts, bridge } = recordSessions();
      await withPool(
        target(),
        async (pool) => {
          let next = 0;
          const answers: number[] = [];
          const worker = async (): Promise<void> => {
            for (let at = next++; at < 1000; at = next++) {
              const { rows } = await pool.query("select $1::int as at", [at]);
              answers[rows[0].at] = at;
            }
          };
          await Promise.all(Array.from({ length: 50 }, worker));
          assert.deepEqual(answers, Array.from({ length: 1000 }, (_, at) => at));
        },
        { max: 10 },
        bridge,
      );
      assert.equal(facts.length, 10);
    });

    test(`pg ${version}, ${way}: cursor and query stream read in parts`, { skip }, async () => {
      await withClient(target(), async (client) => {
        const cursor = client.query(new Cursor("select generate_series(1, 250) as n"));
        const sizes: number[] = [];
        for (;;) {
          const rows = await cursor.read(100);
          if (rows.length === 0) break;
          sizes.push(rows.length);
        }
        await cursor.close();
        assert.deepEqual(sizes, [100, 100, 50]);
        const stream = client.query(new QueryStream("select generate_series(1, 1000) as n"));
        let sum = 0;
        for await (const { n } of stream) sum += n;
        assert.equal(sum, 500_500);
        assert.deepEqual((await client.query("select 1 as one")).rows, [{ one: 1 }]);
      });
    });

    test(`pg ${version}, ${way}: COPY in and out`, { skip }, async () => {
      await withClient(target(), async (client) => {
        await client.query("create temp table t (n int, x text)");
        const lines = Array.from({ length: 5000 }, (_, at) => `${at}\tline ${at}\n`);
        await pipeline(Readable.from(lines), client.query(copyStreams.from("copy t from stdin")));
        assert.deepEqual((await client.query("select count(*)::int, max(x) from t")).rows, [
          { count: 5000, max: "line 999" },
        ]);
        let text = "";
        const out = client.query(copyStreams.to("copy t to stdout"));
        for await (const chunk of out) text += String(chunk);
        assert.equal(text, lines.join(""));
      });
    });
  }

  test(`pg ${version}: LISTEN hears NOTIFY of another client`, { skip }, async () => {
    const target = targetOf(live.get(version));
    await withClient(target, async (client) => {
      await client.query("listen bridge_pg");
      const heard = once(client, "notification");
      await withClient(target, (other) => other.query("notify bridge_pg, 'it is me'"));
      const [{ channel, payload }] = await heard;
      assert.deepEqual({ channel, payload }, { channel: "bridge_pg", payload: "it is me" });
    });
  });

  test(`pg ${version}: a cancel reaches the server over the session's own encryption`, {
    skip,
  }, async () => {
    const server = live.get(version);
    const target = targetOf(server, WAYS[1]?.[1]);
    await withClient(target, async (client) => {
      const sleeping = errorOf(client.query("select pg_sleep(60)"));
      const { processID, secretKey } = client as unknown as {
        processID: number;
        secretKey: number;
      };
      await untilAsleep(server, processID);
      await cancelOf(target, processID, secretKey);
      assert.equal((await sleeping).code, "57014");
      assert.deepEqual((await client.query("select 1 as one")).rows, [{ one: 1 }]);
    });
  });

  test(`pg ${version}: a cancel with an unknown key is closed without a word`, {
    skip,
  }, async () => {
    const target = targetOf(live.get(version));
    await withClient(target, async (client) => {
      const { processID, secretKey } = client as unknown as {
        processID: number;
        secretKey: number;
      };
      await cancelOf(target, processID, secretKey ^ 1);
      await cancelOf(target, processID + 1, secretKey);
      assert.deepEqual((await client.query("select 1 as one")).rows, [{ one: 1 }]);
    });
  });

  test(
    `pg ${version}: a notice, an error and a failed transaction arrive as the server says them`,
    {
      skip,
    },
    async () => {
      await withClient(targetOf(live.get(version)), async (client) => {
        const heard = once(client, "notice");
        await client.query("do $$ begin raise notice 'mind the gap'; end $$");
        assert.equal((await heard)[0].message, "mind the gap");
        await client.query("begin");
        assert.equal((await errorOf(client.query("select 1/0"))).code, "22012");
        assert.equal((await errorOf(client.query("select 1"))).code, "25P02");
        await client.query("rollback");
        assert.deepEqual((await client.query("select 1 as one")).rows, [{ one: 1 }]);
      });
    },
  );
}

const skip = live.skip(18);

test("pg: prepared statements, a large parameter and several queries in one text", {
  skip,
}, async () => {
  await withClient(targetOf(live.get(18)), async (client) => {
    for (const n of [1, 2]) {
      const { rows } = await client.query({
        name: "twice",
        text: "select $1::int * 2 as n",
        values: [n],
      });
      assert.deepEqual(rows, [{ n: n * 2 }]);
    }
    const large = "x".repeat(3_000_000);
    const { rows } = await client.query("select $1::text as x, length($1) as n", [large]);
    assert.equal(rows[0].n, large.length);
    assert.equal(rows[0].x, large);
    const results = await client.query(
      "select 1 as a; select 2 as b",
    ) as unknown as pg.QueryResult[];
    assert.deepEqual(results.map((one) => one.rows), [[{ a: 1 }], [{ b: 2 }]]);
  });
});

test("pg: what the target leaves open is taken from the driver", { skip }, async () => {
  const { port } = live.get(18);
  await withClient(
    { host: "127.0.0.1", port: String(port), sslmode: "disable" },
    async (client) => {
      const { rows } = await client.query(
        "select current_user as u, current_database() as d, current_setting('application_name') as a, " +
          "current_setting('statement_timeout') as t, current_setting('work_mem') as w",
      );
      assert.deepEqual(rows, [{ u: "trust_user", d: "app", a: "shop", t: "7s", w: "5MB" }]);
    },
    {
      user: "trust_user",
      database: "app",
      application_name: "shop",
      statement_timeout: 7000,
      options: "-c work_mem=5MB",
    },
  );
});

test("pg: what target and driver say differently is found before anything is dialed", {
  skip,
}, async () => {
  const target = targetOf({ port: 1 });
  for (
    const [options, message] of [
      [
        { user: "bob" },
        /^Cannot settle on one user: the options of pg\.Pool or pg\.Client say "bob", the target says "trust_user"/,
      ],
      [{ database: "shop" }, /^Cannot settle on one dbname: .*"shop", the target says "app"/],
    ] as const
  ) {
    const error = await errorOf(withPool(target, (pool) => pool.connect(), options));
    assert.equal(error.name, "ConfigError");
    assert.equal(error.code, "invalid-setting");
    assert.match(error.message, message);
  }
});

test("pg: the error of a connect is the one of this package", { skip }, async () => {
  const server = live.get(18);
  const nowhere = await errorOf(
    withPool(targetOf(server, { user: "trust_user", dbname: "nowhere" }), (pool) => pool.connect()),
  );
  assert.equal(nowhere.name, "ServerError");
  assert.equal((nowhere as { sqlState?: string }).sqlState, "3D000");
  const silent = await errorOf(
    withPool(targetOf(server, { user: "scram_user" }), (pool) => pool.query("select 1")),
  );
  assert.equal(silent.name, "PolicyError");
  assert.equal(silent.code, "password-missing");
});

test("pg: the driver's password is never asked for", { skip }, async () => {
  let asked = 0;
  const target = targetOf(live.get(18), { user: "scram_user" });
  const password = (): string => {
    asked += 1;
    return "wrong";
  };
  await withClient(target, (client) => client.query("select 1"), { password }, {
    password: "pencil",
  });
  assert.equal(asked, 0);
});

test("pg: what is thrown by onSession is the error of the connect", { skip }, async () => {
  const thrown = new Error("not this one");
  const onSession = (): never => {
    throw thrown;
  };
  const connecting = withPool(targetOf(live.get(18)), (pool) => pool.connect(), {}, { onSession });
  assert.equal(await errorOf(connecting), thrown);
});

test("pg: a transport without a feed serves as well", { skip }, async () => {
  const { nodeAdapter } = await import("../../src/transport/node.ts");
  const adapter: typeof nodeAdapter = {
    ...nodeAdapter,
    async dial(address, signal, options) {
      const transport = await nodeAdapter.dial(address, signal, options);
      Object.defineProperty(transport, "feed", { value: undefined });
      return transport;
    },
  };
  await withClient(
    targetOf(live.get(18)),
    async (client) => {
      const { rows } = await client.query(
        "select repeat('x', 1000000) as x from generate_series(1, 5)",
      );
      assert.equal(rows.length, 5);
      await assert.rejects(client.query("select 1/0"), { code: "22012" });
    },
    {},
    { adapter },
  );
});

/** As the drivers do it: a new connection whose first packet is the CancelRequest; settles once it is closed. */
async function cancelOf(
  target: Readonly<Record<string, string>>,
  processId: number,
  secretKey: number,
): Promise<void> {
  const packet = new DataView(new ArrayBuffer(16));
  for (const [at, word] of [16, 80877102, processId, secretKey].entries()) {
    packet.setInt32(at * 4, word);
  }
  const stream = pgStream(target)();
  stream.resume();
  stream.write(new Uint8Array(packet.buffer));
  assert.deepEqual(await once(stream, "close"), [false]);
}
