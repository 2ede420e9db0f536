import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthMethod } from "../../src/auth/methods.ts";
import type { ChannelFacts } from "../../src/auth/channel.ts";
import { Gate } from "../../src/auth/gate.ts";
import { UsageError } from "../../src/errors.ts";
import { policy } from "../support/auth_policy.ts";

const PLAIN: ChannelFacts = { kind: "plain", local: false };
const GSS: ChannelFacts = {
  kind: "gss",
  local: false,
  gss: { service: "postgres@db.test", delegated: false },
};
const DONE = { complete: true, mutual: true };

function gate(channel: ChannelFacts, allowed?: readonly AuthMethod[], required = true): Gate {
  const made = new Gate(policy({
    gssProvider: true,
    ...(allowed === undefined ? {} : { allowed: new Set(allowed), required }),
  }));
  made.judgeChannel(channel);
  return made;
}

for (
  const [method, type] of [["gss", "AuthenticationGSS"], ["sspi", "AuthenticationSSPI"]] as const
) {
  test(`${type} is answered where there is a provider, and admitted once it is complete and mutual`, () => {
    const made = gate(PLAIN, [method]);
    assert.deepEqual(made.judgeRequest({ type }), { kind: method });
    const admission = made.admit({ method, ...DONE });
    assert.deepEqual([admission.method, admission.channelBound], [method, false]);
  });

  for (const evidence of [{ complete: false, mutual: true }, { complete: true, mutual: false }]) {
    test(`${type} with ${JSON.stringify(evidence)} is not admitted, and the gate stays shut`, () => {
      const made = gate(PLAIN);
      made.judgeRequest({ type });
      assert.throws(() => made.admit({ method, ...evidence }), { code: "server-not-verified" });
      assert.throws(() => made.admit({ method, ...DONE }), UsageError);
    });
  }

  test(`${type} is not admitted with the evidence of something else`, () => {
    const made = gate(PLAIN);
    made.judgeRequest({ type });
    assert.throws(() => made.admit({ method: "none" }), UsageError);
  });

  test(`${type} after ${type} is refused`, () => {
    const made = gate(PLAIN);
    made.judgeRequest({ type });
    assert.throws(() => made.judgeRequest({ type }), { code: "protocol-violation" });
  });
}

test("AuthenticationGSS is forbidden where require_auth names SSPI alone, and the other way around", () => {
  assert.throws(() => gate(PLAIN, ["sspi"]).judgeRequest({ type: "AuthenticationGSS" }), {
    code: "auth-forbidden",
  });
  assert.throws(() => gate(PLAIN, ["gss"]).judgeRequest({ type: "AuthenticationSSPI" }), {
    code: "auth-forbidden",
  });
});

test("a token of the server without an exchange is a breach of protocol", () => {
  assert.throws(
    () =>
      gate(PLAIN).judgeRequest({ type: "AuthenticationGSSContinue", data: Uint8Array.of(0x60) }),
    { code: "protocol-violation" },
  );
});

test("over GSSAPI encryption AuthenticationOk without a request is authentication by GSSAPI", () => {
  assert.equal(gate(GSS, ["gss"]).admit({ method: "none" }).method, "gss");
  assert.equal(gate(GSS).admit({ method: "none" }).method, "gss");
});

test("over GSSAPI encryption a require_auth that does not name gss is not satisfied by it", () => {
  for (const allowed of [["scram-sha-256"], ["sspi"]] as const) {
    assert.throws(() => gate(GSS, allowed).admit({ method: "none" }), { code: "auth-forbidden" });
  }
  assert.equal(gate(GSS, ["scram-sha-256"], false).admit({ method: "none" }).method, "none");
});

test("a password in clear may go over GSSAPI encryption", () => {
  assert.deepEqual(gate(GSS).judgeRequest({ type: "AuthenticationCleartextPassword" }), {
    kind: "password",
  });
});

test("over GSSAPI encryption SCRAM is not bound, and says that it could not be", () => {
  const challenge = gate(GSS).judgeRequest({
    type: "AuthenticationSASL",
    mechanisms: ["SCRAM-SHA-256"],
  });
  assert.ok(challenge.kind === "scram");
  assert.equal(challenge.gs2Header, "n,,");
});

test("channel_binding=require refuses GSSAPI encryption before anything is sent, and GSSAPI over TLS", () => {
  const made = new Gate(policy({ channelBinding: "require", gssProvider: true }));
  assert.throws(() => made.judgeChannel(GSS), { code: "channel-binding" });
});
