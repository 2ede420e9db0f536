import type { TlsFacts, TlsVersion, Verification } from "../auth/channel.ts";

/** Where to dial. */
export type Address =
  /** A host name or IP literal (no brackets) and a port of 1 to 65535. */
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  /** The path of a Unix socket; a leading "@" means the abstract name space of Linux. */
  | { readonly kind: "unix"; readonly path: string };

/** Where a transport is connected to. */
export interface Endpoint {
  /** What kind of socket. */
  readonly kind: "tcp" | "unix";
  /** The peer's IP address in text form; undefined for Unix sockets. */
  readonly remoteAddress: string | undefined;
  /** The peer's port; undefined for Unix sockets. */
  readonly remotePort: number | undefined;
  /** The socket path as given; undefined for TCP. */
  readonly path: string | undefined;
  /** True for a Unix socket and for 127.0.0.0/8 and ::1: octets do not leave this machine. */
  readonly local: boolean;
}

/** What a TCP socket is told about peers that fall silent; a Unix socket ignores it. */
export interface SocketOptions {
  /** Keepalives with these numbers; undefined sends none. */
  readonly keepAlive: KeepAlive | undefined;
  /** How long octets may stay unacknowledged, in milliseconds; undefined leaves it to the system. */
  readonly userTimeoutMs: number | undefined;
}

/**
 * The numbers of TCP keepalives (tcp(7)). What is undefined is left to the system; where one of them is given, Node from
 * 24 on takes 7200 s, 75 s and 9 for the others, and Bun and earlier Nodes a second and 10 for the last two.
 */
export interface KeepAlive {
  /** Seconds of silence before the first. */
  readonly idleS: number | undefined;
  /** Seconds between two. */
  readonly intervalS: number | undefined;
  /** How many may be lost. */
  readonly count: number | undefined;
}

/** A client certificate and its key. */
export interface TlsIdentity {
  /** PEM: the certificate, then its intermediates. */
  readonly certificate: string;
  /** PEM: the private key, encrypted if `passphrase` is given. */
  readonly key: string;
  /** Opens an encrypted key; undefined if it is not encrypted. */
  readonly passphrase: string | undefined;
}

/** What a TLS handshake must do. The transport obeys; it never decides. */
export interface TlsRequest {
  /** The name to send by SNI; undefined sends none. */
  readonly serverName: string | undefined;
  /**
   * `none`: accept any certificate. `ca`: its chain must lead to `roots`, the name does not matter.
   * `full`: chain, and the name must be `host`; an adapter that shows the certificate verifies the chain
   * and reports `verified: "ca"`, as the gate compares names by libpq's rules.
   */
  readonly verify: Verification;
  /** The identity to compare with under `full`: a DNS name or an IP literal. */
  readonly host: string | undefined;
  /** `system`: what the runtime trusts by default. Otherwise PEM, and nothing else is trusted. */
  readonly roots: "system" | { readonly pem: string };
  /** PEM: certificate revocation lists that every certificate of the chain is checked against; absent checks none. */
  readonly revocationLists?: string | undefined;
  /** What to present if the server asks for a client certificate; undefined presents none. */
  readonly identity: TlsIdentity | undefined;
  /** The least version to accept; undefined leaves it to the runtime. */
  readonly minVersion: TlsVersion | undefined;
  /** The greatest version to offer; undefined leaves it to the runtime. */
  readonly maxVersion: TlsVersion | undefined;
  /** The application protocols offered by ALPN; PostgreSQL's is `postgresql`. */
  readonly alpn: readonly string[];
  /**
   * Which curve's key share is sent at once; P-256 unless given, which is the only one PostgreSQL up to 17 knows, so
   * that another costs a round trip there. From 18 on both are known, and X25519 takes a little less of the client's
   * time. Whatever else the runtime offers by default is offered behind both. An adapter that cannot choose ignores it.
   */
  readonly firstCurve?: "P-256" | "X25519" | undefined;
}

/** Takes octets as they come, where a promise for every chunk would cost too much. */
export interface Sink {
  /**
   * Takes octets, at least one; they are the sink's from now on.
   *
   * @returns False for no more until `resume()`.
   */
  data(octets: Uint8Array): boolean;
  /** Nothing more comes: the peer closed its side, or the connection broke. Called once; not after `close()`. */
  end(error: Error | undefined): void;
}

