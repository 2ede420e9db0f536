import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { MessageFormatError } from "../../src/errors.ts";
import { decodeBase64 } from "../../src/auth/base64.ts";
import { tlsServerEndPoint } from "../../src/auth/channel_binding.ts";
import { der, makeCertificate, oid } from "../support/der.ts";
import { hex, readVectors, toHex } from "../support/vectors.ts";
import type { VectorCase } from "../support/vectors.ts";

interface CertificateCase extends VectorCase {
  readonly certificate: string;
  /** Null where no binding is defined. */
  readonly binding: string | null;
}

for (const one of readVectors<CertificateCase>("certificates")) {
  test(`tlsServerEndPoint() hashes as PostgreSQL does: ${one.name}`, () => {
    const certificate = decodeBase64(one.certificate);
    assert.ok(certificate);
    const binding = tlsServerEndPoint(certificate);
    assert.equal(binding === undefined ? null : toHex(binding), one.binding);
  });
}

// RFC 5929 section 4.1 with the OIDs of RFC 3279, 4055, 5758, 8702; the empty text means none.
const SIGNATURES: readonly (readonly [string, string])[] = [
  ["1.2.840.113549.1.1.4", "sha256"],
  ["1.2.840.113549.1.1.5", "sha256"],
  ["1.2.840.113549.1.1.14", "sha224"],
  ["1.2.840.113549.1.1.11", "sha256"],
  ["1.2.840.113549.1.1.12", "sha384"],
  ["1.2.840.113549.1.1.13", "sha512"],
  ["1.2.840.113549.1.1.15", "sha512-224"],
  ["1.2.840.113549.1.1.16", "sha512-256"],
  ["1.2.840.10045.4.1", "sha256"],
  ["1.2.840.10045.4.3.1", "sha224"],
  ["1.2.840.10045.4.3.2", "sha256"],
  ["1.2.840.10045.4.3.3", "sha384"],
  ["1.2.840.10045.4.3.4", "sha512"],
  ["1.2.840.10040.4.3", "sha256"],
  ["2.16.840.1.101.3.4.3.1", "sha224"],
  ["2.16.840.1.101.3.4.3.2", "sha256"],
  ["2.16.840.1.101.3.4.3.9", "sha3-224"],
  ["2.16.840.1.101.3.4.3.10", "sha3-256"],
  ["2.16.840.1.101.3.4.3.11", "sha3-384"],
  ["2.16.840.1.101.3.4.3.12", "sha3-512"],
  ["2.16.840.1.101.3.4.3.13", "sha3-224"],
  ["2.16.840.1.101.3.4.3.14", "sha3-256"],
  ["2.16.840.1.101.3.4.3.15", "sha3-384"],
  ["2.16.840.1.101.3.4.3.16", "sha3-512"],
  ["1.3.101.112", ""],
  ["1.3.101.113", ""],
  ["2.16.840.1.101.3.4.3.17", ""],
  ["2.16.840.1.101.3.4.3.19", ""],
  ["1.2.3.4", ""],
];

/** Which of our runtimes' hashes exist differs; an octet count tells the rest apart. */
const OCTETS: Readonly<Record<string, number>> = {
  sha224: 28,
  sha256: 32,
  sha384: 48,
  sha512: 64,
  "sha512-224": 28,
  "sha512-256": 32,
  "sha3-224": 28,
  "sha3-256": 32,
  "sha3-384": 48,
  "sha3-512": 64,
};

function expected(name: string, octets: Uint8Array): string | undefined {
  try {
    return createHash(name).update(octets).digest("hex");
  } catch {
    return undefined;
  }
}

function assertHash(certificate: Uint8Array, name: string): void {
  const binding = tlsServerEndPoint(certificate);
  if (name === "") return assert.equal(binding, undefined);
  assert.ok(binding);
  assert.equal(binding.length, OCTETS[name]);
  assert.equal(toHex(binding), expected(name, certificate) ?? toHex(binding));
}

for (const [algorithm, name] of SIGNATURES) {
  test(`tlsServerEndPoint() uses ${name || "no hash"} for signatures by ${algorithm}`, () => {
    assertHash(makeCertificate({ algorithm, parameters: der(0x05) }), name);
  });
}

// The hash functions of RFC 4055 and RFC 8702 as parameters of RSASSA-PSS.
const DIGESTS: readonly (readonly [string, string])[] = [
  ["1.2.840.113549.2.5", "sha256"],
  ["1.3.14.3.2.26", "sha256"],
  ["2.16.840.1.101.3.4.2.1", "sha256"],
  ["2.16.840.1.101.3.4.2.2", "sha384"],
  ["2.16.840.1.101.3.4.2.3", "sha512"],
  ["2.16.840.1.101.3.4.2.4", "sha224"],
  ["2.16.840.1.101.3.4.2.5", "sha512-224"],
  ["2.16.840.1.101.3.4.2.6", "sha512-256"],
  ["2.16.840.1.101.3.4.2.7", "sha3-224"],
  ["2.16.840.1.101.3.4.2.8", "sha3-256"],
  ["2.16.840.1.101.3.4.2.9", "sha3-384"],
  ["2.16.840.1.101.3.4.2.10", "sha3-512"],
  ["2.16.840.1.101.3.4.2.11", ""],
];

for (const [digest, name] of DIGESTS) {
  test(`tlsServerEndPoint() uses ${name || "no hash"} for RSASSA-PSS with ${digest}`, () => {
    const parameters = der(0x30, der(0xa0, der(0x30, oid(digest), der(0x05))));
    assertHash(makeCertificate({ algorithm: "1.2.840.113549.1.1.10", parameters }), name);
  });
}

test("tlsServerEndPoint() uses SHA-256 for RSASSA-PSS with default parameters", () => {
  assertHash(makeCertificate({ algorithm: "1.2.840.113549.1.1.10" }), "sha256");
  const parameters = der(0x30);
  assertHash(makeCertificate({ algorithm: "1.2.840.113549.1.1.10", parameters }), "sha256");
});

test("tlsServerEndPoint() refuses what is no certificate", () => {
  for (const octets of ["", "00", "3000", "30020500"]) {
    assert.throws(() => tlsServerEndPoint(hex(octets)), MessageFormatError);
  }
});
