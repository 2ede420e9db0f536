import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { Gate } from "../../src/auth/gate.ts";
import type { AuthPolicy } from "../../src/auth/gate.ts";
import type { ChannelFacts, Verification } from "../../src/auth/channel.ts";
import { PLAIN, policy, tls } from "../support/auth_policy.ts";
import { makeCertificate } from "../support/der.ts";

const OURS = makeCertificate({ dnsNames: ["db.example"] });
const OTHERS = makeCertificate({ dnsNames: ["other.example"] });

function judge(given: Partial<AuthPolicy>, channel: ChannelFacts): void {
  new Gate(policy(given)).judgeChannel(channel);
}

const demanding = (verify: Verification, requireAlpn = false): Partial<AuthPolicy> => ({
  tls: { verify, host: "db.example", requireAlpn },
});

const VERIFIED: readonly (readonly [Verification, Verification, Uint8Array | undefined, string])[] =
  [
    ["none", "none", undefined, "ok"],
    ["none", "none", OTHERS, "ok"],
    ["none", "ca", OTHERS, "ok"],
    ["none", "full", undefined, "ok"],
    ["ca", "none", OURS, "certificate-untrusted"],
    ["ca", "none", undefined, "certificate-untrusted"],
    ["ca", "ca", OTHERS, "ok"],
    ["ca", "full", undefined, "ok"],
    ["full", "none", OURS, "certificate-untrusted"],
    ["full", "ca", OURS, "ok"],
    ["full", "ca", OTHERS, "certificate-name"],
    ["full", "ca", undefined, "certificate-name"],
    ["full", "full", undefined, "ok"],
    ["full", "full", OURS, "ok"],
  ];

for (const [wanted, reached, serverCertificate, outcome] of VERIFIED) {
  const shown = serverCertificate === undefined
    ? "no certificate"
    : serverCertificate === OURS
    ? "the host's certificate"
    : "another's certificate";
  test(`Gate wants "${wanted}", TLS verified "${reached}" and shows ${shown}: ${outcome}`, () => {
    const channel = tls({ verified: reached, serverCertificate });
    if (outcome === "ok") return judge(demanding(wanted), channel);
    assert.throws(() => judge(demanding(wanted), channel), {
      name: "ConnectionError",
      code: outcome,
      phase: "tls",
    });
  });
}

test("Gate says which names a certificate presents", () => {
  const channel = tls({ verified: "ca", serverCertificate: OTHERS });
  assert.throws(() => judge(demanding("full"), channel), {
    message: 'Cannot trust server "db.example": server certificate for "other.example" does not ' +
      'match host name "db.example"',
  });
});

test("Gate refuses a malformed certificate whose name is to be checked", () => {
  const channel = tls({ verified: "ca", serverCertificate: Uint8Array.of(0x30, 0x00) });
  assert.throws(() => judge(demanding("full"), channel), {
    name: "MessageFormatError",
    code: "malformed-message",
    phase: "tls",
  });
});

test("Gate takes ALPN postgresql, and no ALPN unless it is required", () => {
  judge(demanding("none", true), tls({ alpn: "postgresql" }));
  judge(demanding("none", false), tls({ alpn: "postgresql" }));
  judge(demanding("none", false), tls());
  assert.throws(() => judge(demanding("none", true), tls()), {
    name: "ConnectionError",
    code: "alpn-missing",
    phase: "tls",
    message: 'Cannot use TLS with server "db.example": it selected application protocol none, ' +
      'it must be "postgresql"',
  });
});

for (const alpn of ["h2", "http/1.1", "postgresq", "PostgreSQL", "postgresql\0", ""]) {
  test(`Gate refuses ALPN ${JSON.stringify(alpn)} in every case`, () => {
    for (const given of [demanding("none"), demanding("none", true), { tls: undefined }]) {
      assert.throws(() => judge(given, tls({ alpn })), { code: "alpn-missing" });
    }
  });
}

test("Gate lets plain channels pass whatever TLS would have to prove", () => {
  for (const verify of ["none", "ca", "full"] as const) judge(demanding(verify, true), PLAIN);
  judge({ tls: undefined }, { kind: "plain", local: true });
});

test("Gate refuses channel_binding=require before anything is sent where it cannot be done", () => {
  const given: Partial<AuthPolicy> = { channelBinding: "require" };
  for (const local of [false, true]) {
    assert.throws(() => judge(given, { kind: "plain", local }), {
      name: "PolicyError",
      code: "channel-binding",
      phase: "negotiate",
      message:
        'Cannot authenticate with server "db.example": channel binding required, but SSL not in use',
    });
  }
  assert.throws(() => judge(given, tls()), {
    code: "channel-binding",
    phase: "tls",
    message: /channel binding required, but this runtime does not show the server certificate$/,
  });
  const ed25519 = makeCertificate({ algorithm: "1.3.101.112" });
  assert.throws(() => judge(given, tls({ serverCertificate: ed25519 })), {
    code: "channel-binding",
    phase: "tls",
    message: /the signature algorithm of the server certificate defines no binding hash$/,
  });
  assert.throws(
    () => judge(given, tls({ serverCertificate: Uint8Array.of(1) })),
    (error: Error) => {
      assert.match(error.message, /the server certificate cannot be read$/);
      assert.match(String(error.cause), /Cannot read Certificate/);
      return true;
    },
  );
  judge(given, tls({ serverCertificate: OURS }));
});
