import type { HandshakeEvent } from "../handshake/step.ts";
import type { GssProvider } from "../gss/provider.ts";
import type { AttemptReport, PgHandshakeError } from "../errors.ts";
import type { ChannelFacts } from "../auth/channel.ts";
import type { LegacyAuth } from "../auth/legacy.ts";
import type { Secret } from "../settings/secret.ts";
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
  /** What the server asks for, or is expected to. */
  readonly method: "password" | "md5" | "crypt" | "scram-sha-256";
  /** Fires when the connection no longer wants the password. */
  readonly signal: AbortSignal;
}

/**
 * A password, or who to ask for it. Asked when the server wants one, or begins SCRAM; by a connector already while it
 * dials, if this endpoint wanted one last time. The answer is used only once the server asks for it.
 */
export type PasswordSource =
  | string
  | Uint8Array
  | ((context: PasswordContext) => string | Uint8Array | Promise<string | Uint8Array>);

/** What a callback for bearer tokens is told. No print of it shows a secret. */
export interface BearerTokenContext {
  /** The host as the target names it. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** Who logs in. */
  readonly user: string;
  /** And where. */
  readonly database: string;
  /**
   * The issuer to trust: once its discovery document is known the one that document must name, before that
   * `oauth_issuer` as it is set; undefined if it is not.
   */
  readonly issuer: string | undefined;
  /** The address of the issuer's discovery document; undefined where neither `oauth_issuer` nor the server tells yet. */
  readonly discoveryUrl: string | undefined;
  /** The scope to ask for: `oauth_scope`, else what the server wants; undefined if neither is known. */
  readonly scope: string | undefined;
  /** `oauth_scope` as it is set. */
  readonly requestedScope: string | undefined;
  /** `oauth_client_id`. */
  readonly clientId: string | undefined;
  /** `oauth_client_secret`; an empty one is a secret too. */
  readonly clientSecret: Secret<string> | undefined;
  /**
   * Whether the server has been asked where tokens come from. If not, giving undefined makes `connect()` ask it, on a
   * connection that ends before this callback is called once more.
   */
  readonly discovered: boolean;
  /** Whether issuers may be reached by http: libpq's debug switch PGOAUTHDEBUG=UNSAFE is set. */
  readonly allowHttp: boolean;
  /** Fires when the connection no longer wants the token. */
  readonly signal: AbortSignal;
}

/**
 * A bearer token (RFC 6750), or who to ask for it. A text is sent at once; a callback is asked first without a word of
 * the server, and once more with it if it gave undefined.
 */
export type BearerTokenSource =
  | string
  | ((context: BearerTokenContext) => string | undefined | Promise<string | undefined>);

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
  /** `discovered`: whether the server has been asked where tokens come from. */
  | { readonly type: "token-requested"; readonly discovered: boolean }
  /** GSSAPI makes a token for this service. */
  | {
    readonly type: "gss-requested";
    readonly method: "gss" | "sspi";
    readonly service: string;
  }
  | { readonly type: "failed"; readonly error: PgHandshakeError }
  | { readonly type: "ready" }
  | Extract<HandshakeEvent, { type: "message" }>;

/** Statements to run as soon as possible. */
export interface FirstQuery {
  /** One or more statements, as `Session.query()` takes them. */
  readonly text: string;
  /**
   * Over which channels they may leave before the server is ready, together with our last message. Whoever answers
   * there gets to read them before it has proved that it knows the password. `trusted-channel`, the default: TLS with
   * sslmode=verify-full, a Unix socket, loopback. `any-channel`: plaintext and unverified TLS as well. `none`: they
   * wait until the server is ready.
   */
  readonly earlyOn?: "trusted-channel" | "any-channel" | "none";
}

/** What a connection string cannot say. */
export interface ConnectOptions {
  /** The password, or who to ask for it; goes before the target's own. */
  readonly password?: PasswordSource;
  /** The OAuth token for servers that ask for OAUTHBEARER; without it that mechanism is not spoken. */
  readonly bearerToken?: BearerTokenSource;
  /** Bounds the whole call, from name resolution to ReadyForQuery; firing releases the socket. */
  readonly signal?: AbortSignal;
  /**
   * Lets a cleartext password, or a bearer token, go over an unencrypted network. Off unless given: without it they go
   * only over TLS, Unix sockets and loopback.
   */
  readonly allowCleartextPassword?: boolean;
  /**
   * Historic methods to answer if a server asks for them: `crypt` (up to PostgreSQL 8.3; as good as cleartext), `scm`
   * (up to 9.0, Unix sockets of Linux), `krb5` (up to 9.3; refused with its reason). None unless given.
   */
  readonly allowLegacyAuth?: readonly LegacyAuth[];
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
  /**
   * Statements to run first; their results come by `Session.firstResult`. They leave together with our last message of
   * the start-up where the channel allows it, which saves a round trip, and right after it otherwise. They are sent once
   * at most: after a connection that broke, nothing is tried again. Where `target_session_attrs` wants a certain kind of
   * server they are sent only to one that is accepted.
   */
  readonly firstQuery?: string | FirstQuery;
  /** A NoticeResponse of the server, at any time; its text is the server's. A callback that throws ends the session. */
  readonly onNotice?: (notice: NoticeFields) => void;
  /** A NotificationResponse, at any time, also while nothing is asked. */
  readonly onNotification?: (notification: Notification) => void;
  /** A run-time parameter was reported or changed. */
  readonly onParameter?: (name: string, value: string) => void;
  /**
   * The session ended by itself, for this reason: a server that shuts down (SQLSTATE 57P01), a connection that was lost.
   * Called once; not for `close()` and `detach()`. What it throws is an unhandled rejection, as there is nobody left to
   * tell.
   */
  readonly onClose?: (reason: PgHandshakeError) => void;
  /** Every step and every message by name. Costs nothing when absent. */
  readonly onEvent?: (event: ConnectEvent) => void;
}
