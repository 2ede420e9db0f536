/** Run on Deno without permission for the network: prints how each adapter says so. */
import process from "node:process";
import type { PgHandshakeError } from "../../src/errors.ts";
import { denoAdapter } from "../../src/transport/deno.ts";
import { nodeAdapter } from "../../src/transport/node.ts";
import type { Address } from "../../src/transport/transport.ts";

const addresses: readonly Address[] = [
  { kind: "tcp", host: "127.0.0.1", port: 5432 },
  { kind: "tcp", host: "::1", port: 5432 },
  { kind: "unix", path: "/tmp/x" },
  { kind: "tcp", host: "localhost", port: 5432 },
];

async function print(attempt: Promise<unknown>): Promise<void> {
  try {
    await attempt;
    process.stdout.write("allowed\n");
  } catch (error) {
    const { name, code, message } = error as PgHandshakeError;
    process.stdout.write(`${name} ${code} ${message}\n`);
  }
}

for (const adapter of [denoAdapter, nodeAdapter]) {
  for (const address of addresses) await print(adapter.dial(address));
}
process.stdout.write(`${(await nodeAdapter.resolve?.("localhost"))?.join()}\n`);
