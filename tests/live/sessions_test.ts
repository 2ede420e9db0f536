import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { decodeBackend } from "../../src/wire/backend.ts";
import { Deframer } from "../../src/wire/deframer.ts";
import { encodeFrontend } from "../../src/wire/frontend.ts";
import { SESSION_LIMITS } from "../../src/wire/limits.ts";
import { type LiveServer, liveServers } from "../support/live.ts";
import { POSTGRES_VERSIONS, SCRAM_PASSWORD } from "../support/postgres.ts";
import { keysOf } from "../connect/scram_server.ts";
import { reasonOf, rejection } from "../connect/rejection.ts";
import { type Parameters, targetOf, untilAsleep, valueOf, withSession } from "./session_with.ts";

const live = await liveServers();

/** Ends another session's server process, and waits until it is gone. */
async function terminate(server: LiveServer, processId: number | undefined): Promise<void> {
  await withSession(targetOf(server, "postgres", { sslmode: "disable" }), async (session) => {
    await session.query(`select pg_terminate_backend(${processId})`);
    const gone = `select count(*) from pg_stat_activity where pid = ${processId}`;
    while (await valueOf(session, gone) !== "0") await session.query("select pg_sleep(0.01)");
  });
}

/** Keeps the event loop from turning, so that the runtime has no time to read what the kernel holds. */
function blockThread(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const PLACES: readonly {
  readonly name: string;
  readonly parameters: (server: LiveServer) => Parameters;
}[] = [
  { name: "TCP", parameters: () => ({ sslmode: "disable" }) },
  { name: "TLS", parameters: () => ({ sslmode: "require" }) },
  { name: "a Unix socket", parameters: ({ socketDirectory }) => ({ host: socketDirectory }) },
];

for (const version of POSTGRES_VERSIONS) {
  const options = { skip: live.skip(version) };

  for (const { name, parameters } of PLACES) {
    test(
      `PostgreSQL ${version}: 57P01 during a query over ${name} is the query's error`,
      options,
      async () => {
        const server = live.get(version);
        const session = await connect(targetOf(server, "trust_user", parameters(server)));
        const lost = reasonOf(session.query("select pg_sleep(60)"));
        await untilAsleep(server, session.processId ?? 0);
        await terminate(server, session.processId);
        const error = await lost as { sqlState?: string; phase?: string };
        assert.deepEqual([error.sqlState, error.phase], ["57P01", "ready"], String(error));
        assert.equal((await rejection(session.query("select 1"))).code, "session-closed");
        await session.close();
      },
    );

    test(
      `PostgreSQL ${version}: 57P01 while idle over ${name} is the next query's error`,
      options,
      async () => {
        const server = live.get(version);
        const session = await connect(targetOf(server, "trust_user", parameters(server)));
        await withSession(targetOf(server, "postgres", { sslmode: "disable" }), async (other) => {
          await other.query(`select pg_terminate_backend(${session.processId})`);
          blockThread(50);
          const error = await rejection(session.query("select 1"));
          assert.equal(error.sqlState, "57P01", String(error));
        });
        await session.close();
      },
    );

    test(
      `PostgreSQL ${version}: a detached session over ${name} goes on by hand`,
      options,
      async () => {
        const server = live.get(version);
        const session = await connect(targetOf(server, "trust_user", parameters(server)));
        const { transport, leftover } = session.detach();
        try {
          const text = "select 'by hand' as how";
          await transport.write(encodeFrontend({ type: "Query", text }));
          assert.deepEqual(await answer(transport, leftover), [
            "RowDescription",
            "DataRow by hand",
            "CommandComplete",
            "ReadyForQuery",
          ]);
          await transport.write(encodeFrontend({ type: "Terminate" }));
          assert.equal(await transport.read(), undefined);
        } finally {
          transport.close();
        }
      },
    );
  }

  test(
    `PostgreSQL ${version} is told options, application_name and client_encoding`,
    options,
    async () => {
      const more = {
        options: '-c search_path="a\\ b",c -c work_mem=1MB',
        application_name: "späť – test",
        client_encoding: "auto",
      };
      await withSession(targetOf(live.get(version), "trust_user", more), async (session) => {
        assert.equal(await valueOf(session, "show search_path"), '"a b",c');
        assert.equal(await valueOf(session, "show work_mem"), "1MB");
        assert.equal(await valueOf(session, "show client_encoding"), "UTF8");
        assert.equal(session.parameters.get("client_encoding"), "UTF8");
        const name = await valueOf(session, "show application_name");
        assert.equal(name, session.parameters.get("application_name"));
        // From 16 on other characters than ASCII are escaped, before that they become "?".
        assert.match(name ?? "", version >= 16 ? /^sp\\xc3\\xa4\\xc5\\xa5 / : /^sp\?{4} /);
      });
    },
  );

  test(`PostgreSQL ${version}: values, errors and notices of real queries`, options, async () => {
    const notices: (string | undefined)[] = [];
    const names: string[] = [];
    await withSession(targetOf(live.get(version), "trust_user"), async (session) => {
      const results = await session.query(
        "select 1 as one, null as nothing, 'ä\u{1f418}' as text; ; set timezone = 'UTC'; " +
          "drop table if exists never_there",
      );
      assert.deepEqual(results.map(({ rows, command }) => [command, rows]), [
        ["SELECT 1", [["1", null, "ä\u{1f418}"]]],
        ["SET", []],
        ["DROP TABLE", []],
      ]);
      assert.deepEqual(results[0]?.columns.map(({ name }) => name), ["one", "nothing", "text"]);
      assert.match(notices.join(), /never_there.*does not exist/);
      assert.ok(names.includes("TimeZone"));
      assert.equal(session.parameters.get("TimeZone"), "UTC");
      const error = await rejection(session.query("select 1; select 1/0; select 2"));
      assert.equal(error.sqlState, "22012");
      const syntax = await rejection(session.query("selec 1"));
      assert.deepEqual([syntax.sqlState, (syntax as { position?: number }).position], ["42601", 1]);
      await session.query("begin");
      assert.equal(session.transactionStatus, "T");
      await rejection(session.query("select 1/0"));
      assert.equal(session.transactionStatus, "E");
      await session.query("rollback");
      assert.equal(session.transactionStatus, "I");
      assert.deepEqual(await session.query(""), [{ columns: [], rows: [], command: "" }]);
    }, {
      onNotice: ({ message }) => notices.push(message),
      onParameter: (name) => names.push(name),
    });
  });

  test(`PostgreSQL ${version}: COPY is refused and the session stays usable`, options, async () => {
    await withSession(targetOf(live.get(version), "trust_user"), async (session) => {
      await session.query("create temp table copied (line text)");
      for (const text of ["copy copied from stdin", "copy (values (1), (2)) to stdout"]) {
        assert.equal((await rejection(session.query(text))).code, "misuse");
        assert.equal(await valueOf(session, "select count(*) from copied"), "0");
      }
    });
  });

  test(
    `PostgreSQL ${version}: replication is refused and the session stays usable`,
    options,
    async () => {
      const more = { replication: "database" };
      await withSession(targetOf(live.get(version), "postgres", more), async (session) => {
        const [system] = await session.query("IDENTIFY_SYSTEM");
        const start = system?.rows[0]?.[2];
        const error = await rejection(session.query(`START_REPLICATION PHYSICAL ${start}`));
        assert.equal(error.code, "misuse", String(error));
        assert.equal((await session.query("IDENTIFY_SYSTEM")).length, 1);
      });
    },
  );

  test(`PostgreSQL ${version}: a notification arrives with the next answer`, options, async () => {
    const heard: unknown[] = [];
    await withSession(targetOf(live.get(version), "trust_user"), async (session) => {
      await session.query("listen news");
      await session.query("notify news, 'hello'");
      assert.deepEqual(heard, [
        { processId: session.processId, channel: "news", payload: "hello" },
      ]);
    }, { onNotification: (notification) => heard.push(notification) });
  });

  test(`PostgreSQL ${version}: a large result and a large query pass whole`, options, async () => {
    await withSession(targetOf(live.get(version), "trust_user"), async (session) => {
      const [result] = await session.query(
        "select repeat('x', 300000) from generate_series(1, 20)",
      );
      assert.deepEqual(result?.rows.map(([value]) => value?.length), Array(20).fill(300_000));
      const text = `select length('${"y".repeat(2_000_000)}')`;
      assert.equal(await valueOf(session, text), "2000000");
    });
  });

  test(`PostgreSQL ${version} lets the keys of a password in`, options, async () => {
    const server = live.get(version);
    const verifier = await withSession(
      targetOf(server, "postgres"),
      (session) =>
        valueOf(session, "select rolpassword from pg_authid where rolname = 'scram_user'"),
    );
    const [, iterations = "", salt = ""] = /^SCRAM-SHA-256\$(\d+):([^$]+)/.exec(verifier ?? "") ??
      [];
    const octets = Uint8Array.from(atob(salt), (character) => character.charCodeAt(0));
    const keys = keysOf({
      password: SCRAM_PASSWORD,
      salt: octets,
      iterations: Number(iterations),
    });
    const more = {
      scram_client_key: keys.client.toString("base64"),
      scram_server_key: keys.server.toString("base64"),
    };
    await withSession(targetOf(server, "scram_user", more), ({ authentication }) => {
      assert.equal(authentication.method, "scram-sha-256");
    });
    const swapped = {
      scram_client_key: more.scram_server_key,
      scram_server_key: more.scram_client_key,
    };
    const refused = withSession(targetOf(server, "scram_user", swapped), () => undefined);
    await assert.rejects(refused, { sqlState: "28P01" });
  });
}

/** The names of the messages until ReadyForQuery, with the first value of rows. */
async function answer(transport: Transport, leftover: Uint8Array): Promise<readonly string[]> {
  const deframer = new Deframer();
  deframer.push(leftover);
  const names: string[] = [];
  while (names.at(-1) !== "ReadyForQuery") {
    const frame = deframer.message(SESSION_LIMITS);
    if (frame === undefined) {
      const octets = await transport.read();
      assert.ok(octets !== undefined, `it ended after ${names.join()}`);
      deframer.push(octets);
      continue;
    }
    const message = decodeBackend(frame);
    names.push(message.type === "DataRow" ? `DataRow ${message.values[0]}` : message.type);
  }
  return names;
}
