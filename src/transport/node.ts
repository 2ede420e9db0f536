/**
 * Sockets by `node:net` and `node:tls`, on Node, Deno and Bun. This is the adapter with every ability; importing it is
 * what loads `node:net`, its first TLS handshake what loads `node:tls`.
 *
 * @module
 */

import { Socket } from "node:net";
import { checkAddress } from "./endpoint.ts";
import { abortedFailure, nameFailure } from "./failures.ts";
import { prepareTls } from "./node_tls.ts";
import { NodeTransport } from "./node_transport.ts";
import { checkSocketOptions } from "./requests.ts";
import { ON_BUN, ON_DENO, ON_LINUX, ON_NODE, ON_WINDOWS } from "./runtime.ts";
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

/** What `node:net` and `node:tls` can do on the runtime this runs on. */
const ABILITIES: Abilities = {
  unix: !ON_WINDOWS,
  abstractUnix: ON_LINUX,
  serverCertificate: true,
  verify: ["none", "ca", "full"],
  exclusiveRoots: true,
  clientCertificate: true,
  // rustls and BoringSSL end at TLSv1.2.
  versionBounds: ON_DENO || ON_BUN
    ? ["TLSv1.2", "TLSv1.3"]
    : ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
  withoutSni: true,
  // Deno takes the option and does not look at it.
  revocationLists: !ON_DENO,
  // Interval and count came with Node 24; the runtimes before, Deno and Bun take two arguments.
  keepAlive: Socket.prototype.setKeepAlive.length >= 4 && ON_NODE
    ? ["idleS", "intervalS", "count"]
    : ["idleS"],
};

/** Opens sockets by `node:net` and `node:tls`, whatever the runtime. */
export const nodeAdapter: Adapter = {
  name: "node",
  abilities: ABILITIES,
  resolve,
  dial,
  prepareTls,
};

/** Loaded once: asking for it again takes 15 to 27 µs on Node. */
let dns: Promise<typeof import("node:dns")> | undefined;

async function resolve(host: string): Promise<readonly string[]> {
  if (!mayDialAnything()) return [host];
  const { lookup } = await (dns ??= import("node:dns"));
  return await new Promise((done, fail) => {
    lookup(host, { all: true, verbatim: true }, (error, addresses) => {
      if (error === null || error === undefined) done(addresses.map((one) => one.address));
      else fail(nameFailure(host, error));
    });
  });
}

/** The part of Deno that tells about permissions. */
interface DenoPermissions {
  permissions: { querySync(what: { name: "net" }): { state: string } };
}

/**
 * Deno's permissions for single hosts are for the name as it is dialed: with one of them, neither looking the name up
 * nor dialing its addresses is allowed, while the name itself is, so resolving is left to the dialing.
 */
function mayDialAnything(): boolean {
  const { Deno } = globalThis as unknown as { Deno?: DenoPermissions };
  return Deno === undefined || Deno.permissions.querySync({ name: "net" }).state === "granted";
}

async function dial(
  address: Address,
  signal?: AbortSignal,
  options?: SocketOptions,
): Promise<Transport> {
  checkAddress(address);
  checkSocketOptions("node", ABILITIES, options);
  if (signal?.aborted) throw abortedFailure(address, "dial", signal.reason);
  const transport = new NodeTransport(address, ABILITIES);
  await transport.connect(signal, options);
  return transport;
}
