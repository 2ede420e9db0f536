/** The cases of `tests/vectors/handshake*.json`, turned into what machines and `converse()` take. */
import { Buffer } from "node:buffer";
import type { ChannelFacts, Verification } from "../../src/auth/channel.ts";
import type { AuthPolicy } from "../../src/auth/gate.ts";
import { legacyMethods } from "../../src/auth/legacy.ts";
import type { Encryption, ErrorCode, Phase } from "../../src/errors.ts";
import type { CancelConfig } from "../../src/handshake/cancel.ts";
import { CancelKey } from "../../src/handshake/cancel_key.ts";
import type { ClientConfig } from "../../src/handshake/client_state.ts";
import type { EarlyQuery, ExpectedRequest } from "../../src/handshake/early.ts";
import { parseRequireAuth } from "../../src/settings/require_auth.ts";
import { type BackendMessage, encodeBackend } from "../../src/wire/backend.ts";
import { certificateDer } from "../support/certificates.ts";
import { hex, join, readVectors, type VectorCase } from "../support/vectors.ts";
import { RFC7677_KEYS, type Script } from "./converse.ts";

/** Octets in a vector file: hex as `hex()` takes it, "hex:..." or "text:...". */
export type OctetText = string;

/** The settings of a case; what is missing is as in {@link clientConfig}. */
export interface CaseConfig {
  readonly encryption?: Encryption;
  readonly plaintextAfterRefusal?: boolean;
  readonly afterGssRefusal?: "ssl-request" | "plain";
  /** Whether there is a GSSAPI provider. */
  readonly gss?: boolean;
  /** What it answers: the first is asked for without a token, then the first octet of the server's is the number. */
  readonly gssAnswers?: readonly CaseGssAnswer[];
  readonly requireAuth?: string;
  readonly channelBinding?: "disable" | "prefer" | "require";
  readonly protocolVersion?: string;
  readonly minProtocolVersion?: string;
  readonly allowCleartextPassword?: boolean;
  readonly minScramIterations?: number;
  readonly local?: boolean;
  readonly verify?: Verification;
  readonly user?: string;
  /** Whom tokens are accepted from; without it OAUTHBEARER is not spoken. */
  readonly oauth?: { readonly issuer?: string; readonly scope?: string; readonly allowHttp?: true };
  /** The bearer token; without it the server is asked where to get one. */
  readonly token?: string;
  readonly allowLegacyAuth?: readonly string[];
  readonly kernelCredentials?: boolean;
  /** The channel and the mechanisms of the last time. */
  readonly expected?: ExpectedRequest;
  readonly firstQuery?: EarlyQuery;
  /** A text as it is, or "hex:...". */
  readonly password?: string;
  /** For cancels. */
  readonly processId?: number;
  readonly key?: OctetText;
}

/** One step of a GSSAPI context; neither complete nor mutual unless said. */
export interface CaseGssAnswer {
  readonly token: OctetText;
  readonly complete?: boolean;
  readonly mutual?: boolean;
}

/** What TLS is to report; the certificate is a name in certificates.json, a fixture's file or "hex:...". */
export interface CaseTls {
  readonly alpn?: string;
  readonly certificate?: string;
  readonly verified: Verification;
}

/** How a case ends. */
export type CaseOutcome =
  | {
    readonly fail: ErrorCode;
    readonly phase: Phase;
    readonly sqlState?: string;
    readonly message?: string;
    readonly includes?: readonly string[];
    readonly notIncludes?: readonly string[];
  }
  | { readonly waits: Phase }
  | { readonly finish: CaseFinish };

/** What is known about the session of a case that succeeds. */
export interface CaseFinish {
  readonly method?: string;
  readonly channelBound?: boolean;
  readonly bindingUnavailable?: boolean;
  readonly protocolVersion?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly parameterList?: readonly (readonly [string, string])[];
  readonly processId?: number;
  /** 0 if there is no key. */
  readonly keyLength?: number;
  readonly status?: string;
  readonly channel?: string;
  readonly leftover?: OctetText;
}

