import type { TlsFacts, TlsVersion } from "../auth/channel.ts";
import type { ConnectionError } from "../errors.ts";
import { certificateFailure, codeOf, isCertificateVerdict, tlsFailure } from "./failures.ts";
import { curves, tlsVersion } from "./requests.ts";
import type { Address, TlsRequest } from "./transport.ts";

/** What `upgradeTLS` takes, in its own spelling. */
export interface BunTlsOptions {
  serverName: string;
  rejectUnauthorized: false;
  minVersion: number;
  ecdhCurve: string;
  ca?: string;
  crl?: string;
  cert?: string;
  key?: string;
  passphrase?: string;
  /** In the form of the wire; a plain name would silently be dropped. */
  ALPNProtocols?: Uint8Array;
  maxVersion?: number;
}

/** What a TLS socket of Bun tells about itself. */
export interface TlsReport {
  readonly alpnProtocol: string | false | null;
  getTLSVersion(): string | null;
  getCipher(): { readonly name: string | null } | undefined;
  getPeerCertificate(): { readonly raw?: Uint8Array } | null | undefined;
}

/** ProtocolVersion of the record layer (RFC 8446, section 4.1.2), which is how Bun wants versions. */
const VERSION_NUMBERS: Readonly<Record<TlsVersion, number>> = {
  "TLSv1": 0x0301,
  "TLSv1.1": 0x0302,
  "TLSv1.2": 0x0303,
  "TLSv1.3": 0x0304,
};

/** The rest of what BoringSSL knows, the post-quantum hybrid (draft-ietf-tls-ecdhe-mlkem) among it. */
const OTHER_CURVES: readonly string[] = ["X25519MLKEM768", "P-384", "P-521"];

/** The verdict on a name that does not match, which Bun gives only once chain, dates and purpose have passed. */
const NAME_VERDICT = "ERR_TLS_CERT_ALTNAME_INVALID";

/** A request in the words of `upgradeTLS`. */
export function bunTlsOptions(request: TlsRequest): BunTlsOptions {
  const { roots, identity, minVersion, maxVersion, alpn } = request;
  const options: BunTlsOptions = {
    // Empty sends no SNI; absent would send the dialed host, even an IP address.
    serverName: request.serverName ?? "",
    // Judged by `judge`: Bun would mix the name, which is the gate's business, into its own decision.
    rejectUnauthorized: false,
    // Never below TLSv1.2, as libpq by default.
    minVersion: Math.max(VERSION_NUMBERS[minVersion ?? "TLSv1.2"], VERSION_NUMBERS["TLSv1.2"]),
    ecdhCurve: curves(request.firstCurve, OTHER_CURVES),
  };
  if (roots !== "system") options.ca = roots.pem;
  if (request.revocationLists !== undefined) options.crl = request.revocationLists;
  if (identity !== undefined) {
    options.cert = identity.certificate;
    options.key = identity.key;
    if (identity.passphrase !== undefined) options.passphrase = identity.passphrase;
  }
  if (alpn.length > 0) options.ALPNProtocols = alpnOnTheWire(alpn);
  if (maxVersion !== undefined) options.maxVersion = VERSION_NUMBERS[maxVersion];
  return options;
}

/**
 * Judges the end of a handshake by the verdict Bun reports with it, which does not depend on
 * NODE_TLS_REJECT_UNAUTHORIZED.
 *
 * @returns Why the handshake counts as failed; undefined if it stands.
 */
export function judge(
  address: Address,
  request: TlsRequest,
  verdict: Error | null,
): ConnectionError | undefined {
  if (verdict === null || codeOf(verdict) === NAME_VERDICT) return undefined;
  if (!isCertificateVerdict(verdict)) return tlsFailure(address, verdict);
  return request.verify === "none" ? undefined : certificateFailure(address, verdict);
}

/** The facts of a connection whose handshake stands. */
export function factsOf(socket: TlsReport, request: TlsRequest): TlsFacts {
  const raw = socket.getPeerCertificate()?.raw;
  return {
    protocol: tlsVersion(socket.getTLSVersion()),
    cipher: socket.getCipher()?.name ?? undefined,
    alpn: socket.alpnProtocol || undefined,
    verified: request.verify === "none" ? "none" : "ca",
    serverCertificate: raw === undefined ? undefined : new Uint8Array(raw),
  };
}

function alpnOnTheWire(protocols: readonly string[]): Uint8Array {
  const octets: number[] = [];
  for (const protocol of protocols) {
    const name = new TextEncoder().encode(protocol);
    octets.push(name.length, ...name);
  }
  return Uint8Array.from(octets);
}
