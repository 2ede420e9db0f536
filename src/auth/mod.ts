/**
 * Authentication without sockets, clocks or chance: SCRAM-SHA-256 with channel binding, MD5,
 * SASLprep, the certificate's hash and name, and the gate that decides what of it may be used.
 *
 * @example
 * ```ts
 * import { saslprep, scramKeys, ScramExchange } from "pg-handshake/auth";
 *
 * const exchange = new ScramExchange({
 *   mechanism: "SCRAM-SHA-256",
 *   gs2Header: "n,,",
 *   bindingData: new Uint8Array(0),
 *   nonce: btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(18)))),
 * });
 * const initialResponse = exchange.clientFirst(); // the data of SASLInitialResponse
 * // exchange.serverFirst(data) tells salt and iterations: derive with PBKDF2 from saslprep(password),
 * // then exchange.clientFinal(scramKeys(saltedPassword)); exchange.serverFinal(data) verifies the server.
 * ```
 *
 * @module
 */

export { decodeBase64, encodeBase64 } from "./base64.ts";
export { readCertificate } from "./certificate.ts";
export type { Certificate } from "./certificate.ts";
export type { ChannelFacts, GssFacts, TlsFacts, TlsVersion, Verification } from "./channel.ts";
export { tlsServerEndPoint } from "./channel_binding.ts";
export { cryptPassword } from "./des_crypt.ts";
export { equalOctets } from "./constant_time.ts";
export { Admission, Gate } from "./gate.ts";
export type {
  AuthPolicy,
  Challenge,
  Evidence,
  GssChallenge,
  GssEvidence,
  OAuthChallenge,
  ScramChallenge,
  TlsPolicy,
} from "./gate.ts";
export type { LegacyChallenge } from "./gate_legacy.ts";
export { legacyMethods } from "./legacy.ts";
export type { LegacyAuth } from "./legacy.ts";
export { md5Password } from "./md5.ts";
export { methodFacts } from "./methods.ts";
export type { AuthenticationRequest, AuthMethod, MethodFacts } from "./methods.ts";
export { judgeDiscovery, knownDiscovery } from "./oauth_discovery.ts";
export type { OAuthDiscovery, OAuthPolicy } from "./oauth_discovery.ts";
export { bearerDismissal, bearerResponse, bearerToken, readTokenStatus } from "./oauthbearer.ts";
export type { TokenStatus } from "./oauthbearer.ts";
export { saslprep } from "./saslprep.ts";
export { scramKeys } from "./scram_keys.ts";
export type { ScramKeys } from "./scram_keys.ts";
export { ScramExchange, VerifiedServer } from "./scram.ts";
export type { Gs2Header, ScramMechanism, ScramOptions } from "./scram.ts";
export { matchServerName } from "./server_name.ts";
export type { NameMatch } from "./server_name.ts";
export type {
  AuthenticationCleartextPassword,
  AuthenticationCryptPassword,
  AuthenticationGSS,
  AuthenticationGSSContinue,
  AuthenticationKerberosV4,
  AuthenticationKerberosV5,
  AuthenticationMD5Password,
  AuthenticationMessage,
  AuthenticationOk,
  AuthenticationSASL,
  AuthenticationSASLContinue,
  AuthenticationSASLFinal,
  AuthenticationSCMCredential,
  AuthenticationSSPI,
  AuthenticationUnknown,
} from "../wire/authentication.ts";
