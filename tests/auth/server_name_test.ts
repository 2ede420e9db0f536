import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { MessageFormatError } from "../../src/errors.ts";
import { matchServerName } from "../../src/auth/server_name.ts";
import { makeCertificate } from "../support/der.ts";
import type { MadeCertificate } from "../support/der.ts";
import { hex } from "../support/vectors.ts";

const V4 = hex("7f000001");
const V6 = hex("00*15 01");

// libpq's rules: fe-secure-common.c and fe-secure-openssl.c of PostgreSQL 18.
const MATCHES: readonly (readonly [string, MadeCertificate, string])[] = [
  ["a dNSName", { dnsNames: ["db.example"] }, "db.example"],
  ["the second of two dNSNames", { dnsNames: ["a.example", "b.example"] }, "b.example"],
  ["a dNSName in other case", { dnsNames: ["DB.Example"] }, "db.eXAMPLE"],
  ["a name of 63 characters a label", { dnsNames: [`${"a".repeat(63)}.b`] }, `${"a".repeat(63)}.b`],
  ["the common name where there is no dNSName", { commonNames: ["db.example"] }, "db.example"],
  [
    "the common name where there are iPAddress entries only",
    { commonNames: ["db.example"], ipAddresses: [V4] },
    "db.example",
  ],
  ["a wildcard", { dnsNames: ["*.example"] }, "db.example"],
  ["a wildcard in the common name", { commonNames: ["*.db.example"] }, "x.db.example"],
  ["a wildcard written as the host", { dnsNames: ["*.example"] }, "*.example"],
  ["an iPAddress", { ipAddresses: [V4] }, "127.0.0.1"],
  ["an iPAddress of IPv6 in another spelling", { ipAddresses: [V6] }, "0:0::0001"],
  [
    "an iPAddress of IPv6 with embedded IPv4",
    { ipAddresses: [hex("00*12 01020304")] },
    "::1.2.3.4",
  ],
  ["an IP literal as dNSName text", { dnsNames: ["127.0.0.1"] }, "127.0.0.1"],
  [
    "an IP literal as dNSName text beside another iPAddress",
    { dnsNames: ["127.0.0.1"], ipAddresses: [V6] },
    "127.0.0.1",
  ],
  [
    "an IP literal in the common name though there is a dNSName",
    { commonNames: ["127.0.0.1"], dnsNames: ["db.example"] },
    "127.0.0.1",
  ],
];

for (const [what, made, host] of MATCHES) {
  test(`matchServerName() takes ${what}`, () => {
    assert.deepEqual(matchServerName(makeCertificate(made), host), { ok: true });
  });
}

const REFUSED: readonly (readonly [string, MadeCertificate, string])[] = [
  ["another name", { dnsNames: ["db.example"] }, "dc.example"],
  ["a longer name", { dnsNames: ["db.example"] }, "db.example.org"],
  ["a name cut short", { dnsNames: ["db.example.org"] }, "db.example"],
  ["a name with a dot at the end", { dnsNames: ["db.example"] }, "db.example."],
  [
    "the common name where there is a dNSName",
    { commonNames: ["db.example"], dnsNames: ["a.example"] },
    "db.example",
  ],
  ["the second common name", { commonNames: ["a.example", "db.example"] }, "db.example"],
  ["a wildcard for two labels", { dnsNames: ["*.example"] }, "a.b.example"],
  ["a wildcard for no label", { dnsNames: ["*.example"] }, "example"],
  ["a wildcard for an empty label", { dnsNames: ["*.example"] }, ".example"],
  ["a wildcard that is part of a label", { dnsNames: ["d*.example"] }, "db.example"],
  ["a wildcard with text behind", { dnsNames: ["*b.example"] }, "db.example"],
  ["a wildcard in the middle", { dnsNames: ["db.*.org"] }, "db.example.org"],
  ["two wildcards", { dnsNames: ["*.*.org"] }, "db.example.org"],
  ["a wildcard alone", { dnsNames: ["*"] }, "localhost"],
  ["a wildcard with a dot alone", { dnsNames: ["*."] }, "localhost."],
  ["a wildcard for an IPv4 literal", { dnsNames: ["*.0.0.1"] }, "127.0.0.1"],
  ["a wildcard in the common name for an IP", { commonNames: ["*.0.0.1"] }, "127.0.0.1"],
  ["another iPAddress", { ipAddresses: [V4] }, "127.0.0.2"],
  ["IPv4 for the same mapped to IPv6", { ipAddresses: [V4] }, "::ffff:127.0.0.1"],
  [
    "an IP in the common name where there is an iPAddress",
    { commonNames: ["127.0.0.1"], ipAddresses: [V6] },
    "127.0.0.1",
  ],
  ["an iPAddress for a name", { ipAddresses: [V4] }, "localhost"],
  ["a certificate without names", {}, "db.example"],
  ["the Kelvin sign for the letter k", { dnsNames: ["\u212a.example"] }, "k.example"],
  ["an octal spelling of an IPv4 address", { ipAddresses: [V4] }, "0177.0.0.1"],
  ["an empty host, though the name is empty", { dnsNames: [""] }, ""],
];

