/** Policies, channels and finished exchanges for tests of the gate. */
import { decodeBase64, encodeBase64 } from "../../src/auth/base64.ts";
import type { ChannelFacts, TlsFacts } from "../../src/auth/channel.ts";
import type { AuthMethod, AuthPolicy, Challenge } from "../../src/auth/gate.ts";
import { ScramExchange } from "../../src/auth/scram.ts";
import type { VerifiedServer } from "../../src/auth/scram.ts";
import { scramProof } from "../../src/auth/scram_keys.ts";

/** Every word of require_auth. */
export const ALL_METHODS: readonly AuthMethod[] = [
  "password",
  "md5",
  "gss",
  "sspi",
  "scram-sha-256",
  "oauth",
];

/** A policy as libpq's defaults make it, but for what is given. */
export function policy(given: Partial<AuthPolicy> = {}): AuthPolicy {
  return {
    allowed: new Set(ALL_METHODS),
    required: false,
    requireAuthText: undefined,
    channelBinding: "prefer",
    allowCleartextPassword: false,
    maxScramIterations: 100_000,
    minScramIterations: 1,
    tls: { verify: "none", host: "db.example", requireAlpn: false },
    serverName: "db.example",
    ...given,
  };
}

/** A plain channel to another machine. */
export const PLAIN: ChannelFacts = { kind: "plain", local: false };

/** A TLS channel to another machine; it shows no certificate unless one is given. */
export function tls(given: Partial<TlsFacts> = {}): ChannelFacts {
  const facts: TlsFacts = {
    protocol: "TLSv1.3",
    cipher: undefined,
    alpn: undefined,
    verified: "none",
    serverCertificate: undefined,
    ...given,
  };
  return { kind: "tls", local: false, tls: facts };
}

/** The proof of a server, from an exchange with a server that knows the keys. */
export function verifiedServer(challenge: Challenge): VerifiedServer {
  if (challenge.kind !== "scram") throw new Error(`Cannot speak SCRAM for "${challenge.kind}"`);
  const keys = { clientKey: new Uint8Array(32), serverKey: new Uint8Array(32) };
  const exchange = new ScramExchange({ ...challenge, nonce: "abc" });
  const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
  const first = new TextDecoder().decode(exchange.clientFirst());
  exchange.serverFirst(ascii("r=abcd,s=AAAA,i=1"));
  const final = new TextDecoder().decode(exchange.clientFinal(keys));
  const bare = first.slice(challenge.gs2Header.length);
  const withoutProof = final.slice(0, final.indexOf(",p="));
  const transcript = ascii([bare, "r=abcd,s=AAAA,i=1", withoutProof].join(","));
  const { serverSignature } = scramProof(keys, transcript);
  return exchange.serverFinal(ascii(`v=${encodeBase64(serverSignature)}`));
}

/** The octets of a base64 text that is known to be one. */
export function fromBase64(text: string): Uint8Array {
  const octets = decodeBase64(text);
  if (octets === undefined) throw new Error("Cannot use a vector: it is not base64");
  return octets;
}
