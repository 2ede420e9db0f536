import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkAddress,
  endpointOf,
  isIpLiteral,
  isLoopback,
  kernelPath,
} from "../../src/transport/endpoint.ts";
import {
  certificateFailure,
  dialFailure,
  lostFailure,
  reasonOf,
  tlsFailure,
} from "../../src/transport/failures.ts";
import type { Address } from "../../src/transport/transport.ts";

const TCP: Address = { kind: "tcp", host: "db.test", port: 5432 };

function coded(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

test("loopback is 127.0.0.0/8, also mapped into IPv6, and ::1", () => {
  for (const ip of ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1", "::FFFF:127.0.0.1"]) {
    assert.equal(isLoopback(ip), true, ip);
  }
  const far = [
    "128.0.0.1",
    "126.127.0.1",
    "1.127.0.0.1",
    "::2",
    "::ffff:10.0.0.1",
    "127.evil.test",
    "",
  ];
  for (const ip of far) assert.equal(isLoopback(ip), false, ip);
});

test("IP literals are told from names", () => {
  for (const text of ["1.2.3.4", "::", "fe80::1%eth0"]) assert.equal(isIpLiteral(text), true, text);
  for (const text of ["a.b", "1.2.3", "1.2.3.4.test", "x1.2.3.4"]) {
    assert.equal(isIpLiteral(text), false, text);
  }
});

test("a socket whose peer is not known is not local", () => {
  assert.equal(endpointOf({ ...TCP, host: "127.0.0.1" }, undefined).local, false);
  assert.equal(endpointOf(TCP, "127.0.0.1").local, true);
  assert.equal(endpointOf({ kind: "unix", path: "/tmp/s" }, undefined).local, true);
});

test("a leading @ stands for the abstract name space", () => {
  assert.equal(kernelPath("@name"), "\0name");
  assert.equal(kernelPath("/tmp/@name"), "/tmp/@name");
});

test("socket paths end at 107 octets, ports at 1 and 65535", () => {
  const path = `/${"ä".repeat(53)}`;
  checkAddress({ kind: "unix", path });
  assert.throws(() => checkAddress({ kind: "unix", path: `${path}x` }), {
    name: "ConfigError",
    keyword: "host",
    message: /it has 108 octets, at most 107 fit$/,
  });
  for (const port of [1, 65_535]) checkAddress({ ...TCP, port });
  for (const port of [0, 65_536]) {
    assert.throws(() => checkAddress({ ...TCP, port }), { keyword: "port" });
  }
  assert.throws(() => checkAddress({ ...TCP, host: "a\0b" }), { keyword: "host" });
});

// One reason in the words of each runtime: what the server's operator searches for is the same.
const REASONS: readonly { readonly of: Error; readonly reason: string }[] = [
  { of: coded("ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:1"), reason: "Connection refused" },
  { of: coded("ECONNREFUSED", "Connection refused (os error 111)"), reason: "Connection refused" },
  { of: coded("ECONNREFUSED", "Failed to connect"), reason: "Connection refused" },
  { of: new Error("No medium found (os error 123)"), reason: "No medium found" },
  {
    of: new Error("failed to lookup address information: Name or service not known"),
    reason: "Name or service not known",
  },
  {
    of: new Error("00B1:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:a.c:355:"),
    reason: "wrong version number",
  },
  {
    of: new Error("error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER"),
    reason: "wrong version number",
  },
  {
    of: Object.assign(new Error("long"), { reason: "WRONG_VERSION_NUMBER" }),
    reason: "wrong version number",
  },
];
for (const { of, reason } of REASONS) {
  test(`reasonOf() says "${reason}" for "${of.message}"`, () => assert.equal(reasonOf(of), reason));
}

test("a name that no resolver takes is not found, as on every runtime", () => {
  const cause = new Error("invalid host \u00fc.invalid: invalid char found in FQDN");
  assert.equal(dialFailure(TCP, cause).code, "name-not-found");
});

test("failures keep their cause", () => {
  const cause = coded("ECONNREFUSED", "connect ECONNREFUSED");
  assert.equal(dialFailure(TCP, cause).cause, cause);
  assert.equal(lostFailure(TCP, cause).cause, cause);
  assert.equal(tlsFailure(TCP, cause).cause, cause);
});

test("verdicts on a certificate are told from other failures of a handshake", () => {
  const untrusted = [
    coded("CERT_HAS_EXPIRED", "certificate has expired"),
    coded("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain"),
    new Error("invalid peer certificate: UnknownIssuer"),
  ];
  for (const error of untrusted) {
    assert.equal(tlsFailure(TCP, error).code, "certificate-untrusted", error.message);
  }
  const name = 'invalid peer certificate: certificate not valid for name "db.test"; it is not';
  assert.equal(tlsFailure(TCP, new Error(name)).code, "certificate-name");
  assert.equal(tlsFailure(TCP, coded("EPROTO", "handshake failure")).code, "tls-failed");
});

test("what Deno's node:tls says about a leaf is not taken for the cause", () => {
  const error = coded("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate");
  const { message } = certificateFailure(TCP, error);
  assert.match(
    message,
    "Deno" in globalThis ? /issuer, dates, signature or key size/ : /unable to verify the first/,
  );
});

test("a late alert about certificates is a failure of TLS with a hint, anything else a lost connection", () => {
  const alerts = [
    coded("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "tlsv13 alert certificate required"),
    coded("EPROTO", "error:1000045c:SSL routines:OPENSSL_internal:TLSV1_CERTIFICATE_REQUIRED"),
    new Error("received fatal alert: CertificateRequired"),
  ];
  for (const alert of alerts) {
    const failure = lostFailure(TCP, alert);
    assert.equal(failure.code, "tls-failed", alert.message);
    assert.match(failure.message, /requires a client certificate/);
  }
  assert.equal(lostFailure(TCP, coded("ECONNRESET", "read ECONNRESET")).code, "connection-lost");
});
