import "../support/guard.ts";
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { certificatePath } from "../support/certificates.ts";
import { execute } from "../support/execute.ts";
import { liveServers } from "../support/live.ts";
import { SCRAM_PASSWORD } from "../support/postgres_data.ts";

const live = await liveServers();
const skip = "Deno" in globalThis ? live.skip(18) : "runs on Deno only";

/** `.ts` even in the compiled tests: Deno runs what stands in the repository only. */
const PROGRAM = fileURLToPath(new URL("./without_node_program.ts", import.meta.url));
const LIMIT_MS = 60_000;

const CHANNELS = {
  "TCP": "sslmode=disable",
  "TLS": "sslmode=verify-full&sslrootcert=system&channel_binding=disable",
};

for (const [name, parameters] of Object.entries(CHANNELS)) {
  test(`on Deno: a session over ${name} loads nothing of Node`, { skip }, async () => {
    const target = `postgres://scram_user:${SCRAM_PASSWORD}@localhost:${
      live.get(18).port
    }/app?${parameters}`;
    const { code, output } = await execute(
      process.execPath,
      ["run", "--no-check", "--quiet", "-A", PROGRAM, target],
      {
        limitMs: LIMIT_MS,
        environment: { ...process.env, NO_COLOR: "1", DENO_CERT: certificatePath("ca.crt") },
      },
    );
    const line = output.split("\n").find((text) => text.startsWith("{"));
    assert.ok(code === 0 && line !== undefined, `the child ended with ${code}: ${output}`);
    // What Deno has of Node's is loaded by whoever asks for one of these, and by an import of "node:".
    assert.deepEqual(JSON.parse(line), { asked: [], adapters: ["deno"] });
  });
}
