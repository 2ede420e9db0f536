/**
 * Sockets by Bun's own API, which costs half the CPU of `node:net` on Bun and can do the same.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { BunNet } from "./bun_api.ts";
import { BunTransport } from "./bun_transport.ts";
import { checkAddress } from "./endpoint.ts";
import { nameFailure } from "./failures.ts";
import { checkSocketOptions } from "./requests.ts";
import { ON_LINUX, ON_WINDOWS } from "./runtime.ts";
import type { Abilities, Adapter, Address, SocketOptions, Transport } from "./transport.ts";

export type { TlsFacts, TlsVersion, Verification } from "../auth/channel.ts";
export type {
  Abilities,
  Adapter,
  Address,
  Endpoint,
  Feed,
  KeepAlive,
  Sink,
  SocketOptions,
  TlsIdentity,
  TlsRequest,
  Transport,
} from "./transport.ts";

const bun: BunNet | undefined = (globalThis as unknown as { Bun?: BunNet }).Bun;

/** Measured on Bun 1.4; each is a test of the contract suite. */
const ABILITIES: Abilities = {
  unix: !ON_WINDOWS,
  abstractUnix: ON_LINUX,
  serverCertificate: true,
  verify: ["none", "ca", "full"],
  exclusiveRoots: true,
  clientCertificate: true,
  versionBounds: ["TLSv1.2", "TLSv1.3"],
  withoutSni: true,
  revocationLists: true,
  keepAlive: ["idleS"],
};

/**
 * Opens sockets by `Bun.connect` and `upgradeTLS`.
 *
 * Bun cannot be told to give up a dial: one that is aborted, as by connect_timeout, rejects at once, but where packets are
 * dropped its socket stays, and keeps the process alive, until the system gives up after two minutes.
 */
export const bunAdapter: Adapter = { name: "bun", abilities: ABILITIES, resolve, dial };

async function resolve(host: string): Promise<readonly string[]> {
  if (bun === undefined) throw new UsageError("Cannot resolve: this is the adapter for Bun");
  try {
    const addresses = await bun.dns.lookup(host, { backend: "libc" });
    return addresses.map((one) => one.address);
  } catch (error) {
    throw nameFailure(host, error);
  }
}

async function dial(
  address: Address,
  signal?: AbortSignal,
  options?: SocketOptions,
): Promise<Transport> {
  if (bun === undefined) throw new UsageError("Cannot dial: this is the adapter for Bun");
  checkAddress(address);
  checkSocketOptions("bun", ABILITIES, options);
  const transport = new BunTransport(address, ABILITIES);
  await transport.connect(bun, signal, options);
  return transport;
}
