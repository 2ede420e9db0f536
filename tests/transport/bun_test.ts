import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { certificatePath } from "../support/certificates.ts";
import { contractTests } from "./contract.ts";
import { contractTestsInChild } from "./in_child.ts";
import { Lab } from "./lab.ts";

interface BunSocket {
  setNoDelay(noDelay: boolean): boolean;
}
interface Sockets {
  connect: (options: unknown) => Promise<BunSocket>;
}

if ("Bun" in globalThis) {
  const { bunAdapter } = await import("../../src/transport/bun.ts");
  contractTests(bunAdapter, test);
  // Neither may weaken anything: the first turns verification off by default, the second adds a root by default.
  await contractTestsInChild("bun", {
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
    NODE_EXTRA_CA_CERTS: certificatePath("ca.crt"),
    TRANSPORT_TEST_TRUSTS_CA: "1",
  }, test);

  test("bun: Nagle's algorithm is turned off once", async (t) => {
    const lab = new Lab();
    t.after(() => lab.close());
    const sockets = (globalThis as unknown as { Bun: Sockets }).Bun;
    const real = sockets.connect;
    const calls: unknown[] = [];
    sockets.connect = async (options) => {
      const socket = await real.call(sockets, options);
      socket.setNoDelay = (noDelay) => calls.push(noDelay) > 0;
      return socket;
    };
    lab.defer(() => {
      sockets.connect = real;
    });
    lab.use(await bunAdapter.dial((await lab.accept()).address));
    assert.deepEqual(calls, [true]);
  });
} else {
  test("bun: the contract of transports", { skip: "runs on Bun only" }, () => {});
}
