import { UsageError } from "../errors.ts";
import type { Encryption, Phase } from "../errors.ts";
import type { HostEntry } from "../settings/hosts.ts";
import { isIpLiteral } from "../settings/ip_literal.ts";
import type { Settings } from "../settings/resolve.ts";

/** The part of the settings a plan is made from. */
export type PlanSettings = Pick<Settings, "hosts" | "sslmode" | "sslnegotiation">;

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
}

/** How a target failed; the reason alone decides what comes next. */
export interface Outcome {
  /** How far the attempt had come. */
  readonly phase: Phase;
  /**
   * `resolve` the name has no address; `dial` the socket could not be opened; `timeout` connect_timeout passed, at
   * any phase; `tls-refused` the server said `N` and plaintext was not allowed; `tls-failed` the TLS handshake itself
   * broke, which does **not** include a certificate, name or ALPN check that the settings asked for; `closed` the peer
   * ended or reset the stream; `server` an ErrorResponse; `other` everything else, those checks included.
   */
  readonly error:
    | "resolve"
    | "dial"
    | "timeout"
    | "tls-refused"
    | "tls-failed"
    | "closed"
    | "server"
    | "other";
  /** The five characters of the ErrorResponse. */
  readonly sqlState?: string;
  /** Whether the connection was inside TLS when it failed. */
  readonly tlsInUse: boolean;
  /** Whether a password, a proof or a token had been written on this connection. */
  readonly credentialsSent: boolean;
  /** Whether the server had asked for an authentication (AuthenticationOk is no question). */
  readonly sawAuthRequest: boolean;
}

/** Which attempt of which address of which host. */
interface Place {
  readonly host: number;
  readonly addresses: readonly (string | undefined)[];
  readonly address: number;
  readonly encryption: number;
}

type State =
  | { readonly at: "host"; readonly host: number }
  | { readonly at: "resolving"; readonly host: number }
  | { readonly at: "address"; readonly place: Place }
  | { readonly at: "attempting"; readonly place: Place }
  | { readonly at: "done" };

/** Where a failure leads: libpq's RECON, ADDR, HOST and FAIL. */
type Move = "encryption" | "address" | "host" | "stop";

/**
 * The order in which hosts, their addresses and kinds of encryption are tried, and when to stop.
 *
 * Follows libpq 18 (fe-connect.c, PQconnectPoll and select_next_encryption_method) but for three decisions: nothing
 * is retried on a weaker channel after credentials were sent or a password was refused; only an SQLSTATE 28000 that
 * comes before any authentication request, hence from pg_hba.conf, changes the encryption; and a stream that ends
 * before any authentication request leads to the next host instead of ending everything.
 *
 * @example
 * ```ts
 * const plan = new ConnectionPlan(settings);
 * for (let target = plan.next(); target !== undefined; target = plan.next()) {
 *   if (target.do === "resolve") plan.resolved(["192.0.2.1"]);
 *   else plan.failed({
 *     phase: "dial", error: "dial", tlsInUse: false, credentialsSent: false, sawAuthRequest: false,
 *   });
 * }
 * ```
 */
export class ConnectionPlan {
  readonly #settings: PlanSettings;
  #state: State = { at: "host", host: 0 };

  /**
   * Plans from the first host on.
   *
   * @param settings Hosts and encryption; read when asked, not copied.
   */
  constructor(settings: PlanSettings) {
    this.#settings = settings;
  }

  /**
   * What to do now; undefined if nothing is left, or nothing may be tried any more.
   *
   * @throws {UsageError} If the last target was not answered.
   */
  next(): Target | undefined {
    const state = this.#state;
    switch (state.at) {
      case "host":
        return this.#enterHost(state.host);
      case "address":
        return this.#attempt(state.place);
      case "resolving":
      case "attempting":
        throw new UsageError("Cannot plan the next attempt: the last one has no outcome yet");
      case "done":
        return undefined;
    }
  }

