import type { ConnectionOptions } from "node:tls";
import { tlsSetupFailure } from "./failures.ts";
import type { Address, TlsIdentity, TlsRequest } from "./transport.ts";

/**
 * A request in the words of `tls.connect`, which stays without `host`: with it, Deno would send SNI.
 *
 * @throws {ConnectionError} `tls-failed` if the client key cannot be used.
 */
export async function nodeTlsOptions(
  address: Address,
  request: TlsRequest,
): Promise<ConnectionOptions> {
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
  if (minVersion !== undefined) options.minVersion = minVersion;
  if (maxVersion !== undefined) options.maxVersion = maxVersion;
  if (identity !== undefined) {
    options.cert = identity.certificate;
    options.key = await plainKey(address, identity);
  }
  return options;
}

/**
 * The client key without its passphrase. Deno's TLS would silently send no certificate where the passphrase is wrong,
 * or where key and certificate are no pair; both are found here.
 */
async function plainKey(address: Address, identity: TlsIdentity): Promise<string> {
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  const { key, passphrase } = identity;
  let opened: ReturnType<typeof createPrivateKey>;
  try {
    opened = createPrivateKey(passphrase === undefined ? { key } : { key, passphrase });
  } catch (error) {
    const what = "cannot open the client key, wrong or missing passphrase, or not a key";
    throw tlsSetupFailure(address, what, error);
  }
  let paired: boolean;
  try {
    paired = new X509Certificate(identity.certificate).checkPrivateKey(opened);
  } catch (error) {
    throw tlsSetupFailure(address, "cannot read the client certificate", error);
  }
  if (!paired) {
    const mismatch = new Error("they do not belong together");
    throw tlsSetupFailure(address, "cannot use client certificate and key", mismatch);
  }
  return opened.export({ type: "pkcs8", format: "pem" }).toString();
}
