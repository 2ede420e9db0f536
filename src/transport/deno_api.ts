/** The part of Deno the adapter uses. */
export interface DenoNet {
  connect(
    options:
      | { hostname: string; port: number; signal?: AbortSignal }
      | { transport: "unix"; path: string; signal?: AbortSignal },
  ): Promise<DenoConn>;
  startTls(
    conn: DenoConn,
    options: { hostname: string; alpnProtocols: string[] },
  ): Promise<DenoTlsConn>;
}

/** An open socket. */
export interface DenoConn {
  readonly remoteAddr: { readonly hostname?: string };
  read(into: Uint8Array): Promise<number | null>;
  write(octets: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay?(noDelay: boolean): void;
  setKeepAlive?(keepAlive: boolean): void;
  unref?(): void;
  ref?(): void;
}

/** The same with TLS. */
export interface DenoTlsConn extends DenoConn {
  handshake(): Promise<{ readonly alpnProtocol: string | null }>;
}
