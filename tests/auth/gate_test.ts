import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import type { ChannelFacts } from "../../src/auth/channel.ts";
import { Admission, Gate } from "../../src/auth/gate.ts";
import type { AuthMethod, AuthPolicy, Challenge } from "../../src/auth/gate.ts";
import type { AuthenticationMessage } from "../../src/wire/authentication.ts";
import { PLAIN, policy, tls, verifiedServer } from "../support/auth_policy.ts";
import { makeCertificate } from "../support/der.ts";

/** TLS with a certificate that can be bound to. */
const BINDABLE: ChannelFacts = tls({
  serverCertificate: makeCertificate({ dnsNames: ["db.example"] }),
});

const MD5: AuthenticationMessage = {
  type: "AuthenticationMD5Password",
  salt: Uint8Array.of(1, 2, 3, 4),
};
const CLEARTEXT: AuthenticationMessage = { type: "AuthenticationCleartextPassword" };
const sasl = (...mechanisms: readonly string[]): AuthenticationMessage => ({
  type: "AuthenticationSASL",
  mechanisms,
});
const SCRAM = sasl("SCRAM-SHA-256");
const FIRST = { salt: Uint8Array.of(0), iterations: 4096 };

function opened(given: Partial<AuthPolicy> = {}, channel: ChannelFacts = PLAIN): Gate {
  const gate = new Gate(policy(given));
  gate.judgeChannel(channel);
  return gate;
}

function finishScram(gate: Gate, challenge: Challenge): Admission {
  gate.judgeScramFirst(FIRST);
  return gate.admit({ method: "scram-sha-256", server: verifiedServer(challenge) });
}

for (const channel of [tls(), { kind: "plain", local: true } as const]) {
  test(`Gate lets a cleartext password over a ${channel.kind} channel, local: ${channel.local}`, () => {
    const gate = opened({}, channel);
    assert.deepEqual(gate.judgeRequest(CLEARTEXT), { kind: "password" });
    const admission = gate.admit({ method: "password" });
    assert.deepEqual([admission.method, admission.channelBound], ["password", false]);
    assert.equal(admission.bindingUnavailable, false);
  });
}

test("Gate refuses a cleartext password over a plain channel, unless allowed", () => {
  assert.throws(() => opened().judgeRequest(CLEARTEXT), {
    code: "cleartext-forbidden",
    message:
      'Cannot authenticate with server "db.example": server requested a cleartext password over ' +
      "a connection that is not encrypted. Use TLS (sslmode=require or better), or allow it with " +
      "allowCleartextPassword",
  });
  const gate = opened({ allowCleartextPassword: true });
  assert.deepEqual(gate.judgeRequest(CLEARTEXT), { kind: "password" });
});

test("Gate names the requirement in libpq's words when require_auth forbids", () => {
  const given: Partial<AuthPolicy> = {
    allowed: new Set<AuthMethod>(["scram-sha-256"]),
    required: true,
    requireAuthText: "scram-sha-256",
  };
  const failed = 'authentication method requirement "scram-sha-256" failed: ';
  assert.throws(() => opened(given).judgeRequest(CLEARTEXT), {
    code: "auth-forbidden",
    message: `Cannot authenticate with server "db.example": ${failed}` +
      "server requested a cleartext password",
  });
  assert.throws(() => opened(given).admit({ method: "none" }), {
    code: "auth-forbidden",
    message: `Cannot authenticate with server "db.example": ${failed}` +
      "server did not complete authentication, it asked for none",
  });
  const unnamed = opened({ ...given, requireAuthText: undefined });
  assert.throws(() => unnamed.judgeRequest(MD5), /requirement "scram-sha-256" failed/);
});

const BARE: readonly AuthenticationMessage[] = [
  CLEARTEXT,
  MD5,
  { type: "AuthenticationGSS" },
  { type: "AuthenticationSSPI" },
  { type: "AuthenticationGSSContinue", data: Uint8Array.of(1) },
  { type: "AuthenticationKerberosV4" },
  { type: "AuthenticationKerberosV5" },
  { type: "AuthenticationCryptPassword", salt: Uint8Array.of(1, 2) },
  { type: "AuthenticationSCMCredential" },
  { type: "AuthenticationUnknown", code: 13, data: Uint8Array.of() },
  sasl("OAUTHBEARER"),
];

for (const request of BARE) {
  test(`channel_binding=require refuses ${request.type}`, () => {
    const gate = opened({ channelBinding: "require" }, BINDABLE);
    assert.throws(() => gate.judgeRequest(request), { code: "channel-binding" });
    assert.throws(() => gate.admit({ method: "none" }), { code: "misuse" });
  });
}

test("channel_binding=require refuses a server that asks for nothing, and takes a bound SCRAM", () => {
  const given = { channelBinding: "require" } as const;
  assert.throws(() => opened(given, BINDABLE).admit({ method: "none" }), {
    code: "channel-binding",
  });
  const gate = opened(given, BINDABLE);
  const challenge = gate.judgeRequest(sasl("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"));
  assert.equal(finishScram(gate, challenge).channelBound, true);
});

test("Gate takes SCRAM iterations from floor to cap, and refuses one beyond either", () => {
  for (const [iterations, allowed] of [[9, false], [10, true], [20, true], [21, false]] as const) {
    const gate = opened({ minScramIterations: 10, maxScramIterations: 20 });
    const challenge = gate.judgeRequest(SCRAM);
    if (allowed) {
      gate.judgeScramFirst({ ...FIRST, iterations });
      assert.equal(
        gate.admit({ method: "scram-sha-256", server: verifiedServer(challenge) }).method,
        "scram-sha-256",
      );
      continue;
    }
    assert.throws(() => gate.judgeScramFirst({ ...FIRST, iterations }), {
      code: "scram-limit",
      message: /asks for (9|21) SCRAM iterations, it must be 10 to 20/,
    });
    assert.throws(
      () => gate.admit({ method: "scram-sha-256", server: verifiedServer(challenge) }),
      { code: "misuse" },
    );
  }
});

