import { legacyMethods } from "../auth/legacy.ts";
import type { ChannelFacts } from "../auth/channel.ts";
import type { AuthPolicy } from "../auth/gate.ts";
import type { AttemptTarget } from "../plan/targets.ts";
import { ON_LINUX } from "../transport/runtime.ts";
import type { Circumstances } from "./establish.ts";

/** Above it a server could keep this processor busy for as long as it likes (CVE-2026-42198 elsewhere). */
const DEFAULT_MAX_SCRAM_ITERATIONS = 100_000;

/** What the gate judges one attempt by. */
export function policyFor(target: AttemptTarget, circumstances: Circumstances): AuthPolicy {
  const { settings, options, tls } = circumstances;
  const { requireAuth } = settings;
  return {
    allowed: requireAuth.allowed,
    required: requireAuth.required,
    requireAuthText: requireAuth.text,
    channelBinding: settings.channelBinding,
    allowCleartextPassword: options.allowCleartextPassword ?? false,
    maxScramIterations: options.maxScramIterations ?? DEFAULT_MAX_SCRAM_ITERATIONS,
    minScramIterations: options.minScramIterations ?? 1,
    gssProvider: options.gss !== undefined,
    tls: tls === undefined || !mayUseTls(target) ? undefined : {
      verify: tls.verify,
      host: target.host.host,
      requireAlpn: target.encryption === "direct-tls",
    },
    oauth: circumstances.tokens.policy,
    allowLegacyAuth: legacyMethods(options.allowLegacyAuth ?? []),
    kernelCredentials: target.host.kind === "unix" && ON_LINUX,
    serverName: target.host.host,
  };
}

/** Whether an attempt may come to TLS: after `N` to GSSENCRequest, too. */
export function mayUseTls(target: AttemptTarget): boolean {
  const { encryption, afterGssRefusal } = target;
  return encryption === "ssl-request" || encryption === "direct-tls" ||
    (encryption === "gss-request" && afterGssRefusal === "ssl-request");
}

/** The transport verified the chain, the gate the name: together that is `full`. */
export function proved(channel: ChannelFacts, policy: AuthPolicy): ChannelFacts {
  return channel.kind === "tls" && policy.tls?.verify === "full"
    ? { ...channel, tls: { ...channel.tls, verified: "full" } }
    : channel;
}
