import { tlsSetupFailure } from "./failures.ts";
import type { TlsIdentity } from "./transport.ts";

/**
 * The client key without its passphrase. Deno's TLS would silently send no certificate where the passphrase is wrong,
 * or where key and certificate are no pair; both are found here.
 *
 * @throws {ConfigError} Naming which of them cannot be used.
 */
export async function plainKey(identity: TlsIdentity): Promise<string> {
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
