import { ProtocolError } from "../errors.ts";
import type { PolicyError } from "../errors.ts";
import { showTexts } from "./display.ts";
import type { Binding } from "./gate_channel.ts";
import { type LegacyChallenge, legacyChallenge } from "./gate_legacy.ts";
import { methodFacts } from "./methods.ts";
import type { AuthenticationRequest } from "./methods.ts";
import { forbidden, refused } from "./policy.ts";
import type { AuthPolicy } from "./policy.ts";
import type { Gs2Header, ScramMechanism } from "./scram.ts";

/** An authentication request that may be answered, and how. */
export type Challenge =
  | { readonly kind: "password" }
  | { readonly kind: "md5"; readonly salt: Uint8Array }
  | LegacyChallenge
  | GssChallenge
  | OAuthChallenge
  | ScramChallenge;

/** Answer with OAUTHBEARER. */
export interface OAuthChallenge {
  /** Says that it is OAUTHBEARER. */
  readonly kind: "oauth";
}

/** Answer with tokens of a GSSAPI context: Kerberos itself, or SPNEGO where SSPI asks. */
export type GssChallenge =
  /** Kerberos. */
  | { readonly kind: "gss" }
  /** Negotiated by SPNEGO. */
  | { readonly kind: "sspi" };

/** Answer with SCRAM: what a ScramExchange is made from, but for the nonce. */
export interface ScramChallenge {
  /** Says that it is SCRAM. */
  readonly kind: "scram";
  /** The mechanism to name in SASLInitialResponse. */
  readonly mechanism: ScramMechanism;
  /** What client-first says about channel binding. */
  readonly gs2Header: Gs2Header;
  /** The hash of the server's certificate, empty unless the header begins with `p`. */
  readonly bindingData: Uint8Array;
}

/** What the gate knows of the channel when a request comes. */
export interface JudgedChannel {
  readonly binding: Binding;
  /** Whether a password in clear stays between us and the server: encryption, or this machine. */
  readonly confidential: boolean;
}

/**
 * The part of the gate that judges a request. `require_auth` speaks first, then `channel_binding`,
 * then what may go in clear, then what we can do: the order in which libpq refuses.
 *
 * @throws {PolicyError} `auth-forbidden`, `auth-unsupported`, `cleartext-forbidden` or
 *   `channel-binding`.
 * @throws {ProtocolError} If the request is the middle of an exchange.
 */
export function challengeFor(
  policy: AuthPolicy,
  request: AuthenticationRequest,
  channel: JudgedChannel,
): Challenge {
  const facts = methodFacts(request);
  switch (request.type) {
    case "AuthenticationSASL":
      return chooseMechanism(policy, request.mechanisms, channel);
    case "AuthenticationSASLContinue":
    case "AuthenticationSASLFinal":
      throw new ProtocolError(`Cannot answer ${request.type}: no SASL exchange has begun`, {
        phase: "authenticate",
      });
    default:
  }
  if (!allows(policy, request)) throw forbidden(policy, facts.requested);
  if (policy.channelBinding === "require") {
    throw refused(
      policy,
      "channel-binding",
      "channel binding required but not supported by server's authentication request " +
        `(${facts.method})`,
    );
  }
  switch (request.type) {
    case "AuthenticationKerberosV4":
    case "AuthenticationKerberosV5":
    case "AuthenticationCryptPassword":
    case "AuthenticationSCMCredential":
      return legacyChallenge(policy, request, channel);
    case "AuthenticationMD5Password":
      return { kind: "md5", salt: new Uint8Array(request.salt) };
    case "AuthenticationCleartextPassword":
      if (channel.confidential || policy.allowCleartextPassword) return { kind: "password" };
      throw refused(
        policy,
        "cleartext-forbidden",
        `${facts.requested} over a connection that is not encrypted`,
        { hint: "Use TLS (sslmode=require or better), or allow it with allowCleartextPassword" },
      );
    case "AuthenticationGSSContinue":
      throw new ProtocolError(`Cannot answer ${request.type}: no GSSAPI exchange has begun`, {
        phase: "authenticate",
      });
    case "AuthenticationGSS":
      if (policy.gssProvider === true) return { kind: "gss" };
      break;
    case "AuthenticationSSPI":
      if (policy.gssProvider === true) return { kind: "sspi" };
      break;
    default:
  }
  throw refused(
    policy,
    "auth-unsupported",
    `${facts.requested}; ${facts.method} is not supported`,
    { hint: facts.advice },
  );
}

/**
 * Chooses among the offered mechanisms, after `require_auth` has taken away what it forbids (libpq
 * chooses first, and then fails). Names are compared exactly; unknown ones are skipped. As in libpq,
 * a mechanism that can be bound comes before all others, and otherwise the first of the server's
 * list that we can answer.
 */
