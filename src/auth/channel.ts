/** What is known about the channel a session runs over; policy is judged against these facts. */

/** A TLS protocol version, named as libpq's `ssl_min_protocol_version` names it. */
export type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

/** How far a server certificate was, or is to be, verified: not at all, its chain, chain and name. */
export type Verification = "none" | "ca" | "full";

/** What the TLS layer reports after its handshake. */
export interface TlsFacts {
  /** The version in use; undefined where the runtime does not tell. */
  readonly protocol: TlsVersion | undefined;
  /** The cipher suite in OpenSSL's or IANA's spelling; undefined where the runtime does not tell. */
  readonly cipher: string | undefined;
  /** The application protocol the server selected; undefined if it selected none. */
  readonly alpn: string | undefined;
  /** How far the transport itself verified the certificate. */
  readonly verified: Verification;
  /** The server's own certificate as DER octets; undefined where the runtime does not show it. */
  readonly serverCertificate: Uint8Array | undefined;
}

/** What the GSSAPI layer reports once its context is complete. */
export interface GssFacts {
  /** The service the server has proved to be, as service@host. */
  readonly service: string;
  /** Whether our credentials were passed on to the server. */
  readonly delegated: boolean;
}

/** The channel octets travel over. `local` is true for Unix sockets and loopback addresses. */
export type ChannelFacts =
  | { readonly kind: "plain"; readonly local: boolean }
  | { readonly kind: "tls"; readonly local: boolean; readonly tls: TlsFacts }
  /** Encrypted by GSSAPI, both sides authenticated. */
  | { readonly kind: "gss"; readonly local: boolean; readonly gss: GssFacts };
