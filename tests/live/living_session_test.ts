import "../support/guard.ts";
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { cancel } from "../../src/connect/cancel.ts";
import { connect } from "../../src/connect/connect.ts";
import type { PgHandshakeError } from "../../src/errors.ts";
import { encodeFrontend } from "../../src/wire/frontend.ts";
import { certificatePath } from "../support/certificates.ts";
import { type LiveServer, liveServers } from "../support/live.ts";
import { POSTGRES_VERSIONS, startPostgres } from "../support/postgres.ts";
import { reasonOf, rejection } from "../connect/rejection.ts";
import { type Parameters, targetOf, untilAsleep, valueOf, withSession } from "./session_with.ts";

const live = await liveServers();

/** Other runtimes test on the same servers at the same time. */
const CHANNEL = `Jobs ${randomUUID()}`;

const PLACES: readonly {
  readonly name: string;
  readonly parameters: (server: LiveServer) => Parameters;
}[] = [
  { name: "TCP", parameters: () => ({ sslmode: "disable" }) },
  {
    name: "TLS",
    parameters: () => ({
      host: "localhost",
      sslmode: "verify-full",
      sslrootcert: certificatePath("ca.crt"),
    }),
  },
  { name: "a Unix socket", parameters: ({ socketDirectory }) => ({ host: socketDirectory }) },
];

for (const version of [18, 14] as const) {
  const options = { skip: live.skip(version) };
  for (const { name, parameters } of PLACES) {
    const use: typeof withSession = (extra, run, more) => {
      const server = live.get(version);
      return withSession(
        targetOf(server, "trust_user", { ...parameters(server), ...extra }),
        run,
        more,
      );
    };

    test(
      `PostgreSQL ${version} over ${name}: a notification arrives while idle`,
      options,
      () =>
        use({}, async (session) => {
          const jobs = await session.listen(CHANNEL);
          const all = session.notifications();
          const server = live.get(version);
          await withSession(targetOf(server, "trust_user"), async (other) => {
            await other.query(
              `select pg_notify('${CHANNEL}', 'first'), pg_notify('${CHANNEL.toLowerCase()}', 'x')`,
            );
            const { value } = await jobs.next();
            assert.deepEqual(value, {
              processId: other.processId,
              channel: CHANNEL,
              payload: "first",
            });
            assert.equal((await all.next()).value.payload, "first");
            await jobs.unlisten();
            await other.query(`select pg_notify('${CHANNEL}', 'late')`);
            await session.query("select 1");
          });
          await session.close();
          assert.deepEqual(await all.next(), { value: undefined, done: true });
        }),
    );

    test(`PostgreSQL ${version} over ${name}: 57P01 while idle is told at once`, options, () => {
      const reasons: PgHandshakeError[] = [];
      return use({}, async (session) => {
        const server = live.get(version);
        await withSession(
          targetOf(server, "postgres"),
          (other) => other.query(`select pg_terminate_backend(${session.processId})`),
        );
        const reason = await session.closed;
        assert.equal(reason?.sqlState, "57P01", String(reason));
        assert.deepEqual(reasons, [reason]);
      }, { onClose: (reason) => reasons.push(reason) });
    });

    test(
      `PostgreSQL ${version} over ${name}: a signal cancels, and the session goes on`,
      options,
      () =>
        use({}, async (session) => {
          const controller = new AbortController();
          const running = rejection(
            session.query("select pg_sleep(60)", { signal: controller.signal }),
          );
          await untilAsleep(live.get(version), session.processId ?? 0);
          controller.abort();
          assert.deepEqual((await running).code, "aborted");
          for (let round = 0; round < 20; round++) {
            assert.equal(await valueOf(session, `select ${round}`), String(round));
          }
        }),
    );

    test(
      `PostgreSQL ${version} over ${name}: break cancels a stream of ten million rows`,
      options,
      () =>
        use({}, async (session) => {
          let sum = 0;
          const text =
            "select n, repeat('x', 100) from (select generate_series(1, 10000000) n) rows";
          for await (const { values } of session.stream(text)) {
            sum += Number(values[0]);
            if (values[0] === "1000") break;
          }
          assert.equal(sum, 500_500);
          assert.equal(await valueOf(session, "select 7"), "7");
        }),
    );

    test(
      `PostgreSQL ${version} over ${name}: a stream gives a large result whole`,
      options,
      () =>
        use({}, async (session) => {
          let count = 0;
          let length = 0;
          const stream = session.stream("select repeat('x', 1000) from generate_series(1, 30000)");
          for await (const { values } of stream) {
            count += 1;
            length += values[0]?.length ?? 0;
          }
          assert.deepEqual([count, length, stream.commands], [30_000, 30_000_000, [
            "SELECT 30000",
          ]]);
        }),
    );

    test(`PostgreSQL ${version} over ${name}: a Duplex goes on by hand`, options, async () => {
      const server = live.get(version);
      const session = await connect(targetOf(server, "trust_user", parameters(server)));
      // It reads by now.
      await session.query("select 1");
      const duplex = await session.detach().duplex();
      duplex.write(encodeFrontend({ type: "Query", text: "select 'by hand'" }));
      let text = "";
      for await (const chunk of duplex) {
        text += new TextDecoder().decode(chunk as Uint8Array);
        if (text.includes("SELECT 1")) break;
      }
      assert.match(text, /by hand/);
      if (!duplex.closed) await once(duplex, "close");
    });

    test(`PostgreSQL ${version} over ${name}: Web Streams go on by hand`, options, async () => {
      const server = live.get(version);
      const session = await connect(targetOf(server, "trust_user", parameters(server)));
      await session.query("select 1");
      const { readable, writable } = session.detach();
      const writer = writable.getWriter();
      await writer.write(encodeFrontend({ type: "Query", text: "select 'by hand'" }));
      let text = "";
      const reader = readable.getReader();
      while (!text.includes("SELECT 1")) {
        const { value, done } = await reader.read();
        assert.ok(!done);
        text += new TextDecoder().decode(value);
      }
      assert.match(text, /by hand/);
      await writer.write(encodeFrontend({ type: "Terminate" }));
      await reader.cancel();
    });
  }
}

