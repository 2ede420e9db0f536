import { sha224, sha256, sha384, sha512, sha512_224, sha512_256 } from "@noble/hashes/sha2.js";
import { sha3_224, sha3_256, sha3_384, sha3_512 } from "@noble/hashes/sha3.js";
import { readCertificate } from "./certificate.ts";

type Hash = (octets: Uint8Array) => Uint8Array;

/**
 * The hash for each signature algorithm, by dotted OID. RFC 5929 section 4.1: the one the
 * certificate was signed with, SHA-256 in place of MD5 and SHA-1. Ed25519, Ed448 and the
 * post-quantum algorithms define none.
 */
const HASH_OF_SIGNATURE: ReadonlyMap<string, Hash> = new Map<string, Hash>([
  // RSA PKCS #1 v1.5: MD5, SHA-1, then SHA-2
  ["1.2.840.113549.1.1.4", sha256],
  ["1.2.840.113549.1.1.5", sha256],
  ["1.2.840.113549.1.1.14", sha224],
  ["1.2.840.113549.1.1.11", sha256],
  ["1.2.840.113549.1.1.12", sha384],
  ["1.2.840.113549.1.1.13", sha512],
  ["1.2.840.113549.1.1.15", sha512_224],
  ["1.2.840.113549.1.1.16", sha512_256],
  // ECDSA: SHA-1, then SHA-2
  ["1.2.840.10045.4.1", sha256],
  ["1.2.840.10045.4.3.1", sha224],
  ["1.2.840.10045.4.3.2", sha256],
  ["1.2.840.10045.4.3.3", sha384],
  ["1.2.840.10045.4.3.4", sha512],
  // DSA: SHA-1, SHA-224, SHA-256
  ["1.2.840.10040.4.3", sha256],
  ["2.16.840.1.101.3.4.3.1", sha224],
  ["2.16.840.1.101.3.4.3.2", sha256],
  // ECDSA, then RSA PKCS #1 v1.5, with SHA-3
  ["2.16.840.1.101.3.4.3.9", sha3_224],
  ["2.16.840.1.101.3.4.3.10", sha3_256],
  ["2.16.840.1.101.3.4.3.11", sha3_384],
  ["2.16.840.1.101.3.4.3.12", sha3_512],
  ["2.16.840.1.101.3.4.3.13", sha3_224],
  ["2.16.840.1.101.3.4.3.14", sha3_256],
  ["2.16.840.1.101.3.4.3.15", sha3_384],
  ["2.16.840.1.101.3.4.3.16", sha3_512],
]);

/** The hash by its own dotted OID, which RSASSA-PSS names in its parameters. */
const HASH_OF_DIGEST: ReadonlyMap<string, Hash> = new Map<string, Hash>([
  ["1.2.840.113549.2.5", sha256],
  ["1.3.14.3.2.26", sha256],
  ["2.16.840.1.101.3.4.2.4", sha224],
  ["2.16.840.1.101.3.4.2.1", sha256],
  ["2.16.840.1.101.3.4.2.2", sha384],
  ["2.16.840.1.101.3.4.2.3", sha512],
  ["2.16.840.1.101.3.4.2.5", sha512_224],
  ["2.16.840.1.101.3.4.2.6", sha512_256],
  ["2.16.840.1.101.3.4.2.7", sha3_224],
  ["2.16.840.1.101.3.4.2.8", sha3_256],
  ["2.16.840.1.101.3.4.2.9", sha3_384],
  ["2.16.840.1.101.3.4.2.10", sha3_512],
]);

/**
 * The channel binding data `tls-server-end-point` (RFC 5929): a hash of the server's whole
 * certificate.
 *
 * @param der The server's own certificate.
 * @returns The hash; undefined if the certificate's signature algorithm defines none, or is not
 *   known.
 * @throws {MessageFormatError} If the certificate is malformed.
 */
export function tlsServerEndPoint(der: Uint8Array): Uint8Array | undefined {
  const { signatureAlgorithm, pssHash } = readCertificate(der);
  const hash = pssHash === undefined
    ? HASH_OF_SIGNATURE.get(signatureAlgorithm)
    : HASH_OF_DIGEST.get(pssHash);
  return hash?.(der);
}