function chooseMechanism(
  policy: AuthPolicy,
  mechanisms: readonly string[],
  channel: JudgedChannel,
): ScramChallenge | OAuthChallenge {
  const { binding } = channel;
  const scramAllowed = policy.allowed.has("scram-sha-256");
  const oauthAllowed = policy.allowed.has("oauth");
  const plain = mechanisms.includes("SCRAM-SHA-256");
  const plus = mechanisms.includes("SCRAM-SHA-256-PLUS");
  const oauth = mechanisms.includes("OAUTHBEARER");
  const offer = `server requested SASL authentication (${showTexts(mechanisms)})`;

  if (!scramAllowed && !oauthAllowed) throw forbidden(policy, offer);
  if (plus && binding.kind === "no-tls") {
    throw refused(
      policy,
      "channel-binding",
      "server offered SCRAM-SHA-256-PLUS authentication over a non-SSL connection, " +
        "something between has removed the encryption",
    );
  }
  if (oauth && oauthAllowed && policy.oauth !== undefined && policy.channelBinding !== "require") {
    const scramFirst = scramAllowed && (binding.kind === "ready" && plus ||
      mechanisms.find((one) => one === "SCRAM-SHA-256" || one === "OAUTHBEARER") !== "OAUTHBEARER");
    if (!scramFirst) return chooseOAuth(policy, channel);
  }
  if (scramAllowed && (plain || plus)) return chooseScram(policy, { plain, plus }, binding);
  if ((plain || plus || oauth) && !(oauth && oauthAllowed)) throw forbidden(policy, offer);
  if (policy.channelBinding === "require") throw notOffered(policy);
  throw refused(
    policy,
    "auth-unsupported",
    `none of the server's SASL authentication mechanisms are supported (${showTexts(mechanisms)})`,
    { hint: methodFacts({ type: "AuthenticationSASL", mechanisms }).advice },
  );
}

/**
 * Whoever reads a bearer token can use it: it goes where a password in clear may go, and so does the
 * question for one.
 */
function chooseOAuth(policy: AuthPolicy, channel: JudgedChannel): OAuthChallenge {
  if (channel.confidential || policy.allowCleartextPassword) return { kind: "oauth" };
  throw refused(
    policy,
    "cleartext-forbidden",
    "server requested a bearer token (OAUTHBEARER) over a connection that is not encrypted",
    { hint: "Use TLS (sslmode=require or better), or allow it with allowCleartextPassword" },
  );
}

/**
 * RFC 5802 section 6: `y` only if we could have bound; `n` if not, for a server that offers PLUS
 * takes `y` as an attack.
 */
function chooseScram(
  policy: AuthPolicy,
  offered: { readonly plain: boolean; readonly plus: boolean },
  binding: Binding,
): ScramChallenge {
  if (binding.kind === "ready" && offered.plus) {
    return {
      kind: "scram",
      mechanism: "SCRAM-SHA-256-PLUS",
      gs2Header: "p=tls-server-end-point,,",
      bindingData: new Uint8Array(binding.data),
    };
  }
  if (policy.channelBinding === "require") throw notOffered(policy);
  if (binding.kind === "unavailable" && offered.plus && !binding.trusted) {
    // Anybody can make a certificate without a hash: going on unbound would let whoever stands between take the session.
    throw refused(
      policy,
      "channel-binding",
      `the server offers SCRAM-SHA-256-PLUS, but ${binding.why}, and the certificate is not verified`,
      { hint: "Use sslmode=verify-full, or channel_binding=disable if that is acceptable" },
    );
  }
  if (!offered.plain) {
    const why = binding.kind === "unavailable" ? binding.why : 'channel_binding is "disable"';
    throw refused(
      policy,
      "channel-binding",
      `the server offers only "SCRAM-SHA-256-PLUS", but ${why}`,
    );
  }
  return {
    kind: "scram",
    mechanism: "SCRAM-SHA-256",
    // Where the server does not offer PLUS, `y` makes one that does notice that its offer was taken away, also if this
    // certificate could not have been bound.
    gs2Header: !offered.plus && (binding.kind === "ready" || binding.kind === "unavailable")
      ? "y,,"
      : "n,,",
    bindingData: new Uint8Array(0),
  };
}

/** Methods no word of `require_auth` names are refused as unsupported, not as forbidden. */
function allows(policy: AuthPolicy, request: AuthenticationRequest): boolean {
  if (request.type === "AuthenticationGSSContinue") {
    return policy.allowed.has("gss") || policy.allowed.has("sspi");
  }
  const { word } = methodFacts(request);
  return word === undefined || policy.allowed.has(word);
}

function notOffered(policy: AuthPolicy): PolicyError {
  return refused(
    policy,
    "channel-binding",
    "channel binding is required, but server did not offer an authentication method that supports " +
      "channel binding",
  );
}