type Item = string | { readonly octets: OctetText } | { readonly type: string };

/** One conversation. */
export interface HandshakeCase extends VectorCase {
  readonly config?: CaseConfig;
  readonly tls?: CaseTls;
  /** Flights of messages, of octets, or names of handshake_flights.json; `{ "end": true }` closes. */
  readonly server: readonly (readonly Item[] | { readonly end: true })[];
  readonly outcome: CaseOutcome;
  /** The messages we send, in order. */
  readonly sent?: readonly string[];
  /** All octets we send. */
  readonly sentHex?: OctetText;
  /** Texts among the octets we send. */
  readonly says?: readonly string[];
  /** What is reported, apart from traced messages. */
  readonly events?: readonly string[];
  /** Octets behind a change of channel: cut elsewhere they are the transport's to find. */
  readonly wholeOnly?: boolean;
}

interface Flight extends VectorCase {
  readonly messages: readonly Item[];
}

const FLIGHTS: ReadonlyMap<string, Uint8Array> = new Map(
  readVectors<Flight>("handshake_flights").map((
    flight,
  ) => [flight.name, octetsOf(flight.messages)]),
);
const CERTIFICATES: ReadonlyMap<string, Uint8Array> = new Map(
  readVectors<VectorCase & { readonly certificate: string }>("certificates").map((one) => [
    one.name,
    new Uint8Array(Buffer.from(one.certificate, "base64")),
  ]),
);

/** The client's nonce in every vector (RFC 5802 section 5). */
export const CLIENT_NONCE = "fyko+d2lbbFgONRv9qkxdawL";

/** The answers of one octet that come before the first message of a case. */
export function octetAnswers(one: HandshakeCase): readonly ("SSLResponse" | "GSSENCResponse")[] {
  const { encryption, afterGssRefusal } = one.config ?? {};
  if (encryption === "ssl-request") return ["SSLResponse"];
  if (encryption !== "gss-request") return [];
  const [first] = scriptOf(one).flights;
  return first?.[0] === 0x4e && afterGssRefusal === "ssl-request"
    ? ["GSSENCResponse", "SSLResponse"]
    : ["GSSENCResponse"];
}

/** The octets a text of a vector file stands for. */
export function octets(text: OctetText): Uint8Array {
  if (text.startsWith("text:")) return new TextEncoder().encode(text.slice(5));
  return hex(text.startsWith("hex:") ? text.slice(4) : text);
}

/** Every start-up: those every server may make, and those of methods that are optional. */
export function handshakeCases(): readonly HandshakeCase[] {
  return ["handshake", "handshake_optional", "handshake_gss"].flatMap((file) =>
    readVectors<HandshakeCase>(file)
  );
}

/** A named flight of handshake_flights.json. */
export function flight(name: string): Uint8Array {
  const found = FLIGHTS.get(name);
  if (found === undefined) throw new Error(`Cannot find flight "${name}"`);
  return found;
}

/** A protocol version as its 32 bits: "3.2" is 0x00030002. */
export function version(text: string): number {
  const [major, minor] = text.split(".").map(Number);
  return (major ?? 0) * 0x10000 + (minor ?? 0);
}

/** The settings of a case as a machine takes them; `traced` unless said otherwise. */
export function clientConfig(config: CaseConfig = {}, traced = true): ClientConfig {
  return {
    encryption: config.encryption ?? "plain",
    plaintextAfterRefusal: config.plaintextAfterRefusal ?? false,
    afterGssRefusal: config.afterGssRefusal,
    startup: [["user", config.user ?? "u"], ["database", "d"]],
    protocolVersion: version(config.protocolVersion ?? "3.0"),
    minProtocolVersion: version(config.minProtocolVersion ?? "3.0"),
    policy: policyOf(config),
    channel: { kind: "plain", local: config.local ?? false },
    clientNonce: CLIENT_NONCE,
    traced,
    expected: config.expected,
    firstQuery: config.firstQuery,
  };
}