for (const version of POSTGRES_VERSIONS) {
  test(
    `PostgreSQL ${version}: cancel() stands alone, and a wrong key cancels nothing`,
    { skip: live.skip(version) },
    async () => {
      const server = live.get(version);
      const target = targetOf(server, "trust_user", { sslmode: "require" });
      const session = await connect(target);
      const { processId = 0 } = session;
      const running = reasonOf(session.query("select pg_sleep(60)"));
      await untilAsleep(server, processId);
      await cancel({ target, processId, secretKey: 1 });
      await withSession(targetOf(server, "postgres"), async (other) => {
        const text = `select wait_event from pg_stat_activity where pid = ${processId}`;
        assert.equal(await valueOf(other, text), "PgSleep");
      });
      await session.cancel();
      assert.equal((await running as PgHandshakeError).sqlState, "57014");
      await session.close();
    },
  );
}

test(
  "PostgreSQL 18: a signal cancels by a key of 32 octets",
  { skip: live.skip(18) },
  async () => {
    const server = live.get(18);
    const target = targetOf(server, "trust_user", { max_protocol_version: "3.2" });
    await withSession(target, async (session) => {
      assert.equal(session.protocolVersion, "3.2");
      const error = await rejection(
        session.query("select pg_sleep(60)", { signal: AbortSignal.timeout(50) }),
      );
      assert.equal(error.code, "timeout");
      assert.equal(await valueOf(session, "select 1"), "1");
    });
  },
);

test("a server that shuts down tells idle sessions why", { skip: live.skip(18) }, async () => {
  const server = await startPostgres({ version: 18 });
  try {
    const target = targetOf(server, "trust_user");
    const sessions = await Promise.all(Array.from({ length: 5 }, () => connect(target)));
    const reasons = Promise.all(sessions.map(({ closed }) => closed));
    await server.stop();
    assert.deepEqual((await reasons).map((reason) => reason?.sqlState), Array(5).fill("57P01"));
  } finally {
    await server.stop();
  }
});
