import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { liveServers } from "../support/live.ts";
import { POSTGRES_VERSIONS, SCRAM_PASSWORD } from "../support/postgres.ts";
import { reasonOf } from "../connect/rejection.ts";
import { targetOf, untilAsleep, withSession } from "./session_with.ts";

const live = await liveServers();

for (const version of POSTGRES_VERSIONS) {
  const options = { skip: live.skip(version) };
  const knows = version >= 18;

  for (const max_protocol_version of ["3.2", "latest"]) {
    test(
      `PostgreSQL ${version} asked for ${max_protocol_version} speaks ${knows ? "3.2" : "3.0"}`,
      options,
      async () => {
        const more = { max_protocol_version, password: SCRAM_PASSWORD };
        await withSession(targetOf(live.get(version), "scram_user", more), (session) => {
          assert.equal(session.protocolVersion, knows ? "3.2" : "3.0");
          const { facts, transport } = session.detach();
          assert.equal(facts.cancelKey?.keyLength, knows ? 32 : 4);
          transport.close();
        });
      },
    );
  }

  test(
    `PostgreSQL ${version} ${knows ? "meets" : "does not meet"} min_protocol_version=3.2`,
    options,
    async () => {
      const target = targetOf(live.get(version), "trust_user", { min_protocol_version: "3.2" });
      const spoken = withSession(target, ({ protocolVersion }) => protocolVersion);
      if (knows) assert.equal(await spoken, "3.2");
      else await assert.rejects(spoken, { code: "protocol-version" });
    },
  );

  for (
    const [way, parameters] of [
      ["plaintext", { sslmode: "disable" }],
      ["TLS", { sslmode: "require" }],
      ...(version >= 17
        ? [["direct TLS", { sslmode: "require", sslnegotiation: "direct" }] as const]
        : []),
    ] as const
  ) {
    for (const max of knows ? ["3.0", "3.2"] : ["3.0"]) {
      test(
        `PostgreSQL ${version} cancels over ${way} with the key of protocol ${max}`,
        options,
        async () => {
          const server = live.get(version);
          const more = { ...parameters, max_protocol_version: max };
          await withSession(targetOf(server, "trust_user", more), async (session) => {
            assert.equal(session.protocolVersion, max);
            const lost = reasonOf(session.query("select pg_sleep(60)"));
            await untilAsleep(server, session.processId ?? 0);
            await session.cancel();
            const error = await lost as { sqlState?: string };
            assert.equal(error.sqlState, "57014", String(error));
            const [result] = await session.query("select 1");
            assert.deepEqual(result?.rows, [["1"]]);
          });
        },
      );
    }
  }

  test(`PostgreSQL ${version} does not mind a cancel when nothing runs`, options, async () => {
    await withSession(targetOf(live.get(version), "trust_user"), async (session) => {
      await session.cancel();
      assert.equal((await session.query("select 1")).length, 1);
    });
  });
}
