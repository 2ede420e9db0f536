import "../support/guard.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { fakeServer, GREETING } from "./fake_server.ts";
import { refusal } from "./rejection.ts";
import { askingClear, askingScram, login } from "./logins.ts";
import { keysOf, ScramServer } from "./scram_server.ts";
import { PLAIN } from "./sessions.ts";

test("scram_client_key and scram_server_key stand in for the password", async () => {
  const keys = keysOf({
    password: "pencil",
    salt: new TextEncoder().encode("salt of a test"),
    iterations: 4096,
  });
  await login(fakeServer(askingScram({ password: "pencil" })), {
    ...PLAIN,
    scram_client_key: keys.client.toString("base64"),
    scram_server_key: keys.server.toString("base64"),
  }, { password: () => assert.fail("the keys are there") });
});

test("scram keys are no answer to another request: then the password is asked for", async () => {
  const key = Buffer.alloc(32).toString("base64");
  const target = { ...PLAIN, scram_client_key: key, scram_server_key: key };
  const failed = await refusal(
    connect(target, { adapter: fakeServer(askingClear()).adapter }),
  );
  assert.equal(failed.code, "password-missing");
});

test("SCRAM normalizes the password as PostgreSQL does", async () => {
  await login(fakeServer(askingScram({ password: "IX IX" })), PLAIN, {
    password: "I\u00ADX \u2168",
  });
});

test("a server that does not know the password is found out", async () => {
  const server = fakeServer(async (peer) => {
    await peer.packet();
    const scram = new ScramServer(peer, { password: "pencil" });
    await scram.first();
    await scram.proof();
    const data = new TextEncoder().encode(`v=${Buffer.alloc(32, 7).toString("base64")}`);
    await peer.send({ type: "AuthenticationSASLFinal", data }, ...GREETING);
  });
  const failed = await refusal(
    connect({ ...PLAIN, password: "pencil" }, { adapter: server.adapter }),
  );
  assert.equal(failed.code, "server-not-verified");
  await server.done();
});

for (
  const [iterations, options, code] of [
    [100_001, {}, "scram-limit"],
    [4096, { maxScramIterations: 4095 }, "scram-limit"],
    [4096, { minScramIterations: 4097 }, "scram-limit"],
    [4096, { minScramIterations: 4096, maxScramIterations: 4096 }, undefined],
    [1, {}, undefined],
  ] as const
) {
  test(`${iterations} iterations with ${JSON.stringify(options)} give ${code ?? "a session"}`, async () => {
    const server = fakeServer(async (peer) => {
      await peer.packet();
      const scram = new ScramServer(peer, { password: "pencil", iterations });
      await scram.first();
      const data = await scram.proof();
      await peer.send({ type: "AuthenticationSASLFinal", data }, ...GREETING);
    });
    const target = { ...PLAIN, password: "pencil" };
    if (code === undefined) return await login(server, target, options);
    const failed = await refusal(connect(target, { adapter: server.adapter, ...options }));
    assert.deepEqual(failed, { code, phase: "authenticate" });
    await server.done();
    assert.deepEqual(server.sent(), [["StartupMessage", "SASLInitialResponse"]]);
  });
}
