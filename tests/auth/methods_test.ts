import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { PolicyError } from "../../src/errors.ts";
import { Gate } from "../../src/auth/gate.ts";
import { methodFacts } from "../../src/auth/methods.ts";
import type { AuthenticationRequest } from "../../src/auth/methods.ts";
import { policy, tls } from "../support/auth_policy.ts";

const NOTHING = new Uint8Array(0);

/** What we do not speak, what it is called, and a word of the advice. */
const UNSPOKEN: readonly (readonly [AuthenticationRequest, string, RegExp])[] = [
  [{ type: "AuthenticationKerberosV4" }, "Kerberos 4", /8\.1/],
  [{ type: "AuthenticationKerberosV5" }, "Kerberos 5", /"krb5" of pg_hba\.conf/],
  [{ type: "AuthenticationCryptPassword", salt: NOTHING }, "crypt password", /"crypt" of pg_hba/],
  [{ type: "AuthenticationSCMCredential" }, "SCM credentials", /"peer".*pg_hba\.conf/],
  [{ type: "AuthenticationGSS" }, "GSSAPI", /option "gss".*gss\/deno.*gss\/bun.*gss\/node.*pg_hba/],
  [{ type: "AuthenticationSSPI" }, "SSPI", /option "gss".*gss\/deno.*gss\/bun.*gss\/node.*pg_hba/],
  [{ type: "AuthenticationUnknown", code: 13, data: NOTHING }, "method number 13", /PostgreSQL/],
  [
    { type: "AuthenticationUnknown", code: 0xffffffff, data: NOTHING },
    "method number 4294967295",
    /PostgreSQL/,
  ],
  [{ type: "AuthenticationSASL", mechanisms: ["OAUTHBEARER"] }, "OAUTHBEARER", /"oauth"/],
  [{ type: "AuthenticationSASL", mechanisms: ["X-\x1b[2J"] }, "X-\\u{1b}[2J", /pg_hba\.conf/],
];

for (const [request, name, advice] of UNSPOKEN) {
  test(`Gate refuses ${request.type} (${name}) by name, and says what to check`, () => {
    const gate = new Gate(policy());
    gate.judgeChannel(tls());
    assert.throws(() => gate.judgeRequest(request), (error: unknown) => {
      assert.ok(error instanceof PolicyError);
      assert.equal(error.code, "auth-unsupported");
      assert.ok(error.message.includes(name), error.message);
      assert.match(error.message, advice);
      assert.match(error.message, /^[\x20-\x7e]+[^.]$/);
      return true;
    });
  });
}

for (const word of ["gss", "sspi"] as const) {
  test(`Gate forbids what require_auth forbids before it calls it unsupported: ${word}`, () => {
    const request: AuthenticationRequest = {
      type: word === "gss" ? "AuthenticationGSS" : "AuthenticationSSPI",
    };
    const judge = (allowed: "gss" | "sspi"): void => {
      const gate = new Gate(policy({ allowed: new Set([allowed]), required: true }));
      gate.judgeChannel(tls());
      gate.judgeRequest(request);
    };
    assert.throws(() => judge(word), { code: "auth-unsupported" });
    assert.throws(() => judge(word === "gss" ? "sspi" : "gss"), { code: "auth-forbidden" });
  });
}

test("Gate forbids a GSS token where require_auth names neither gss nor sspi", () => {
  for (const allowed of ["gss", "sspi", "md5"] as const) {
    const gate = new Gate(policy({ allowed: new Set([allowed]), required: true }));
    gate.judgeChannel(tls());
    assert.throws(
      () => gate.judgeRequest({ type: "AuthenticationGSSContinue", data: NOTHING }),
      { code: allowed === "md5" ? "auth-forbidden" : "protocol-violation" },
    );
  }
});

test("methodFacts() says what is spoken", () => {
  const spoken = (request: AuthenticationRequest): boolean => methodFacts(request).spoken;
  assert.equal(spoken({ type: "AuthenticationCleartextPassword" }), true);
  assert.equal(spoken({ type: "AuthenticationMD5Password", salt: NOTHING }), true);
  assert.equal(spoken({ type: "AuthenticationSASL", mechanisms: [] }), true);
  for (const [request] of UNSPOKEN) {
    const { type } = request;
    // What comes of these depends on mechanisms offered, and on a provider.
    const depends = ["AuthenticationSASL", "AuthenticationGSS", "AuthenticationSSPI"];
    assert.equal(spoken(request), depends.includes(type));
  }
});
