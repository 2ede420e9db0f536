import type { HandshakeEvent } from "../handshake/step.ts";
import type { GssProvider } from "../gss/provider.ts";
import type { AttemptReport, PgHandshakeError } from "../errors.ts";
import type { ChannelFacts } from "../auth/channel.ts";
import type { NoticeFields } from "../wire/notice.ts";
import type { Adapter } from "../transport/transport.ts";
import type { ConnectionParameters } from "../settings/parse.ts";

/**
 * Where to connect to: a URI, a keyword/value string, or an object with libpq's keywords as keys. Numbers and
 * booleans in an object stand for their text; `undefined` is as if the key were absent.
 */
export type Target = string | TargetObject;

/** libpq's keywords as keys. */
export type TargetObject = {
  readonly [K in keyof ConnectionParameters]?: string | number | boolean | undefined;
};

/** What a password callback is told. */
export interface PasswordContext {
  /** The host as the target names it. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** Who logs in. */
  readonly user: string;
  /** And where. */
  readonly database: string;
  /** What the server asks for. */
  readonly method: "password" | "md5" | "scram-sha-256";
  /** Fires when the connection no longer wants the password. */
  readonly signal: AbortSignal;
}

/** A password, or who to ask for it; asked only when the server wants one. */
export type PasswordSource =
  | string
  | Uint8Array
  | ((context: PasswordContext) => string | Uint8Array | Promise<string | Uint8Array>);

/** An asynchronous message of another session (NOTIFY). */
export interface Notification {
  /** The process ID of the session that notified. */
  readonly processId: number;
  /** The channel it was sent to. */
  readonly channel: string;
  /** What was sent along; may be empty. */
  readonly payload: string;
}

/** A run-time parameter and the value the server reported for it. */
export interface ParameterChange {
  /** Its name, for example `TimeZone`. */
  readonly name: string;
  /** Its new value. */
  readonly value: string;
}

/** One step of a connection as it happens; `at` is in milliseconds since `connect()` was called. */
export type ConnectEvent = { readonly at: number } & ConnectEventKind;

/** What can happen, secrets never shown. */
export type ConnectEventKind =
  | { readonly type: "resolved"; readonly host: string; readonly addresses: readonly string[] }
  | {
    readonly type: "attempt";
    readonly host: string;
    readonly address: string;
    readonly port: number;
    readonly encryption: AttemptReport["encryption"];
    /** Which adapter dials: "deno", "bun", "node" or the name of the one given. */
    readonly adapter: string;
  }
  | { readonly type: "dialed"; readonly remoteAddress: string | undefined }
  | { readonly type: "secured"; readonly channel: ChannelFacts }
  | { readonly type: "password-requested"; readonly method: PasswordContext["method"] }
  /** GSSAPI makes a token for this service. */
  | {
    readonly type: "gss-requested";
    readonly method: "gss" | "sspi";
    readonly service: string;
  }
  | { readonly type: "failed"; readonly error: PgHandshakeError }
  | { readonly type: "ready" }
  | Extract<HandshakeEvent, { type: "message" }>;

/** What a connection string cannot say. */
export interface ConnectOptions {
  /** The password, or who to ask for it; goes before the target's own. */
  readonly password?: PasswordSource;
  /** Bounds the whole call, from name resolution to ReadyForQuery; firing releases the socket. */
  readonly signal?: AbortSignal;
  /**
   * Lets a cleartext password go over an unencrypted network. Off unless given: without it cleartext goes only
   * over TLS, Unix sockets and loopback.
   */
  readonly allowCleartextPassword?: boolean;
  /** The greatest SCRAM iteration count that is worked off; 100 000 unless given. */
  readonly maxScramIterations?: number;
  /** The least SCRAM iteration count that is accepted; 1 unless given, as in libpq. */
  readonly minScramIterations?: number;
  /**
   * Run-time settings of the server to start with, for example `{ statement_timeout: "5s" }`; libpq's keywords and
   * names of StartupMessage itself are refused here.
   */
  readonly parameters?: Readonly<Record<string, string>>;
  /**
   * Dials the addresses of a host beside each other, 250 ms apart, and takes the first that answers (RFC 8305). Off
   * unless given: libpq tries one after the other. There is never more than one session.
   */
  readonly addressRacing?: boolean;
  /**
   * Kerberos, for AuthenticationGSS, AuthenticationSSPI and GSSAPI encryption: `denoGss()` of `./gss/deno`, `bunGss()` of
   * `./gss/bun`, `nodeGss()` of `./gss/node`, or a provider of your own. Without it the server's request is refused, and
   * `gssencmode=prefer` means no encryption by GSSAPI.
   */
  readonly gss?: GssProvider;
  /** Looks names up in place of the runtime's resolver: IP addresses in the order to try them. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** Opens the sockets in place of the runtime's own adapters. */
  readonly adapter?: Adapter;
  /** A NoticeResponse of the server, at any time; its text is the server's. A callback that throws ends the session. */
  readonly onNotice?: (notice: NoticeFields) => void;
  /** A NotificationResponse, at any time, also while nothing is asked. */
  readonly onNotification?: (notification: Notification) => void;
  /** A run-time parameter was reported or changed. */
  readonly onParameter?: (name: string, value: string) => void;
  /**
   * The session ended by itself, for this reason: a server that shuts down (SQLSTATE 57P01), a connection that was lost.
   * Called once; not for `close()` and `detach()`.
   */
  readonly onClose?: (reason: PgHandshakeError) => void;
  /** Every step and every message by name. Costs nothing when absent. */
  readonly onEvent?: (event: ConnectEvent) => void;
}
