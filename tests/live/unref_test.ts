import "../support/guard.ts";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { certificatePath } from "../support/certificates.ts";
import { liveServers } from "../support/live.ts";

const live = await liveServers();
const skip = live.skip(18);

/** The same file in the build for Node 20. */
const program = fileURLToPath(
  new URL(
    import.meta.url.endsWith(".js") ? "unref_program.js" : "unref_program.ts",
    import.meta.url,
  ),
);

function start(parameters: string, what: string) {
  const flags = "Deno" in globalThis ? ["run", "--quiet", "--no-check", "-A"] : [];
  const target = `postgres://trust_user@localhost:${live.get(18).port}/app?${parameters}`;
  return spawn(process.execPath, [...flags, program, target, what], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

const PLACES = {
  "TCP": "sslmode=disable",
  "TLS": `sslmode=verify-full&sslrootcert=${certificatePath("ca.crt")}`,
};

for (const [name, parameters] of Object.entries(PLACES)) {
  test(
    `a process whose only session over ${name} is unref'd ends by itself`,
    { skip },
    async () => {
      const child = start(parameters, "unref");
      const ended = once(child, "exit");
      await once(child.stdout, "data");
      assert.deepEqual(await ended, [0, null]);
    },
  );

  for (const what of ["ref", "ref again"]) {
    test(`a process with an open session over ${name} goes on: ${what}`, { skip }, async () => {
      const child = start(parameters, what);
      const ended = once(child, "exit");
      await once(child.stdout, "data");
      // Ends only when it is told to.
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal(child.exitCode, null);
      child.kill("SIGKILL");
      assert.deepEqual(await ended, [null, "SIGKILL"]);
    });
  }
}
