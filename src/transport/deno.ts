/**
 * Sockets by Deno's own API, which starts faster and costs less than `node:net` on Deno but can do less: see
 * {@link denoAdapter}.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { DenoConn, DenoNet } from "./deno_api.ts";
import { DenoTransport } from "./deno_transport.ts";
import { checkAddress, kernelPath } from "./endpoint.ts";
import { abortedFailure, dialFailure } from "./failures.ts";
import { Pending } from "./pending.ts";
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

const deno: DenoNet | undefined = (globalThis as unknown as { Deno?: DenoNet }).Deno;

/** Measured on Deno 2.9: a connection by `Deno.startTls` tells its ALPN protocol and nothing else. */
const ABILITIES: Abilities = {
  unix: !ON_WINDOWS,
  abstractUnix: ON_LINUX,
  serverCertificate: false,
  verify: ["full"],
  // Given roots are added to the system's.
  exclusiveRoots: false,
  // Only Deno.connectTls takes one, that is direct TLS alone.
  clientCertificate: false,
  versionBounds: [],
  withoutSni: false,
};

/**
 * Opens sockets by `Deno.connect` and `Deno.startTls`. TLS is verified against the system's roots and the host's name,
 * by rustls, or not at all possible; a policy that needs more is for the adapter of `./node`.
 *
 * Names are resolved while dialing. `close()` in the middle of a TLS handshake rejects it at once, but Deno 2.9 keeps
 * the socket itself until the server closes or the process ends. Deno's flag `--unsafely-ignore-certificate-errors` is beyond the reach of programs.
 */
export const denoAdapter: Adapter = { name: "deno", abilities: ABILITIES, dial };

async function dial(
  address: Address,
  signal?: AbortSignal,
  options?: SocketOptions,
): Promise<Transport> {
  if (deno === undefined) throw new UsageError("Cannot dial: this is the adapter for Deno");
  checkAddress(address);
  checkSocketOptions("deno", ABILITIES, options);
  if (signal === undefined) return await open(deno, address, options);
  const dialing = new Pending();
  const onAbort = (): void => dialing.end(abortedFailure(address, "dial", signal.reason));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await dialing.run((done, fail) => {
      open(deno, address, options, signal).then((transport) => {
        // Aborted in the meantime: nobody will take this connection.
        if (dialing.ended) transport.close();
        else done(transport);
      }, fail);
    });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function open(
  deno: DenoNet,
  address: Address,
  options: SocketOptions | undefined,
  signal?: AbortSignal,
): Promise<Transport> {
  let conn: DenoConn;
  try {
    conn = await connect(deno, address, signal);
  } catch (error) {
    throw dialFailure(address, error);
  }
  if (options?.keepAlive !== undefined) conn.setKeepAlive?.(true);
  return new DenoTransport(conn, address, { deno, abilities: ABILITIES });
}

async function connect(
  deno: DenoNet,
  address: Address,
  signal: AbortSignal | undefined,
): Promise<DenoConn> {
  const give = signal === undefined ? {} : { signal };
  const conn = address.kind === "tcp"
    ? await deno.connect({ hostname: address.host, port: address.port, ...give })
    : await deno.connect({ transport: "unix", path: kernelPath(address.path), ...give });
  // Without it a message written in two parts waits 40 ms for a delayed acknowledgement.
  conn.setNoDelay?.(true);
  return conn;
}
