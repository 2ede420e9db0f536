import { PolicyError, ProtocolError, UsageError } from "../errors.ts";
import type { AuthenticationMessage } from "../wire/authentication.ts";
import type { ChannelFacts } from "./channel.ts";
import { type Evidence, type GssEvidence, judgeContext } from "./evidence.ts";
import { type Binding, bindingOf, judgeTls } from "./gate_channel.ts";
import { judgeDiscovery, type OAuthDiscovery } from "./oauth_discovery.ts";
import type { TokenStatus } from "./oauthbearer.ts";
import {
  type Challenge,
  challengeFor,
  type JudgedChannel,
  type ScramChallenge,
} from "./gate_request.ts";
import type { AuthenticationRequest } from "./methods.ts";
import { type AuthPolicy, checkPolicy, forbidden, refused } from "./policy.ts";
import { VerifiedServer } from "./scram.ts";

export type { Challenge, GssChallenge, OAuthChallenge, ScramChallenge } from "./gate_request.ts";
export type { Evidence, GssEvidence } from "./evidence.ts";
export type { AuthMethod } from "./methods.ts";
export type { AuthPolicy, TlsPolicy } from "./policy.ts";

type State =
  | { readonly at: "await-channel" }
  | ({ readonly at: "await-request" } & JudgedChannel & { readonly gss: boolean })
  | { readonly at: "answering"; readonly challenge: Challenge; readonly binding: Binding }
  | { readonly at: "deriving"; readonly challenge: ScramChallenge; readonly binding: Binding }
  | { readonly at: "admitted" }
  | { readonly at: "refused" };

/** Held by this module alone, so that nothing else can make an {@link Admission}. */
const MAKER: unique symbol = Symbol("gate.ts");

/** The gate let the session in; the state after AuthenticationOk is built from it. */
export class Admission {
  /** How we authenticated. */
  readonly method: Evidence["method"];
  /** Whether SCRAM was bound to the TLS channel (SCRAM-SHA-256-PLUS). */
  readonly channelBound: boolean;
  /**
   * Whether SCRAM ran over TLS that could not be bound, as the runtime shows no certificate or it has no binding hash;
   * whatever the server offered.
   */
  readonly bindingUnavailable: boolean;
  readonly #genuine: true;

  /**
   * For the gate only.
   *
   * @param maker Known to this module alone.
   * @param method How we authenticated.
   * @param channel Whether it was bound, and whether it could not be.
   * @throws {UsageError} If anything but the gate calls it.
   */
  constructor(
    maker: symbol,
    method: Evidence["method"],
    channel: { readonly channelBound: boolean; readonly bindingUnavailable: boolean },
  ) {
    if (maker !== MAKER) throw new UsageError("Cannot make an Admission: only the gate can");
    this.method = method;
    this.channelBound = channel.channelBound;
    this.bindingUnavailable = channel.bindingUnavailable;
    this.#genuine = true;
  }

  /** Whether a value was made by the gate. */
  static isGenuine(value: unknown): value is Admission {
    return typeof value === "object" && value !== null && #genuine in value && value.#genuine;
  }
}

/**
 * The one place that decides what may be answered: `require_auth`, `channel_binding`, what TLS must
 * prove, passwords in clear, SCRAM's limits. One gate serves one connection; after a refusal it
 * stays shut.
 */
export class Gate {
  readonly #policy: AuthPolicy;
  #state: State = { at: "await-channel" };

  /**
   * Makes a gate for one connection.
   *
   * @param policy What the settings ask for.
   * @throws {ConfigError} If the policy contradicts itself, so that no server could satisfy it.
   * @throws {UsageError} If an iteration limit is no whole number of at least 1.
   */
  constructor(policy: AuthPolicy) {
    checkPolicy(policy);
    this.#policy = { ...policy, allowed: new Set(policy.allowed) };
  }

