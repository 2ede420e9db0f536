import "../support/guard.ts";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { certificatePath } from "../support/certificates.ts";
import { contractTests } from "./contract.ts";
import { contractTestsInChild } from "./in_child.ts";
import { Lab } from "./lab.ts";

interface Conn {
  setNoDelay(noDelay: boolean): void;
}
interface Sockets {
  connect: (options: unknown) => Promise<Conn>;
}

if ("Deno" in globalThis) {
  const { denoAdapter } = await import("../../src/transport/deno.ts");
  contractTests(denoAdapter, test, ["stream", "dial"]);
  // Deno's own TLS takes no roots of ours alone, so its tests need a process that trusts them.
  await contractTestsInChild("deno", {
    DENO_CERT: certificatePath("ca.crt"),
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
    TRANSPORT_TEST_TRUSTS_CA: "1",
  }, test);

  test("deno: Nagle's algorithm is turned off once, and not on a Unix socket", async (t) => {
    const lab = new Lab();
    t.after(() => lab.close());
    const sockets = (globalThis as unknown as { Deno: Sockets }).Deno;
    const real = sockets.connect;
    const calls: unknown[] = [];
    sockets.connect = async (options) => {
      const conn = await real.call(sockets, options);
      if (conn.setNoDelay !== undefined) conn.setNoDelay = (noDelay) => void calls.push(noDelay);
      return conn;
    };
    lab.defer(() => {
      sockets.connect = real;
    });
    lab.use(await denoAdapter.dial((await lab.accept()).address));
    assert.deepEqual(calls, [true]);
    const path = `/tmp/pg-handshake-${process.pid}-nagle.sock`;
    lab.use(await denoAdapter.dial((await lab.accept({ path })).address));
    assert.deepEqual(calls, [true]);
  });

  test("deno: a missing permission is named by its flag, by both adapters", () => {
    const script = fileURLToPath(new URL("./denied.ts", import.meta.url));
    const flags = ["run", "--no-prompt", "--no-check", "--quiet", "--allow-env"];
    const child = spawnSync(process.execPath, [...flags, script], { encoding: "utf8" });
    assert.equal(child.stderr, "");
    const tcp4 = 'ConfigError missing-permission Cannot connect to "127.0.0.1", port 5432: ' +
      'Deno needs the permission "--allow-net=127.0.0.1:5432"';
    const tcp6 = 'ConfigError missing-permission Cannot connect to "::1", port 5432: ' +
      'Deno needs the permission "--allow-net=[::1]:5432"';
    const unix =
      'ConfigError missing-permission Cannot connect to socket "/tmp/x": Deno needs the ' +
      'permission "--allow-read=/tmp/x --allow-write=/tmp/x --allow-net=unix:/tmp/x"';
    // Resolving is left to the dialing then, for which the name's own permission is enough.
    const name = 'ConfigError missing-permission Cannot connect to "localhost", port 5432: ' +
      'Deno needs the permission "--allow-net=localhost:5432"';
    const lookUp = "localhost";
    assert.deepEqual(child.stdout.trim().split("\n"), [
      tcp4,
      tcp6,
      unix,
      name,
      tcp4,
      tcp6,
      unix,
      name,
      lookUp,
    ]);
  });
} else {
  test("deno: the contract of transports", { skip: "runs on Deno only" }, () => {});
}