const STARTS: readonly AuthenticationMessage[] = [CLEARTEXT, MD5, SCRAM];
for (const first of STARTS) {
  for (const second of STARTS) {
    test(`Gate refuses ${second.type} after ${first.type}: one exchange a connection`, () => {
      const gate = opened({}, tls());
      gate.judgeRequest(first);
      assert.throws(() => gate.judgeRequest(second), {
        name: "ProtocolError",
        code: "protocol-violation",
        phase: "authenticate",
      });
      assert.throws(() => gate.admit({ method: "none" }), { code: "misuse" });
    });
  }
}

test("Gate refuses a second request also after server-first", () => {
  const gate = opened({}, tls());
  gate.judgeRequest(SCRAM);
  gate.judgeScramFirst(FIRST);
  assert.throws(() => gate.judgeRequest(CLEARTEXT), { code: "protocol-violation" });
});

test("Gate refuses the middle of a SASL exchange as a first request", () => {
  for (const type of ["AuthenticationSASLContinue", "AuthenticationSASLFinal"] as const) {
    assert.throws(() => opened().judgeRequest({ type, data: Uint8Array.of(1) }), {
      code: "protocol-violation",
      message: `Cannot answer ${type}: no SASL exchange has begun`,
    });
  }
});

test("Gate refuses AuthenticationOk in the middle of SCRAM, whatever it is told", () => {
  for (const method of ["none", "password", "md5"] as const) {
    for (const derived of [false, true]) {
      const gate = opened();
      gate.judgeRequest(SCRAM);
      if (derived) gate.judgeScramFirst(FIRST);
      assert.throws(() => gate.admit({ method }), { code: "server-not-verified" });
    }
  }
});

test("Gate takes evidence only about the request it let pass", () => {
  const gate = (): { readonly gate: Gate; readonly challenge: Challenge } => {
    const one = opened({}, BINDABLE);
    return { gate: one, challenge: one.judgeRequest(sasl("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")) };
  };
  const plain = opened().judgeRequest(SCRAM);
  const other = gate();
  other.gate.judgeScramFirst(FIRST);
  assert.throws(
    () => other.gate.admit({ method: "scram-sha-256", server: verifiedServer(plain) }),
    { code: "misuse" },
  );
  const early = gate();
  assert.throws(
    () => early.gate.admit({ method: "scram-sha-256", server: verifiedServer(early.challenge) }),
    { code: "misuse" },
  );
  const unasked = opened();
  assert.throws(() => unasked.admit({ method: "md5" }), { code: "misuse" });
  const swapped = opened({}, tls());
  swapped.judgeRequest(MD5);
  assert.throws(() => swapped.admit({ method: "password" }), { code: "misuse" });
  const forged = opened();
  forged.judgeRequest(SCRAM);
  forged.judgeScramFirst(FIRST);
  const server = { mechanism: "SCRAM-SHA-256" } as ReturnType<typeof verifiedServer>;
  assert.throws(() => forged.admit({ method: "scram-sha-256", server }), { code: "misuse" });
});

test("Gate takes its calls in order, and stays shut after a refusal", () => {
  const fresh = (): Gate => new Gate(policy());
  assert.throws(() => fresh().judgeRequest(MD5), { code: "misuse" });
  assert.throws(() => fresh().admit({ method: "none" }), { code: "misuse" });
  assert.throws(() => fresh().judgeScramFirst(FIRST), { code: "misuse" });
  assert.throws(() => opened().judgeChannel(PLAIN), { code: "misuse" });
  assert.throws(() => opened().judgeRequest({ type: "AuthenticationOk" }), { code: "misuse" });
  const md5 = opened();
  md5.judgeRequest(MD5);
  assert.throws(() => md5.judgeScramFirst(FIRST), { code: "misuse" });
  const done = opened();
  done.admit({ method: "none" });
  assert.throws(() => done.admit({ method: "none" }), { code: "misuse" });
  const refused = opened();
  assert.throws(() => refused.judgeRequest(CLEARTEXT), { code: "cleartext-forbidden" });
  assert.throws(() => refused.judgeRequest(MD5), { code: "misuse" });
});

test("Gate keeps its own copy of the policy, and hands out copies of octets", () => {
  const allowed = new Set<AuthMethod>(["md5"]);
  const gate = new Gate(policy({ allowed }));
  allowed.add("password").delete("md5");
  gate.judgeChannel(PLAIN);
  const salt = Uint8Array.of(1, 2, 3, 4);
  const challenge = gate.judgeRequest({ type: "AuthenticationMD5Password", salt });
  salt.fill(9);
  assert.deepEqual(challenge, { kind: "md5", salt: Uint8Array.of(1, 2, 3, 4) });
  const own = makeCertificate({ dnsNames: ["db.example"] });
  const bound = opened({}, tls({ serverCertificate: own }));
  own.fill(0); // the hash is of the certificate that was judged
  const scram = bound.judgeRequest(sasl("SCRAM-SHA-256-PLUS"));
  assert.ok(scram.kind === "scram" && scram.bindingData.length === 32);
});

test("Admission can be made by the gate only", () => {
  const channel = { channelBound: true, bindingUnavailable: false };
  assert.throws(() => new Admission(Symbol("gate.ts"), "none", channel), { code: "misuse" });
  for (const forged of [undefined, null, {}, Object.create(Admission.prototype)]) {
    assert.equal(Admission.isGenuine(forged), false);
  }
});
