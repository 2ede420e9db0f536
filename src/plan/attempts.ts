import { UsageError } from "../errors.ts";
import type { HostEntry } from "../settings/hosts.ts";
import { isIpLiteral } from "../settings/ip_literal.ts";
import type { Settings, TargetSessionAttrs } from "../settings/resolve.ts";
import { encryptionsOf, type GssMode, moveAfter, type Outcome } from "./moves.ts";
import type { WantedSession } from "./session_attrs.ts";
import { type Chance, shuffled } from "./shuffle.ts";
import type { Target } from "./targets.ts";

export type { GssMode, Outcome } from "./moves.ts";

/** What a plan is made from: settings, and whether and how to leave their order. */
export interface PlanSettings extends Pick<Settings, "hosts" | "sslmode" | "sslnegotiation"> {
  /** What kind of session is wanted; `any` unless given. */
  readonly targetSessionAttrs?: TargetSessionAttrs;
  /** Whether attempts over TCP begin with GSSENCRequest; never unless given. */
  readonly gss?: GssMode;
  /** Shuffles hosts, and the addresses of each host (load_balance_hosts=random); without it their order stays. */
  readonly chance?: Chance | undefined;
  /** Whether application_name is sent, so that leaving it out is worth a try. */
  readonly sendsApplicationName?: boolean;
}

/** `prefer-standby` goes over all hosts twice. */
type Pass = 1 | 2;

/** Which attempt of which address of which host. */
interface Place {
  readonly pass: Pass;
  readonly host: number;
  readonly addresses: readonly (string | undefined)[];
  readonly address: number;
  readonly encryption: number;
  readonly withoutApplicationName: boolean;
  readonly withToken: boolean;
  readonly withoutGuess: boolean;
}

