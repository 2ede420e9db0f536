import "../support/guard.ts";
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { liveServers } from "../support/live.ts";
import { errorOf, openSql, recordSessions, targetOf, WAYS, withSql } from "./drivers.ts";

const live = await liveServers();

for (const version of [18, 14] as const) {
  const skip = live.skip(version);
  for (const [way, parameters] of WAYS) {
    const target = () => targetOf(live.get(version), parameters);

    test(`postgres.js ${version}, ${way}: the session that was opened for it`, {
      skip,
    }, async () => {
      const { facts, bridge } = recordSessions();
      await withSql(
        target(),
        async (sql) => {
          const [row] = await sql`
          select current_user as who, current_database() as where, pg_backend_pid() as pid,
            ${"häß"}::text as text, ${[1, 2, 3]}::int[] as list,
            current_setting('application_name') as name`;
          assert.deepEqual({ ...row }, {
            who: parameters["user"],
            where: "app",
            pid: facts[0]?.processId,
            text: "häß",
            list: [1, 2, 3],
            name: "postgres.js",
          });
          assert.equal(facts[0]?.authentication.channelBound, way === "TLS");
        },
        {},
        bridge,
      );
      assert.equal(facts.length, 1);
    });

    test(`postgres.js ${version}, ${way}: 1000 queries at concurrency 50`, { skip }, async () => {
      const { facts, bridge } = recordSessions();
      await withSql(
        target(),
        async (sql) => {
          let next = 0;
          const answers: number[] = [];
          const worker = async (): Promise<void> => {
            for (let at = next++; at < 1000; at = next++) {
              const [row] = await sql`select ${at}::int as at`;
              answers[row?.["at"]] = at;
            }
          };
          await Promise.all(Array.from({ length: 50 }, worker));
          assert.deepEqual(answers, Array.from({ length: 1000 }, (_, at) => at));
        },
        { max: 10 },
        bridge,
      );
      assert.ok(facts.length <= 10, `${facts.length} sessions`);
    });

    test(`postgres.js ${version}, ${way}: transactions, cursor and COPY`, { skip }, async () => {
      await withSql(target(), async (sql) => {
        await sql`create temp table t (n int, x text)`;
        const lines = Array.from({ length: 3000 }, (_, at) => `${at}\tline ${at}\n`);
        await pipeline(Readable.from(lines), await sql`copy t from stdin`.writable());
        await sql.begin(async (tx) => {
          await errorOf(tx.savepoint((inner) => inner`select 1/0`));
          await tx`insert into t values (-1, 'mine')`;
          const [counted] = await tx`select count(*)::int as n from t`;
          assert.equal(counted?.["n"], 3001);
          const sizes: number[] = [];
          await tx`select n from t`.cursor(1000, (rows) => void sizes.push(rows.length));
          assert.deepEqual(sizes, [1000, 1000, 1000, 1]);
          await tx`delete from t where n = -1`;
        });
        let text = "";
        // No more than fits into a stream of Node 20: beyond it the driver alone, too, leaves its socket paused.
        const copying = sql`copy (select * from t where n < 500) to stdout`;
        for await (const chunk of await copying.readable()) text += String(chunk);
        assert.equal(text, lines.slice(0, 500).join(""));
        const failed = await errorOf(sql.begin((tx) => tx`select 1/0`));
        assert.equal(failed.code, "22012");
      }, { max: 1 });
    });
  }

  test(`postgres.js ${version}: listen hears notify`, { skip }, async () => {
    await withSql(targetOf(live.get(version)), async (sql) => {
      let heard: (payload: string) => void = () => {};
      const hearing = new Promise<string>((done) => heard = done);
      await sql.listen("bridge_postgres", heard);
      await sql.notify("bridge_postgres", "it is me");
      assert.equal(await hearing, "it is me");
    });
  });

  test(`postgres.js ${version}: a query is cancelled over TLS`, { skip }, async () => {
    await withSql(targetOf(live.get(version), WAYS[1]?.[1]), async (sql) => {
      const sleeping = sql`select pg_sleep(60)`.execute();
      const failed = errorOf(sleeping);
      // Once another query of the server sees it asleep, its connection is there and it runs.
      for (;;) {
        const [row] = await sql`
          select count(*)::int as n from pg_stat_activity
          where wait_event = 'PgSleep' and query like 'select pg_sleep(60)%' and usename = current_user`;
        if (row?.["n"] > 0) break;
      }
      sleeping.cancel();
      assert.equal((await failed).code, "57014");
    });
  });
}

const skip = live.skip(18);

test("postgres.js: what the target leaves open is taken from the driver", { skip }, async () => {
  const { port } = live.get(18);
  const target = { host: "127.0.0.1", port: String(port), sslmode: "disable" };
  await withSql(target, async (sql) => {
    const [row] = await sql`
      select current_user as u, current_database() as d, current_setting('application_name') as a,
        current_setting('search_path') as s`;
    assert.deepEqual({ ...row }, { u: "trust_user", d: "app", a: "shop", s: "pg_temp" });
  }, {
    user: "trust_user",
    database: "app",
    connection: { application_name: "shop", search_path: "pg_temp" },
  });
});

test("postgres.js: its own application_name gives way to the target's", { skip }, async () => {
  for (const keyword of ["application_name", "fallback_application_name"]) {
    const target = { ...targetOf(live.get(18)), [keyword]: "shop" };
    await withSql(target, async (sql) => {
      const [row] = await sql`select current_setting('application_name') as a`;
      assert.equal(row?.["a"], "shop");
    });
  }
});

test("postgres.js: what target and driver say differently is found before anything is dialed", {
  skip,
}, async () => {
  const target = targetOf({ port: 1 });
  for (
    const [options, message] of [
      [{ user: "bob" }, /^Cannot settle on one user: the options of postgres\(\) say "bob"/],
      // The driver keeps an error to itself while it has another host to try.
      [{ user: "bob", host: "a,b" }, /^Cannot settle on one user: /],
      [{ connection: { application_name: "shop" } }, /^Cannot settle on one application_name: /],
    ] as const
  ) {
    const said = { ...target, application_name: "ours" };
    const error = await errorOf(withSql(said, (sql) => sql`select 1`, options as object));
    assert.equal(error.name, "ConfigError");
    assert.match(error.message, message);
  }
});

test("postgres.js: the error of a connect is the one of this package, and the next one may do", {
  skip,
}, async () => {
  const target = targetOf(live.get(18), { user: "scram_user", sslmode: "disable" });
  let password = "wrong";
  const sql = openSql(target, { max: 1 }, { password: () => password });
  try {
    const error = await errorOf(sql`select 1`);
    assert.equal(error.name, "ServerError");
    assert.equal((error as { sqlState?: string }).sqlState, "28P01");
    password = "pencil";
    const [row] = await sql`select 1 as one`;
    assert.equal(row?.["one"], 1);
  } finally {
    await sql.end();
  }
});

test("postgres.js: a cancel whose session is over does nothing", { skip }, async () => {
  await withSql(targetOf(live.get(18)), async (sql) => {
    const query = sql`select 1 as one`.execute();
    await query;
    query.cancel();
    const [row] = await sql`select 2 as two`;
    assert.equal(row?.["two"], 2);
  });
});