/** The settings of a case as a cancel takes them. */
export function cancelConfig(config: CaseConfig = {}, traced = true): CancelConfig {
  return {
    encryption: config.encryption ?? "plain",
    plaintextAfterRefusal: config.plaintextAfterRefusal ?? false,
    key: new CancelKey(config.processId ?? 0x1234, octets(config.key ?? "89abcdef")),
    policy: policyOf(config),
    channel: { kind: "plain", local: config.local ?? false },
    traced,
  };
}

/** The other side of a case. */
export function scriptOf(one: HandshakeCase): Script {
  const password = one.config?.password ?? "pencil";
  return {
    flights: one.server.map((part) => "end" in part ? "end" : octetsOf(part)),
    secured: securedBy(one.tls ?? { verified: "none" }),
    password: password.startsWith("hex:") ? octets(password) : octets(`text:${password}`),
    token: one.config?.token === undefined ? undefined : octets(`text:${one.config.token}`),
    keys: RFC7677_KEYS,
    gssAnswers: (one.config?.gssAnswers ?? GSS_ANSWERS).map((answer) => ({
      token: octets(answer.token),
      complete: answer.complete ?? false,
      mutual: answer.mutual ?? false,
    })),
  };
}

/** What Kerberos does: a token of ours, one of the server's, and that is all. */
const GSS_ANSWERS: readonly CaseGssAnswer[] = [
  { token: "6001" },
  { token: "", complete: true, mutual: true },
];

/** The channel after TLS. */
export function securedBy(tls: CaseTls): ChannelFacts {
  return {
    kind: "tls",
    local: false,
    tls: {
      protocol: "TLSv1.3",
      cipher: undefined,
      alpn: tls.alpn,
      verified: tls.verified,
      serverCertificate: tls.certificate === undefined ? undefined : certificate(tls.certificate),
    },
  };
}

function certificate(name: string): Uint8Array {
  if (name.startsWith("hex:")) return octets(name);
  if (name.endsWith(".crt")) return certificateDer(name);
  const found = CERTIFICATES.get(name);
  if (found === undefined) throw new Error(`Cannot find certificate "${name}"`);
  return found;
}

function policyOf(config: CaseConfig): AuthPolicy {
  const auth = parseRequireAuth(config.requireAuth);
  const encryption = config.encryption ?? "plain";
  return {
    allowed: auth.allowed,
    required: auth.required,
    requireAuthText: auth.text,
    channelBinding: config.channelBinding ?? "prefer",
    allowCleartextPassword: config.allowCleartextPassword ?? false,
    maxScramIterations: 100_000,
    minScramIterations: config.minScramIterations ?? 1,
    tls: encryption === "plain" || encryption === "gss-request" ? undefined : {
      verify: config.verify ?? "none",
      host: "db.test",
      requireAlpn: encryption === "direct-tls",
    },
    ...(config.oauth === undefined ? {} : {
      oauth: {
        issuer: config.oauth.issuer,
        scope: config.oauth.scope,
        allowHttp: config.oauth.allowHttp ?? false,
      },
    }),
    allowLegacyAuth: legacyMethods(config.allowLegacyAuth ?? []),
    kernelCredentials: config.kernelCredentials ?? false,
    gssProvider: config.gss ?? false,
    serverName: "db.test",
  };
}

function octetsOf(items: readonly Item[]): Uint8Array {
  return join(...items.map((item) => {
    if (typeof item === "string") return flight(item);
    return "octets" in item ? octets(item.octets) : encodeBackend(messageOf(item));
  }));
}

/** A message with its octet fields turned from text into octets. */
function messageOf(item: { readonly type: string }): BackendMessage {
  const fields = Object.entries(item).map(([name, value]) =>
    ["data", "salt", "secretKey"].includes(name) ? [name, octets(String(value))] : [name, value]
  );
  return Object.fromEntries(fields) as BackendMessage;
}
