import type { ChannelFacts } from "../auth/channel.ts";
import type { ScramKeys } from "../auth/scram.ts";
import type { PgHandshakeError } from "../errors.ts";
import type { NoticeFields } from "../wire/notice.ts";

/** A secret, or a token, only the caller can fill in; the machine waits for `answer()`. */
export type AnswerRequest =
  /** The password as octets. `method` names what asks: AuthenticationCleartextPassword, MD5Password or CryptPassword. */
  | { readonly want: "password"; readonly method: "password" | "md5" | "crypt" }
  /** A bearer token; nothing asks the server where to get one. */
  | { readonly want: "bearer-token"; readonly method: "oauth" }
  /** ClientKey and ServerKey of RFC 5802 for this salt and iteration count. */
  | {
    readonly want: "scram-keys";
    readonly method: "scram-sha-256";
    readonly salt: Uint8Array;
    readonly iterations: number;
  }
  /** The next token of a GSSAPI context, made of the server's `token`; undefined asks for the first. */
  | {
    readonly want: "gss-token";
    readonly method: "gss" | "sspi";
    readonly mechanism: "kerberos" | "negotiate";
    readonly token: Uint8Array | undefined;
  };

/** What fills an {@link AnswerRequest}. */
export type Answer =
  | { readonly kind: "password"; readonly password: Uint8Array }
  | { readonly kind: "bearer-token"; readonly token: Uint8Array | undefined }
  | { readonly kind: "scram-keys"; readonly keys: ScramKeys }
  /** A token, empty if there is nothing to send, and how far the context has come. */
  | {
    readonly kind: "gss-token";
    readonly token: Uint8Array;
    readonly complete: boolean;
    readonly mutual: boolean;
  };

/** Something the peer told us, or a message that passed; secrets are never in it. */
export type HandshakeEvent =
  | { readonly type: "notice"; readonly notice: NoticeFields }
  | {
    readonly type: "notification";
    readonly processId: number;
    readonly channel: string;
    readonly payload: string;
  }
  | { readonly type: "parameter"; readonly name: string; readonly value: string }
  | MessageEvent;

/** One message by PostgreSQL's name, reported only to machines made with `traced: true`. */
export interface MessageEvent {
  /** Tells it from other events. */
  readonly type: "message";
  /** Whose message it is: ours is sent. */
  readonly direction: "sent" | "received";
  /** PostgreSQL's name of the message. */
  readonly name: string;
  /** The octets of the whole message. */
  readonly octets: number;
  /** What it says, secrets replaced by "(not shown)". */
  readonly detail: Readonly<Record<string, string | number | readonly string[]>>;
}

/** What the caller of a machine does next; exactly one thing. */
export type Next<Result> =
  /** `soon` is what will be asked for after that if all goes well: whoever waits can prepare for it. */
  | { readonly do: "read"; readonly soon?: "scram-keys" }
  | { readonly do: "start-tls" }
  | { readonly do: "start-gss" }
  | { readonly do: "answer"; readonly request: AnswerRequest }
  | { readonly do: "finish"; readonly result: Result }
  | { readonly do: "fail"; readonly error: PgHandshakeError };

/** One step of a machine: write `send`, report `events`, then do `next`. */
export interface Step<Result> {
  /** What to write first; may be empty. */
  readonly send: Uint8Array;
  /** What to report then, in order. */
  readonly events: readonly HandshakeEvent[];
  /** What to do after that. */
  readonly next: Next<Result>;
}

/**
 * A side of the start-up conversation, without sockets, clocks or chance.
 *
 * Calls in an order `next` did not ask for throw a UsageError; what the peer does never throws, it ends in
 * `next: { do: "fail" }`, and stays there.
 */
export interface Machine<Result> {
  /** Begins; called once, first. */
  start(): Step<Result>;
  /** Takes octets of the peer, cut anywhere. Copies what it keeps. */
  receive(octets: Uint8Array): Step<Result>;
  /** The peer closed its side. */
  receiveEnd(): Step<Result>;
  /** What `start-tls` or `start-gss` asked for has succeeded: from here on octets are the decrypted ones. */
  secured(channel: ChannelFacts): Step<Result>;
  /** Fills the request of `answer`. */
  answer(answer: Answer): Step<Result>;
}
