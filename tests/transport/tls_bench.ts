/** What the TLS cases of an adapter share. */
import assert from "node:assert/strict";
import process from "node:process";
import type { Adapter, TlsRequest, Transport } from "../../src/transport/transport.ts";
import { certificateText } from "../support/certificates.ts";
import type { Lab } from "./lab.ts";
import { pattern, readExactly } from "./octets.ts";
import { startTlsServer, type TlsServer, type TlsServerOptions } from "./tls_server.ts";

/** Set where the runtime was told to trust `ca.crt` beside its own roots. */
export const TRUSTS_CA: boolean = process.env["TRANSPORT_TEST_TRUSTS_CA"] === "1";

/** The authority of nearly all certificates. */
export const CA: string = certificateText("ca.crt");

/** One adapter and how to try its TLS. */
export class TlsBench {
  readonly adapter: Adapter;

  /** @param adapter Under test. One that cannot replace the system's roots needs {@link TRUSTS_CA}. */
  constructor(adapter: Adapter) {
    this.adapter = adapter;
  }

  /** Deno keeps the socket of a broken-off handshake until the server closes. */
  get releases(): boolean {
    return this.adapter.name !== "deno";
  }

  /** A request for full verification of "localhost", changed where it matters. */
  ask(changes: Partial<TlsRequest> = {}): TlsRequest {
    return {
      serverName: "localhost",
      verify: "full",
      host: "localhost",
      roots: this.adapter.abilities.exclusiveRoots ? { pem: CA } : "system",
      identity: undefined,
      minVersion: undefined,
      maxVersion: undefined,
      alpn: [],
      ...changes,
    };
  }

  /** A TLS server and a plain connection to it. */
  async dialServer(
    lab: Lab,
    options: TlsServerOptions = {},
  ): Promise<{ near: Transport; server: TlsServer }> {
    const server = await startTlsServer(lab, options);
    return { near: lab.use(await this.adapter.dial(server.address)), server };
  }
}

/** Octets go to the server and come back. */
export async function assertEchoes(near: Transport): Promise<void> {
  await near.write(pattern(10));
  assert.deepEqual(await readExactly(near, 10), pattern(10));
}
