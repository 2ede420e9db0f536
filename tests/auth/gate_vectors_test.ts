import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { PgHandshakeError } from "../../src/errors.ts";
import type { PolicyCode } from "../../src/errors.ts";
import type { ChannelFacts } from "../../src/auth/channel.ts";
import { Admission, Gate } from "../../src/auth/gate.ts";
import type { AuthMethod, AuthPolicy, Challenge, Evidence } from "../../src/auth/gate.ts";
import type { AuthenticationMessage } from "../../src/wire/authentication.ts";
import {
  ALL_METHODS,
  fromBase64,
  PLAIN,
  policy,
  tls,
  verifiedServer,
} from "../support/auth_policy.ts";
import { readVectors } from "../support/vectors.ts";
import type { VectorCase } from "../support/vectors.ts";

interface OutcomeCase extends VectorCase {
  readonly kind: "require_auth";
  readonly requireAuth: string | null;
  readonly allowed: readonly AuthMethod[];
  readonly required: boolean;
  readonly server: "trust" | "md5" | "scram" | "scram-unfinished";
  readonly outcome: "ok" | PolicyCode;
}

interface Gs2Case extends VectorCase {
  readonly kind: "gs2";
  readonly channel: keyof typeof CHANNELS;
  readonly channelBinding: AuthPolicy["channelBinding"];
  readonly offered: readonly string[];
  /** A mechanism, a code of refusal, or "before": refused before anything is sent. */
  readonly outcome: string;
  readonly gs2Header: string | null;
  readonly bindingUnavailable: boolean | null;
}

interface MechanismCase extends VectorCase {
  readonly kind: "mechanisms";
  readonly offered: readonly string[];
  readonly allowed: readonly AuthMethod[];
  readonly outcome: "ok" | PolicyCode;
}

const certificates = readVectors<VectorCase & { readonly certificate: string }>("certificates");
const certificate = (name: string): Uint8Array =>
  fromBase64(certificates.find((one) => one.name === name)?.certificate ?? "?");

const CHANNELS = {
  plain: PLAIN,
  tls: tls({ serverCertificate: certificate("EC256/SHA-256") }),
  "tls without certificate": tls({ verified: "ca" }),
  "tls with Ed25519": tls({ verified: "ca", serverCertificate: certificate("Ed25519") }),
  "tls with malformed certificate": tls({
    verified: "ca",
    serverCertificate: Uint8Array.of(0x30, 0x00),
  }),
  "tls without certificate, not verified": tls(),
  "tls with Ed25519, not verified": tls({ serverCertificate: certificate("Ed25519") }),
} as const satisfies Readonly<Record<string, ChannelFacts>>;

const MD5: AuthenticationMessage = {
  type: "AuthenticationMD5Password",
  salt: Uint8Array.of(1, 2, 3, 4),
};
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

/** Runs a session against a server that authenticates so; the error's code if the gate refuses. */
function outcomeOf(gate: Gate, server: OutcomeCase["server"]): string {
  try {
    switch (server) {
      case "trust":
        return admitted(gate.admit({ method: "none" }), "none");
      case "md5":
        assert.deepEqual(gate.judgeRequest(MD5), { kind: "md5", salt: Uint8Array.of(1, 2, 3, 4) });
        return admitted(gate.admit({ method: "md5" }), "md5");
      case "scram":
        return admitted(finishScram(gate, gate.judgeRequest(SCRAM)), "scram-sha-256");
      case "scram-unfinished":
        gate.judgeRequest(SCRAM);
        return admitted(gate.admit({ method: "none" }), "none");
    }
  } catch (error) {
    if (error instanceof PgHandshakeError) return error.code;
    throw error;
  }
}

function admitted(admission: Admission, method: Evidence["method"]): "ok" {
  assert.equal(Admission.isGenuine(admission), true);
  assert.equal(admission.method, method);
  assert.equal(admission.channelBound, false);
  return "ok";
}

for (const one of readVectors<OutcomeCase | Gs2Case | MechanismCase>("require_auth_gate")) {
  switch (one.kind) {
    case "require_auth":
      test(`Gate judges: ${one.name}: ${one.outcome}`, () => {
        const gate = opened({
          allowed: new Set(one.allowed),
          required: one.required,
          requireAuthText: one.requireAuth ?? undefined,
        });
        assert.equal(outcomeOf(gate, one.server), one.outcome);
      });
      break;
    case "gs2":
      test(`Gate chooses: ${one.name}: ${one.outcome} ${one.gs2Header ?? ""}`, () => {
        const channel = CHANNELS[one.channel];
        const gate = new Gate(policy({ channelBinding: one.channelBinding }));
        if (one.outcome === "before") {
          assert.throws(() => gate.judgeChannel(channel), { code: "channel-binding" });
          assert.throws(() => gate.judgeRequest(SCRAM), { code: "misuse" });
          return;
        }
        gate.judgeChannel(channel);
        if (one.gs2Header === null) {
          assert.throws(() => gate.judgeRequest(sasl(...one.offered)), { code: one.outcome });
          return;
        }
        const challenge = gate.judgeRequest(sasl(...one.offered));
        assert.ok(challenge.kind === "scram");
        assert.equal(challenge.mechanism, one.outcome);
        assert.equal(challenge.gs2Header, one.gs2Header);
        const bound = one.gs2Header.startsWith("p");
        assert.equal(challenge.bindingData.length, bound ? 32 : 0);
        const admission = finishScram(gate, challenge);
        assert.equal(admission.channelBound, bound);
        assert.equal(admission.bindingUnavailable, one.bindingUnavailable);
      });
      break;
    case "mechanisms":
      test(`Gate judges ${one.name}: ${one.outcome}`, () => {
        const limited = one.allowed.length < ALL_METHODS.length;
        const gate = opened({ allowed: new Set(one.allowed), required: limited });
        const run = (): Challenge => gate.judgeRequest(sasl(...one.offered));
        if (one.outcome === "ok") assert.equal(run().kind, "scram");
        else assert.throws(run, { name: "PolicyError", code: one.outcome, phase: "authenticate" });
      });
      break;
  }
}