  /**
   * Judges the channel the session is to run over; called once, before StartupMessage is sent.
   *
   * A plain channel passes whatever `tls` demands: whether plain is tried at all is `sslmode`'s and
   * so the plan's business.
   *
   * @throws {ConnectionError} `certificate-untrusted`, `certificate-name` or `alpn-missing`.
   * @throws {PolicyError} `channel-binding` if it is required and this channel cannot be bound.
   * @throws {MessageFormatError} If the certificate whose name is to be checked is malformed.
   */
  judgeChannel(channel: ChannelFacts): void {
    if (this.#state.at !== "await-channel") throw this.#outOfOrder("judgeChannel");
    this.#state = { at: "refused" };
    if (channel.kind === "tls") judgeTls(this.#policy, channel.tls);
    const binding = bindingOf(this.#policy, channel);
    if (this.#policy.channelBinding === "require" && binding.kind !== "ready") {
      throw binding.kind === "unavailable"
        ? refused(this.#policy, "channel-binding", `channel binding required, but ${binding.why}`, {
          phase: "tls",
          cause: binding.cause,
        })
        : refused(this.#policy, "channel-binding", "channel binding required, but SSL not in use", {
          phase: "negotiate",
        });
    }
    const confidential = channel.kind !== "plain" || channel.local;
    this.#state = { at: "await-request", binding, confidential, gss: channel.kind === "gss" };
  }

  /**
   * Judges the server's first authentication request; there is one a connection.
   *
   * @returns How it is to be answered.
   * @throws {PolicyError} `auth-forbidden`, `auth-unsupported`, `cleartext-forbidden` or
   *   `channel-binding`.
   * @throws {ProtocolError} If the request has no place here: a second one, or the middle of an
   *   exchange.
   * @throws {UsageError} If the channel has not been judged, or the message is AuthenticationOk.
   */
  judgeRequest(request: AuthenticationMessage): Challenge {
    const state = this.#state;
    if (request.type === "AuthenticationOk") {
      throw this.#outOfOrder("judgeRequest(AuthenticationOk)");
    }
    if (state.at === "answering" || state.at === "deriving") {
      this.#state = { at: "refused" };
      throw new ProtocolError(
        `Cannot answer ${request.type}: the server has asked to authenticate before, once is the limit`,
        { phase: "authenticate" },
      );
    }
    if (state.at !== "await-request") throw this.#outOfOrder("judgeRequest");
    this.#state = { at: "refused" };
    const challenge = challengeFor(this.#policy, request, state);
    this.#state = { at: "answering", challenge, binding: state.binding };
    return challenge;
  }

  /**
   * How a request would be answered, were it to come: for an answer that leaves before it. Nothing is decided by that;
   * the request itself is judged when it comes.
   *
   * @returns undefined if it would be refused.
   * @throws {UsageError} If the channel has not been judged, or a request came already.
   */
  foresee(request: AuthenticationRequest): Challenge | undefined {
    const state = this.#state;
    if (state.at !== "await-request") throw this.#outOfOrder("foresee");
    try {
      return challengeFor(this.#policy, request, state);
    } catch (error) {
      if (error instanceof PolicyError) return undefined;
      throw error;
    }
  }

  /**
   * Whether a channel tells who is at its end, before any exchange does: TLS verified up to the name, GSSAPI, whose set-up
   * is mutual, or this machine.
   */
  trusts(channel: ChannelFacts): boolean {
    return channel.local || channel.kind === "gss" ||
      (channel.kind === "tls" && this.#policy.tls?.verify === "full");
  }

  /**
   * Judges what server-first demands, before any key is derived.
   *
   * @throws {PolicyError} `scram-limit` if there are too many or too few iterations.
   * @throws {UsageError} If the request was not answered with SCRAM, or this has been called.
   */
  judgeScramFirst(first: { readonly salt: Uint8Array; readonly iterations: number }): void {
    const state = this.#state;
    if (state.at !== "answering" || state.challenge.kind !== "scram") {
      throw this.#outOfOrder("judgeScramFirst");
    }
    this.#state = { at: "refused" };
    const { minScramIterations: min, maxScramIterations: max } = this.#policy;
    if (!(first.iterations >= min && first.iterations <= max)) {
      throw refused(
        this.#policy,
        "scram-limit",
        `the server asks for ${first.iterations} SCRAM iterations, it must be ${min} to ${max}`,
        {
          hint: "The count was fixed when the password was set (scram_iterations of the server)",
        },
      );
    }
    this.#state = { at: "deriving", challenge: state.challenge, binding: state.binding };
  }

  /**
   * Judges where the server wants bearer tokens from, after it was asked without one.
   *
   * @throws {PolicyError} `issuer-mismatch` or `token-unavailable`.
   * @throws {UsageError} If the request was not answered with OAUTHBEARER.
   */
  judgeTokenSource(told: TokenStatus): OAuthDiscovery {
    const { at } = this.#state;
    const { oauth } = this.#policy;
    if (at !== "answering" || this.#state.challenge.kind !== "oauth" || oauth === undefined) {
      throw this.#outOfOrder("judgeTokenSource");
    }
    this.#state = { at: "refused" };
    return judgeDiscovery(oauth, told);
  }

  /**
   * Judges a GSSAPI context that is complete on our side, before the server gets the token that completes it there.
   *
   * @throws {PolicyError} `server-not-verified` if the server has not proved itself.
   * @throws {UsageError} If the request was not answered with GSSAPI.
   */
  judgeContext(context: GssEvidence & { readonly complete: true }): void {
    const state = this.#state;
    if (state.at !== "answering" || state.challenge.kind !== context.method) {
      throw this.#outOfOrder("judgeContext");
    }
    this.#state = { at: "refused" };
    judgeContext(this.#policy, context);
    this.#state = state;
  }

  /**
   * Judges AuthenticationOk.
   *
   * @param evidence What has been done until it came.
   * @throws {PolicyError} `auth-forbidden` or `channel-binding` if the server asked for less than
   *   the policy demands; `server-not-verified` if it ends SCRAM before its signature has been
   *   checked.
   * @throws {UsageError} If the evidence is not about the request that was answered.
   */
  admit(evidence: Evidence): Admission {
    const state = this.#state;
    if (state.at === "await-request" && evidence.method === "none") {
      return this.#admitUnasked(state.gss);
    }
    if (state.at === "answering" && state.challenge.kind === evidence.method) {
      this.#state = { at: "refused" };
      if ("mutual" in evidence) judgeContext(this.#policy, evidence);
      this.#state = { at: "admitted" };
      return new Admission(MAKER, evidence.method, {
        channelBound: false,
        bindingUnavailable: false,
      });
    }
    if (state.at !== "answering" && state.at !== "deriving") throw this.#outOfOrder("admit");
    this.#state = { at: "refused" };
    if (state.challenge.kind === "scram" && evidence.method !== "scram-sha-256") {
      throw refused(
        this.#policy,
        "server-not-verified",
        "the server accepted us in the middle of SCRAM, it has not proved that it knows the password",
      );
    }
    if (
      state.at !== "deriving" || evidence.method !== "scram-sha-256" ||
      !VerifiedServer.isGenuine(evidence.server) ||
      evidence.server.mechanism !== state.challenge.mechanism
    ) {
      throw new UsageError(
        "Cannot admit the session: the evidence is not about the request answered",
      );
    }
    this.#state = { at: "admitted" };
    return new Admission(MAKER, "scram-sha-256", {
      channelBound: state.challenge.mechanism === "SCRAM-SHA-256-PLUS",
      bindingUnavailable: state.binding.kind === "unavailable",
    });
  }

  /** A channel encrypted by GSSAPI is authentication by GSSAPI, which the server does not ask for again (libpq, check_expected_areq). */
  #admitUnasked(overGss: boolean): Admission {
    this.#state = { at: "refused" };
    const byGss = overGss && this.#policy.allowed.has("gss");
    if (this.#policy.required && !byGss) {
      throw forbidden(this.#policy, "server did not complete authentication, it asked for none");
    }
    if (this.#policy.channelBinding === "require") {
      throw refused(
        this.#policy,
        "channel-binding",
        "channel binding required, but server authenticated client without channel binding",
      );
    }
    this.#state = { at: "admitted" };
    return new Admission(MAKER, byGss ? "gss" : "none", {
      channelBound: false,
      bindingUnavailable: false,
    });
  }

  #outOfOrder(call: string): UsageError {
    return new UsageError(`Cannot call ${call}: the gate is at "${this.#state.at}"`);
  }
}