type State =
  | { readonly at: "host"; readonly pass: Pass; readonly host: number }
  | { readonly at: "resolving"; readonly pass: Pass; readonly host: number }
  | { readonly at: "address"; readonly place: Place }
  | { readonly at: "attempting"; readonly place: Place }
  | { readonly at: "done" };

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
  readonly #hosts: readonly HostEntry[];
  #state: State = { at: "host", pass: 1, host: 0 };

  /**
   * Plans from the first host on.
   *
   * @param settings Hosts and encryption; read when asked, not copied.
   */
  constructor(settings: PlanSettings) {
    this.#settings = settings;
    const { hosts, chance } = settings;
    this.#hosts = chance === undefined ? hosts : shuffled(hosts, chance);
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
        return this.#enterHost(state.pass, state.host);
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
    const { pass, host } = state;
    const { chance } = this.#settings;
    this.#state = addresses.length === 0 ? { at: "host", pass, host: host + 1 } : {
      at: "address",
      place: firstPlace(pass, host, chance === undefined ? addresses : shuffled(addresses, chance)),
    };
  }

  /**
   * Tells which of a target's addresses was dialed, if it was not the first: from now on it comes first.
   *
   * @throws {UsageError} If no attempt is open, or the address is none of the target's.
   */
  dialed(address: string): void {
    const state = this.#state;
    if (state.at !== "attempting") {
      throw new UsageError("Cannot take an address: no attempt is open");
    }
    const { place } = state;
    const left = place.addresses.slice(place.address);
    if (!left.includes(address)) {
      throw new UsageError(`Cannot take address "${address}": it is none of this attempt's`);
    }
    const addresses = [address, ...left.filter((other) => other !== address)];
    this.#state = { at: "attempting", place: { ...place, addresses, address: 0 } };
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
          : { at: "host", pass: state.pass, host: state.host + 1 };
        return;
      case "attempting":
        this.#state = this.#after(state.place, outcome);
        return;
      default:
        throw new UsageError("Cannot take an outcome: no attempt is open");
    }
  }

  /**
   * The host whose name is looked up next, should the open attempt and all other addresses of its host fail; undefined
   * if there is none.
   */
  get upcoming(): HostEntry | undefined {
    const state = this.#state;
    const host = state.at === "attempting" ? this.#hosts[state.place.host + 1] : undefined;
    return host !== undefined && hasName(host) ? host : undefined;
  }

  #enterHost(pass: Pass, index: number): Target | undefined {
    const host = this.#hosts[index];
    if (host === undefined) return this.#pastLastHost(pass);
    if (hasName(host)) {
      this.#state = { at: "resolving", pass, host: index };
      return { do: "resolve", host };
    }
    const address = host.kind === "unix" ? undefined : host.hostaddr ?? host.host;
    return this.#attempt(firstPlace(pass, index, [address]));
  }

  #pastLastHost(pass: Pass): Target | undefined {
    if (pass === 1 && this.#settings.targetSessionAttrs === "prefer-standby") {
      return this.#enterHost(2, 0);
    }
    this.#state = { at: "done" };
    return undefined;
  }

  #attempt(place: Place): Target | undefined {
    const host = this.#hosts[place.host];
    const methods = host === undefined ? [] : encryptionsOf(host, this.#settings);
    const encryption = methods[place.encryption];
    const following = methods[place.encryption + 1];
    if (host === undefined || encryption === undefined) {
      this.#state = { at: "done" };
      return undefined;
    }
    this.#state = { at: "attempting", place };
    return {
      do: "attempt",
      host,
      address: place.addresses[place.address],
      // A second encryption, or a second try without something, is for the address that answered the first.
      otherAddresses: place.encryption > 0 || place.withoutApplicationName || place.withoutGuess ||
          place.withToken
        ? []
        : place.addresses.slice(place.address + 1).filter((other) => other !== undefined),
      encryption,
      plaintextAfterRefusal: this.#settings.sslmode === "prefer" &&
        (encryption === "ssl-request" ||
          (encryption === "gss-request" && following === "ssl-request")),
      // Direct TLS begins with its first octet, so it needs a socket of its own (libpq: need_new_connection).
      afterGssRefusal: encryption === "gss-request" &&
          (following === "ssl-request" || following === "plain")
        ? following
        : undefined,
      wants: wantedIn(place.pass, this.#settings.targetSessionAttrs ?? "any"),
      withoutApplicationName: place.withoutApplicationName,
      withToken: place.withToken,
      withoutGuess: place.withoutGuess,
    };
  }

  #after(place: Place, outcome: Outcome): State {
    const host = this.#hosts[place.host];
    const methods = host === undefined ? [] : encryptionsOf(host, this.#settings);
    // What failed then is the kind after GSSAPI.
    const tried = place.encryption + (outcome.gssRefused === true ? 1 : 0);
    const move = moveAfter(outcome, methods[tried], methods[tried + 1]);
    const nextHost: State = { at: "host", pass: place.pass, host: place.host + 1 };
    switch (move) {
      case "encryption":
        return { at: "address", place: { ...place, encryption: tried + 1 } };
      case "same-without-name": {
        const worthIt = this.#settings.sendsApplicationName === true &&
          !place.withoutApplicationName;
        return worthIt
          ? { at: "address", place: { ...place, withoutApplicationName: true } }
          : { at: "done" };
      }
      case "same-with-token":
        return place.withToken
          ? { at: "done" }
          : { at: "address", place: { ...place, withToken: true } };
      case "same-without-guess":
        return place.withoutGuess
          ? { at: "done" }
          : { at: "address", place: { ...place, withoutGuess: true } };
      case "address":
        return place.address + 1 < place.addresses.length
          ? {
            at: "address",
            place: {
              ...place,
              address: place.address + 1,
              encryption: 0,
              withoutApplicationName: false,
              withToken: false,
              withoutGuess: false,
            },
          }
          : nextHost;
      case "host":
        return nextHost;
      case "stop":
        return { at: "done" };
    }
  }
}

/** Whether a name has to be looked up before it can be dialed. */
function hasName(host: HostEntry): boolean {
  return host.kind === "tcp" && host.hostaddr === undefined && !isIpLiteral(host.host);
}

function firstPlace(
  pass: Pass,
  host: number,
  addresses: readonly (string | undefined)[],
): Place {
  return {
    pass,
    host,
    addresses: [...addresses],
    address: 0,
    encryption: 0,
    withoutApplicationName: false,
    withToken: false,
    withoutGuess: false,
  };
}

function wantedIn(pass: Pass, attrs: TargetSessionAttrs): WantedSession {
  if (attrs !== "prefer-standby") return attrs;
  return pass === 1 ? "standby" : "any";
}
