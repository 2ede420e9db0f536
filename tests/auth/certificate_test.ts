import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { MessageFormatError } from "../../src/errors.ts";
import { readCertificate } from "../../src/auth/certificate.ts";
import { decodeBase64 } from "../../src/auth/base64.ts";
import { der, makeCertificate, oid, subjectAltName } from "../support/der.ts";
import { mutate, Prng } from "../support/prng.ts";
import { hex, readVectors } from "../support/vectors.ts";
import type { VectorCase } from "../support/vectors.ts";

interface CertificateCase extends VectorCase {
  readonly certificate: string;
  readonly algorithm: string;
}

const cases = readVectors<CertificateCase>("certificates");
const octetsOf = (one: CertificateCase): Uint8Array => {
  const octets = decodeBase64(one.certificate);
  assert.ok(octets);
  return octets;
};

for (const one of cases) {
  test(`readCertificate() reads a certificate of version 1: ${one.name}`, () => {
    const read = readCertificate(octetsOf(one));
    assert.equal(read.signatureAlgorithm, one.algorithm);
    assert.deepEqual(read.subjectCommonNames, ["t"]);
    assert.deepEqual(read.dnsNames, []);
    assert.deepEqual(read.ipAddresses, []);
  });

  test(`readCertificate() refuses every prefix of ${one.name}`, () => {
    const octets = octetsOf(one);
    for (let length = 0; length < octets.length; length++) {
      assert.throws(() => readCertificate(octets.subarray(0, length)), MessageFormatError);
    }
  });
}

test("readCertificate() reads names of every kind, and skips the others", () => {
  const read = readCertificate(makeCertificate({
    commonNames: ["first", "second"],
    extensions: [
      der(0x30, oid("2.5.29.19"), der(0x01, hex("ff")), der(0x04, der(0x30))),
      subjectAltName(
        der(0x81, new TextEncoder().encode("someone@db.example")),
        der(0x82, new TextEncoder().encode("db.example")),
        der(0xa4, der(0x30)),
        der(0x87, hex("7f000001")),
        der(0x82, hex("c3a4")),
        der(0x87, hex("00")),
      ),
    ],
  }));
  assert.deepEqual(read, {
    signatureAlgorithm: "1.2.840.10045.4.3.2",
    subjectCommonNames: ["first", "second"],
    dnsNames: ["db.example", "\u00e4"],
    ipAddresses: [hex("7f000001"), hex("00")],
  });
});

test("readCertificate() keeps zero characters in names for the name check to see", () => {
  const read = readCertificate(makeCertificate({ commonNames: ["a\0b"], dnsNames: ["c\0d"] }));
  assert.deepEqual(read.subjectCommonNames, ["a\0b"]);
  assert.deepEqual(read.dnsNames, ["c\0d"]);
  const wide = readCertificate(makeCertificate({ commonNames: ["\0a\0b"], commonNameTag: 0x1e }));
  assert.deepEqual(wide.subjectCommonNames, ["\0a\0b"]);
});

test("readCertificate() reads the hash of RSASSA-PSS, SHA-1 where none is given", () => {
  const pss = (...parameters: readonly Uint8Array[]): string | undefined =>
    readCertificate(makeCertificate({
      algorithm: "1.2.840.113549.1.1.10",
      ...(parameters[0] === undefined ? {} : { parameters: parameters[0] }),
    })).pssHash;
  const sha384 = der(0xa0, der(0x30, oid("2.16.840.1.101.3.4.2.2"), der(0x05)));
  assert.equal(pss(der(0x30, sha384, der(0xa2, der(0x02, hex("30"))))), "2.16.840.1.101.3.4.2.2");
  assert.equal(pss(der(0x30, der(0xa2, der(0x02, hex("14"))))), "1.3.14.3.2.26");
  assert.equal(pss(der(0x30)), "1.3.14.3.2.26");
  assert.equal(pss(), "1.3.14.3.2.26");
  for (const wrong of [der(0x05), der(0x30, der(0xa0)), der(0x30, der(0xa0, der(0x30)))]) {
    assert.throws(() => pss(wrong), MessageFormatError);
  }
});

test("readCertificate() refuses octets behind the certificate and a second subjectAltName", () => {
  const good = makeCertificate({ dnsNames: ["db.example"] });
  assert.throws(() => readCertificate(Uint8Array.of(...good, 0)), /1 octets follow the end/);
  const twice = makeCertificate({
    dnsNames: ["a"],
    extensions: [subjectAltName(der(0x82, new TextEncoder().encode("b")))],
  });
  assert.throws(() => readCertificate(twice), /subjectAltName is there twice/);
});

test("readCertificate() takes 100 KiB and no more", () => {
  const sized = (octets: number): Uint8Array =>
    makeCertificate({ extensions: [der(0x30, oid("1.2.3"), der(0x04, new Uint8Array(octets)))] });
  const room = 102_400 - sized(102_000).length + 102_000;
  assert.equal(sized(room).length, 102_400);
  assert.deepEqual(readCertificate(sized(room)).dnsNames, []);
  assert.throws(() => readCertificate(sized(room + 1)), {
    message: "Cannot read Certificate: it has 102401 octets, the limit is 102400",
    code: "malformed-message",
    phase: "tls",
  });
});

test("mutations of certificates are read or refused as malformed, never anything else", () => {
  const seeds = [
    ...cases.map(octetsOf),
    makeCertificate({ dnsNames: ["db.example"], ipAddresses: [hex("7f000001")] }),
  ];
  for (let seed = 1; seed <= 600; seed++) {
    const prng = new Prng(seed);
    try {
      readCertificate(mutate(prng.pick(seeds), prng));
    } catch (error) {
      assert.ok(error instanceof MessageFormatError, `seed ${seed}`);
      assert.equal(error.messageName, "Certificate");
    }
  }
});
