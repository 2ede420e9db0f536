/** Certificates: made ones read as made, changed ones end in declared errors, names match as the rules say. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readCertificate } from "../../src/auth/certificate.ts";
import { tlsServerEndPoint } from "../../src/auth/channel_binding.ts";
import { matchServerName } from "../../src/auth/server_name.ts";
import { MessageFormatError } from "../../src/errors.ts";
import { der, type MadeCertificate, makeCertificate } from "../support/der.ts";
import { certificateDer } from "../support/certificates.ts";
import { mutate, type Prng } from "../support/prng.ts";
import { toHex } from "../support/vectors.ts";
import { fewerOctets, fuzz, type Report, type Target } from "./fuzz.ts";
import { assertPeerError, assertPrintable, list, octets, outcome, text } from "./parts.ts";

interface Input {
  readonly certificate: Uint8Array;
  /** What it was made of; undefined if it was changed. */
  readonly made: MadeCertificate | undefined;
  readonly host: string;
}

/** The hash of RFC 5929 by the OID of the signature; undefined where there is none. */
const HASHES: Readonly<Record<string, string | undefined>> = {
  "1.2.840.113549.1.1.4": "sha256",
  "1.2.840.113549.1.1.5": "sha256",
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.3.101.112": undefined,
  "1.2.3.4.5": undefined,
};
const REAL = ["server.crt"].map(certificateDer);
const HOSTS = [
  "db.example",
  "DB.Example",
  "a.db.example",
  "x.a.db.example",
  "10.0.0.1",
  "::1",
  "d",
];
const NAMES = [
  ...HOSTS,
  "*.db.example",
  "*.example",
  "*",
  "*.",
  "a*.db.example",
  "db.example\0.x",
  "db.example\0.x",
];
const ADDRESSES = [
  [10, 0, 0, 1],
  [10, 0, 0, 2],
  [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  [10, 0, 0],
].map((address) => Uint8Array.from(address));

const TARGET: Target<Input> = {
  name: "certificate",
  generate(prng) {
    const made = {
      algorithm: prng.pick(Object.keys(HASHES)),
      commonNames: list(prng, 2, () => name(prng)),
      dnsNames: list(prng, 2, () => name(prng)),
      ipAddresses: prng.below(2) === 0 ? [] : list(prng, 2, () => prng.pick(ADDRESSES)),
    };
    const host = prng.below(30) === 0 ? text(prng) : prng.pick(HOSTS);
    const certificate = prng.below(20) === 0 ? prng.pick(REAL) : makeCertificate(made);
    switch (prng.below(4)) {
      case 0:
        return { certificate: makeCertificate(made), made, host };
      case 1:
        return { certificate: nested(prng), made: undefined, host };
      default:
        return { certificate: mutate(certificate, prng), made: undefined, host };
    }
  },
  check({ certificate, made, host }) {
    const lent = new Uint8Array(certificate);
    const read = outcome([MessageFormatError], () => readCertificate(lent));
    const hash = outcome([MessageFormatError], () => tlsServerEndPoint(certificate));
    const match = outcome([MessageFormatError], () => matchServerName(certificate, host));
    if (read.kind === "error") {
      assert.ok(made === undefined, read.error.message);
      assertPeerError(read.error);
      assert.ok(hash.kind === "error" && match.kind === "error");
      return "refused";
    }
    const before = JSON.stringify(read.value);
    lent.fill(0x30);
    assert.equal(JSON.stringify(read.value), before, "it keeps what was lent");
    assert.ok(hash.kind === "value" && match.kind === "value");
    const longer = Uint8Array.of(...certificate, 0);
    assert.throws(() => readCertificate(longer), MessageFormatError, "surplus octets");
    if (!match.value.ok) {
      assertPrintable(match.value.reason);
      match.value.presented.forEach(assertPrintable);
    }
    if (made !== undefined) {
      assert.deepEqual(read.value.subjectCommonNames, made.commonNames);
      assert.deepEqual(read.value.dnsNames, made.dnsNames);
      assert.deepEqual(read.value.ipAddresses.map(toHex), made.ipAddresses?.map(toHex));
      const algorithm = HASHES[made.algorithm ?? ""];
      const wanted = algorithm && createHash(algorithm).update(certificate).digest("hex");
      assert.equal(hash.value && toHex(hash.value), wanted, "tls-server-end-point");
      assert.equal(match.value.ok, matches(made, host), "the name");
      return match.value.ok ? "made, matches" : "made, does not match";
    }
    return "read";
  },
  show: ({ certificate, host }) => `${JSON.stringify(host)} in ${toHex(certificate)}`,
  *smaller(input) {
    for (const certificate of fewerOctets(input.certificate)) {
      yield { ...input, certificate, made: undefined };
    }
  },
};

/** Plays certificates. */
export function run(seed: number, cases: number): Report {
  return fuzz(TARGET, seed, cases);
}

function name(prng: Prng): string {
  return prng.below(12) === 0 ? text(prng) : prng.pick(NAMES);
}

/** DER that is right in its form and means nothing, some of it deep. */
function nested(prng: Prng): Uint8Array {
  let inside = octets(prng, 12);
  for (let depth = prng.pick([1, 3, 6, 60]); depth > 0; depth--) {
    inside = der(prng.pick([0x30, 0x30, 0x31, 0xa0, 0xa3, 0x04, 0x06, 0x02]), inside);
  }
  return inside;
}

/** libpq's rules for verify-full, for hosts of {@link HOSTS} and names without case beyond ASCII. */
function matches(made: MadeCertificate, host: string): boolean {
  const { dnsNames = [], ipAddresses = [], commonNames = [] } = made;
  const address = host === "10.0.0.1" ? ADDRESSES[0] : host === "::1" ? ADDRESSES[2] : undefined;
  const isSuppressed = address === undefined ? dnsNames.length > 0 : ipAddresses.length > 0;
  const texts = [...dnsNames, ...(isSuppressed ? [] : commonNames.slice(0, 1))];
  if (host === "" || texts.some((one) => one.includes("\0"))) return false;
  if (ipAddresses.some(({ length }) => length !== 4 && length !== 16)) return false;
  if (address !== undefined && ipAddresses.some((one) => toHex(one) === toHex(address))) {
    return true;
  }
  return texts.some((one) => {
    const [pattern, wanted] = [one, host].map((some) =>
      some.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
    ) as [string, string];
    if (pattern === wanted) return true;
    const [, domain] = /^[^.]+(\..*)$/s.exec(wanted) ?? [];
    return address === undefined && pattern.length > 2 && domain !== undefined &&
      pattern === `*${domain}`;
  });
}
