/** What tests of plans are made of. */
import type { Outcome } from "../../src/plan/attempts.ts";
import type { HostEntry } from "../../src/settings/hosts.ts";

/** A socket that could not be opened. */
export const DIAL: Outcome = {
  phase: "dial",
  error: "dial",
  tlsInUse: false,
  credentialsSent: false,
  sawAuthRequest: false,
};

/** Hosts of these names, all at port 5432. */
export function hostsOf(names: readonly string[]): readonly HostEntry[] {
  return names.map((host) => ({
    host,
    hostaddr: undefined,
    port: 5432,
    kind: /^[/@]/.test(host) ? "unix" : "tcp",
  }));
}