  /**
   * Answers a `resolve` target.
   *
   * @param addresses IP addresses in the order to try them; none is the same as a failed look-up. A single host name
   *   is fine where the runtime resolves while dialing.
   * @throws {UsageError} If the last target was none of that kind.
   */
  resolved(addresses: readonly string[]): void {
    const state = this.#state;
    if (state.at !== "resolving") {
      throw new UsageError("Cannot take addresses: no host name is being resolved");
    }
    this.#state = addresses.length === 0 ? { at: "host", host: state.host + 1 } : {
      at: "address",
      place: { host: state.host, addresses: [...addresses], address: 0, encryption: 0 },
    };
  }

  /**
   * Answers a target that did not end in a session.
   *
   * @param outcome Why not.
   * @throws {UsageError} If no target is open.
   */
  failed(outcome: Outcome): void {
    const state = this.#state;
    switch (state.at) {
      case "resolving":
        this.#state = outcome.error === "other"
          ? { at: "done" }
          : { at: "host", host: state.host + 1 };
        return;
      case "attempting":
        this.#state = this.#after(state.place, outcome);
        return;
      default:
        throw new UsageError("Cannot take an outcome: no attempt is open");
    }
  }

  #enterHost(index: number): Target | undefined {
    const host = this.#settings.hosts[index];
    if (host === undefined) {
      this.#state = { at: "done" };
      return undefined;
    }
    if (host.kind === "tcp" && host.hostaddr === undefined && !isIpLiteral(host.host)) {
      this.#state = { at: "resolving", host: index };
      return { do: "resolve", host };
    }
    const address = host.kind === "unix" ? undefined : host.hostaddr ?? host.host;
    return this.#attempt({ host: index, addresses: [address], address: 0, encryption: 0 });
  }

  #attempt(place: Place): Target | undefined {
    const host = this.#settings.hosts[place.host];
    const encryption = host && encryptionsOf(host, this.#settings)[place.encryption];
    if (host === undefined || encryption === undefined) {
      this.#state = { at: "done" };
      return undefined;
    }
    this.#state = { at: "attempting", place };
    return {
      do: "attempt",
      host,
      address: place.addresses[place.address],
      encryption,
      plaintextAfterRefusal: encryption === "ssl-request" && this.#settings.sslmode === "prefer",
    };
  }

  #after(place: Place, outcome: Outcome): State {
    const host = this.#settings.hosts[place.host];
    const methods = host === undefined ? [] : encryptionsOf(host, this.#settings);
    const move = moveAfter(outcome, methods[place.encryption], methods[place.encryption + 1]);
    switch (move) {
      case "encryption":
        return { at: "address", place: { ...place, encryption: place.encryption + 1 } };
      case "address":
        return place.address + 1 < place.addresses.length
          ? { at: "address", place: { ...place, address: place.address + 1, encryption: 0 } }
          : { at: "host", host: place.host + 1 };
      case "host":
        return { at: "host", host: place.host + 1 };
      case "stop":
        return { at: "done" };
    }
  }
}

/** libpq's order; a Unix socket is never encrypted, whatever sslmode says. */
function encryptionsOf(host: HostEntry, settings: PlanSettings): readonly Encryption[] {
  if (host.kind === "unix") return ["plain"];
  const tls = settings.sslnegotiation === "direct" ? "direct-tls" : "ssl-request";
  switch (settings.sslmode) {
    case "disable":
      return ["plain"];
    case "allow":
      return ["plain", tls];
    case "prefer":
      return [tls, "plain"];
    case "require":
    case "verify-ca":
    case "verify-full":
      return [tls];
  }
}

function moveAfter(
  outcome: Outcome,
  tried: Encryption | undefined,
  other: Encryption | undefined,
): Move {
  switch (outcome.error) {
    case "resolve":
      return "host";
    case "dial":
    case "timeout":
      return "address";
    case "tls-refused":
    case "tls-failed":
      return other === undefined || outcome.credentialsSent ? "stop" : "encryption";
    case "closed":
      // Nothing but names was sent: asking another host is safe. libpq would end here.
      return isBeforeOk(outcome) && !outcome.sawAuthRequest ? "host" : "stop";
    case "server":
      return afterServerError(outcome, tried, other);
    case "other":
      return "stop";
  }
}

function afterServerError(
  outcome: Outcome,
  tried: Encryption | undefined,
  other: Encryption | undefined,
): Move {
  // An ErrorResponse that answers SSLRequest was not protected by anything: it decides nothing.
  if (outcome.phase !== "start-up" && outcome.phase !== "authenticate") return "stop";
  if (outcome.sqlState === "57P03") return "host";
  const fromHba = outcome.sqlState === "28000" && !outcome.sawAuthRequest &&
    !outcome.credentialsSent;
  // After `N` the same socket went on in plaintext: the other method would be the same again.
  const changes = outcome.tlsInUse === (tried !== "plain");
  return fromHba && changes && other !== undefined ? "encryption" : "stop";
}

function isBeforeOk(outcome: Outcome): boolean {
  switch (outcome.phase) {
    case "dial":
    case "negotiate":
    case "tls":
    case "start-up":
    case "authenticate":
      return true;
    default:
      return false;
  }
}