for (const [what, made, host] of REFUSED) {
  test(`matchServerName() refuses ${what}`, () => {
    assert.equal(matchServerName(makeCertificate(made), host).ok, false);
  });
}

const FORGED: readonly (readonly [string, MadeCertificate, string])[] = [
  ["a dNSName", { dnsNames: ["db.example\0.evil.org"] }, "db.example"],
  ["a common name", { commonNames: ["db.example\0.evil.org"] }, "db.example"],
  ["a dNSName behind one that matches", { dnsNames: ["db.example", "a\0b"] }, "db.example"],
  ["a dNSName, for an IP literal", { dnsNames: ["127.0.0.1\0"] }, "127.0.0.1"],
  ["a common name in two octets a character", {
    commonNames: ["\0d\0b"],
    commonNameTag: 0x1e,
  }, "db"],
];

for (const [where, made, host] of FORGED) {
  test(`matchServerName() refuses a zero character in ${where} (CVE-2009-4034)`, () => {
    const match = matchServerName(makeCertificate(made), host);
    assert.ok(!match.ok);
    assert.match(match.reason, /contains embedded null/);
  });
}

for (const length of [0, 3, 5, 8, 15, 17]) {
  test(`matchServerName() refuses an iPAddress of ${length} octets, whatever else matches`, () => {
    const certificate = makeCertificate({
      dnsNames: ["db.example"],
      ipAddresses: [V4, new Uint8Array(length)],
    });
    for (const host of ["db.example", "127.0.0.1"]) {
      const match = matchServerName(certificate, host);
      assert.ok(!match.ok);
      assert.equal(match.reason, `certificate contains IP address with invalid length ${length}`);
    }
  });
}

test("matchServerName() says what the certificate presents, as libpq says it", () => {
  const certificate = makeCertificate({ dnsNames: ["a.example", "b.example"], ipAddresses: [V4] });
  assert.deepEqual(matchServerName(certificate, "db.example"), {
    ok: false,
    presented: ["a.example", "b.example", "127.0.0.1"],
    reason: 'server certificate for "a.example" (and 2 other names) does not match ' +
      'host name "db.example"',
  });
  assert.deepEqual(matchServerName(makeCertificate({ commonNames: ["cn"] }), "db.example"), {
    ok: false,
    presented: ["cn"],
    reason: 'server certificate for "cn" does not match host name "db.example"',
  });
});

test("matchServerName() escapes what it shows, and cuts it", () => {
  const dnsNames = ["\x1b[2J\n", "\u202egnp", "x".repeat(1000)];
  const match = matchServerName(makeCertificate({ dnsNames }), "db.example");
  assert.ok(!match.ok);
  assert.deepEqual(match.presented, [
    "\\u{1b}[2J\\u{a}",
    "\\u{202e}gnp",
    `${"x".repeat(253)}...`,
  ]);
  assert.match(match.reason, /^[\x20-\x7e]+$/);
});

test("matchServerName() throws for what is no certificate", () => {
  assert.throws(() => matchServerName(hex("3000"), "db.example"), MessageFormatError);
});
