import "../support/guard.ts";
import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "node:test";
import { nodeAdapter } from "../../src/transport/node.ts";
import { tune } from "../../src/transport/node_socket.ts";
import { certificatePath } from "../support/certificates.ts";
import { contractTests } from "./contract.ts";
import { contractTestsInChild } from "./in_child.ts";
import { type Case, runCase } from "./lab.ts";

contractTests(nodeAdapter, test);

// Neither may weaken anything: the first turns verification off by default, the others add a root by default.
await contractTestsInChild("node", {
  NODE_TLS_REJECT_UNAUTHORIZED: "0",
  NODE_EXTRA_CA_CERTS: certificatePath("ca.crt"),
  DENO_CERT: certificatePath("ca.crt"),
  TRANSPORT_TEST_TRUSTS_CA: "1",
}, test);

const nagle: Case = {
  title: "Nagle's algorithm is turned off once",
  async run(lab) {
    const { address } = await lab.accept();
    const real = Socket.prototype.setNoDelay;
    const calls: unknown[] = [];
    Socket.prototype.setNoDelay = function (noDelay) {
      calls.push(noDelay);
      return real.call(this, noDelay);
    };
    lab.defer(() => {
      Socket.prototype.setNoDelay = real;
    });
    lab.use(await nodeAdapter.dial(address));
    assert.deepEqual(calls, [true]);
  },
};
test(`node: ${nagle.title}`, () => runCase(nagle));

const NONE = { idleS: undefined, intervalS: undefined, count: undefined };
for (
  const [given, told] of [
    [{}, [true]],
    [{ idleS: 33 }, [true, 33_000, 75_000, 9]],
    [{ intervalS: 7 }, [true, 7_200_000, 7_000, 9]],
    [{ count: 4 }, [true, 7_200_000, 75_000, 4]],
    [{ idleS: 33, intervalS: 7, count: 4 }, [true, 33_000, 7_000, 4]],
  ] as const
) {
  test(`tune() leaves no number to chance, given ${JSON.stringify(given)}`, () => {
    const calls: unknown[][] = [];
    const socket = {
      setNoDelay: () => {},
      setKeepAlive: (...args: unknown[]) => calls.push(args),
    } as unknown as Socket;
    tune(socket, { keepAlive: { ...NONE, ...given }, userTimeoutMs: undefined });
    assert.deepEqual(calls, [told]);
  });
}