/** What a transport gives for a {@link Sink}. */
export interface Feed {
  /** Goes on after `data` said false. */
  resume(): void;
  /**
   * Writes all octets, as `write` of the transport, one call at a time.
   *
   * @param done Called once, maybe before this returns: when the socket has taken them, or with the reason why not.
   */
  write(octets: Uint8Array, done: (error?: Error) => void): void;
}

/**
 * A connected stream of octets. One reader and one writer at a time.
 *
 * Every failure is a `ConnectionError`; `read` and `write` never throw outside their promise.
 */
export interface Transport {
  /** Where this is connected to. */
  readonly endpoint: Endpoint;
  /** The next octets, at least one, which are the caller's from now on; undefined once the peer has closed its side. */
  read(): Promise<Uint8Array | undefined>;
  /** Writes all octets; settles when the socket has taken them (back-pressure). The octets may be reused then. */
  write(octets: Uint8Array): Promise<void>;
  /** Closes our side only: the peer reads the end, we can still read. */
  closeWrite(): Promise<void>;
  /**
   * Turns this transport into TLS and waits for the handshake.
   *
   * @throws {ConnectionError} `tls-failed`, `certificate-untrusted`, `connection-lost`.
   * @throws {ProtocolError} If octets arrived before the handshake (CVE-2021-23222).
   * @throws {ConfigError} If this adapter cannot do exactly what is asked.
   * @throws {UsageError} If the request contradicts itself, or something else is going on.
   */
  startTls(request: TlsRequest): Promise<TlsFacts>;
  /** Releases the socket at once; pending and later calls reject. May be called again. */
  close(): void;
  /**
   * Lets the process end although this is open and may be read from; a socket keeps it alive until told so. Absent if
   * there is no such thing.
   */
  unref?(): void;
  /** Takes `unref` back. */
  ref?(): void;
  /**
   * Reads all there is into a sink, unread octets first; from now on `read` and `write` belong to the feed. Absent if
   * promises are all there is.
   *
   * @throws {UsageError} If a read is pending, or there is a sink already.
   */
  feed?(sink: Sink): Feed;
}

/** What an adapter can do; policy is compared with it before anything is dialed. */
export interface Abilities {
  /** Unix sockets, and those of the abstract name space. */
  readonly unix: boolean;
  /** The same for sockets of the abstract name space. */
  readonly abstractUnix: boolean;
  /** Shows the server certificate, which channel binding and name checks by libpq's rules need. */
  readonly serverCertificate: boolean;
  /** The kinds of verification it can do exactly. */
  readonly verify: readonly Verification[];
  /** Can trust given roots and nothing else. */
  readonly exclusiveRoots: boolean;
  /** Can present a client certificate: after SSLRequest, and in direct TLS. */
  readonly clientCertificate: boolean;
  /** Can set these version bounds; empty if none can be set. */
  readonly versionBounds: readonly TlsVersion[];
  /** Can be told to send no SNI. */
  readonly withoutSni: boolean;
  /** Can check certificates against revocation lists; cannot if absent. */
  readonly revocationLists?: boolean;
  /** The numbers of keepalives it can set; none if absent. */
  readonly keepAlive?: readonly (keyof KeepAlive)[];
  /** Can bound how long octets stay unacknowledged; cannot if absent. */
  readonly userTimeout?: boolean;
}

/** One way of a runtime to open sockets. */
export interface Adapter {
  /** `deno`, `bun`, `node`, or the name of somebody's own. */
  readonly name: string;
  /** What it can do, on the runtime it runs on. */
  readonly abilities: Abilities;
  /**
   * All IP addresses of a name in the resolver's order, as getaddrinfo gives them. Absent if the runtime resolves
   * while dialing.
   *
   * @throws {ConnectionError} `name-not-found`.
   */
  resolve?(host: string): Promise<readonly string[]>;
  /**
   * Opens a socket with Nagle's algorithm off.
   *
   * @param address Where to.
   * @param signal Gives up and releases the socket when it fires; the caller says why.
   * @param options What to tell the socket; without it everything is left to the system.
   * @throws {ConnectionError} `dial-failed`, `name-not-found`, `aborted`.
   * @throws {ConfigError} `missing-permission`, naming the permission (Deno); an address nothing could dial.
   */
  dial(address: Address, signal?: AbortSignal, options?: SocketOptions): Promise<Transport>;
  /** Begins to load what TLS needs, while a socket opens that is going to need it. Absent if nothing has to be loaded. */
  prepareTls?(): void;
}
