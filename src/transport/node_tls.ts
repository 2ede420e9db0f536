import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { tlsSetupFailure } from "./failures.ts";
import type { TlsIdentity, TlsRequest } from "./transport.ts";

/**
 * A request in the words of `tls.connect`, which stays without `host`: with it, Deno would send SNI.
 *
 * @throws {ConfigError} If the client certificate or its key cannot be used.
 */
export async function nodeTlsOptions(request: TlsRequest): Promise<ConnectionOptions> {
  const { serverName, roots, identity, minVersion, maxVersion, alpn } = request;
  const options: ConnectionOptions = {
    rejectUnauthorized: request.verify !== "none",
    // Names are compared by the gate, by libpq's rules.
    checkServerIdentity: () => undefined,
  };
  if (serverName !== undefined) options.servername = serverName;
  // Node and Deno send no SNI if nothing is given, Bun if this is empty; Deno takes it for a name.
  else if (!("Deno" in globalThis)) options.servername = "";
  if (roots !== "system") options.ca = roots.pem;
  if (alpn.length > 0) options.ALPNProtocols = [...alpn];
  if (request.revocationLists !== undefined) options.crl = request.revocationLists;
  if (minVersion !== undefined) options.minVersion = minVersion;
  if (maxVersion !== undefined) options.maxVersion = maxVersion;
  if (identity !== undefined) {
    options.cert = identity.certificate;
    options.key = await plainKey(identity);
  }
  return options;
}

/** What reads a socket's octets from the system. */
export interface Wire {
  readStop(): void;
  readStart(): void;
}

/**
 * The handle under a plain socket, to be taken before TLS takes it: Deno's TLS socket goes on reading while it is
 * paused, without a bound, and only this stops it. Not documented; the contract's case about a slow reader over TLS
 * fails when it no longer works.
 */
export function wireOf(socket: Socket): Wire | undefined {
  const handle = (socket as unknown as { _handle?: Partial<Wire> | null })._handle;
  return handle?.readStop === undefined || handle.readStart === undefined
    ? undefined
    : handle as Wire;
}

/**
 * The client key without its passphrase. Deno's TLS would silently send no certificate where the passphrase is wrong,
 * or where key and certificate are no pair; both are found here.
 */
async function plainKey(identity: TlsIdentity): Promise<string> {
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  const { key, passphrase } = identity;
  let opened: ReturnType<typeof createPrivateKey>;
  try {
    opened = createPrivateKey(passphrase === undefined ? { key } : { key, passphrase });
  } catch (error) {
    const what = "cannot open the client key, wrong or missing passphrase, or not a key";
    throw tlsSetupFailure("sslkey", what, error);
  }
  let paired: boolean;
  try {
    paired = new X509Certificate(identity.certificate).checkPrivateKey(opened);
  } catch (error) {
    throw tlsSetupFailure("sslcert", "cannot read the client certificate", error);
  }
  if (!paired) {
    const mismatch = new Error("they do not belong together");
    throw tlsSetupFailure("sslkey", "cannot use client certificate and key", mismatch);
  }
  return opened.export({ type: "pkcs8", format: "pem" }).toString();
}
