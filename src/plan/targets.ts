import type { Encryption } from "../errors.ts";
import type { HostEntry } from "../settings/hosts.ts";
import type { WantedSession } from "./session_attrs.ts";

/** What to do next on the way to a session. */
export type Target = ResolveTarget | AttemptTarget;

/** Look up every address of a host's name, then call `resolved` or `failed`. */
export interface ResolveTarget {
  /** Says which kind of target this is. */
  readonly do: "resolve";
  /** Whose name. */
  readonly host: HostEntry;
}

/** Open a connection and start a session on it; call `failed` if that does not succeed. */
export interface AttemptTarget {
  /** Says which kind of target this is. */
  readonly do: "attempt";
  /** Which host of the list. */
  readonly host: HostEntry;
  /** The IP address to dial, or a name if `resolved` was given one; undefined for a Unix socket. */
  readonly address: string | undefined;
  /** How the connection begins. */
  readonly encryption: Encryption;
  /** Whether the session may go on in plaintext, on the same socket, when the server answers `N` to SSLRequest. */
  readonly plaintextAfterRefusal: boolean;
  /** How the session may go on, on the same socket, when the server answers `N` to GSSENCRequest. */
  readonly afterGssRefusal: "ssl-request" | "plain" | undefined;
  /** Further addresses of the same host that would be tried next, for a caller that dials several at once. */
  readonly otherAddresses: readonly string[];
  /** What the session must be; if it is not, `failed` with `session-attrs`. */
  readonly wants: WantedSession;
  /** True where application_name is to be left out, because this server does not know it. */
  readonly withoutApplicationName: boolean;
  /** True where the server has said before where bearer tokens come from. */
  readonly withToken: boolean;
  /** True where nothing may be sent before the server asks for it, because that went wrong at this address. */
  readonly withoutGuess: boolean;
}
