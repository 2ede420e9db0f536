import type { BunTlsOptions, TlsReport } from "./bun_tls.ts";

/** The part of Bun the adapter uses; `Data` is what a socket carries for its handlers. */
export interface BunNet {
  readonly dns: {
    lookup(
      host: string,
      options: { backend: "libc" },
    ): Promise<readonly { readonly address: string }[]>;
  };
  connect<Data>(
    options:
      & (
        | { hostname: string; port: number }
        | { unix: string }
      )
      & { allowHalfOpen: true; data: Data; socket: Handlers<Data> },
  ): Promise<BunSocket<Data>>;
}

export interface BunSocket<Data> extends TlsReport {
  readonly data: Data;
  readonly remoteAddress: string | undefined;
  /** Takes what fits and says how much; -1 once the socket is closed. */
  write(octets: Uint8Array): number;
  /** Without an argument: closes our side only. */
  shutdown(): void;
  /** Closes both sides in order; `terminate()` would reset, and lose what was just written. */
  close(): void;
  /** Resets the connection, whatever has not been written. */
  terminate(): void;
  pause(): void;
  resume(): void;
  unref(): void;
  ref(): void;
  setNoDelay(noDelay: boolean): boolean;
  setKeepAlive(enable: boolean, idleMs: number): boolean;
  upgradeTLS(
    options: { data: Data; tls: BunTlsOptions; socket: Handlers<Data> },
  ): readonly [unknown, BunSocket<Data>];
}

export interface Handlers<Data> {
  readonly binaryType: "uint8array";
  open(socket: BunSocket<Data>): void;
  data(socket: BunSocket<Data>, octets: Uint8Array): void;
  drain(socket: BunSocket<Data>): void;
  end(socket: BunSocket<Data>): void;
  close(socket: BunSocket<Data>, error?: Error): void;
  error(socket: BunSocket<Data>, error: Error): void;
  handshake?(socket: BunSocket<Data>, success: boolean, verdict: Error | null): void;
}
