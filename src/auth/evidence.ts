import { refused } from "./policy.ts";
import type { AuthPolicy } from "./policy.ts";
import type { VerifiedServer } from "./scram.ts";

/** What has been done until AuthenticationOk came. */
export type Evidence =
  | { readonly method: "none" }
  | { readonly method: "password" }
  | { readonly method: "md5" }
  | { readonly method: "crypt" }
  | { readonly method: "scm" }
  | { readonly method: "oauth" }
  | GssEvidence
  | { readonly method: "scram-sha-256"; readonly server: VerifiedServer };

/** How far a GSSAPI context has come. */
export interface GssEvidence {
  /** Which request was answered with it. */
  readonly method: "gss" | "sspi";
  /** Whether it is complete on our side. */
  readonly complete: boolean;
  /** Whether the server has proved itself. */
  readonly mutual: boolean;
}

/** GSSAPI proves both sides only once its context is complete, and only if that was asked for. */
export function judgeContext(policy: AuthPolicy, { complete, mutual }: GssEvidence): void {
  if (complete && mutual) return;
  throw refused(
    policy,
    "server-not-verified",
    complete
      ? "the GSSAPI context is complete, but the server has not proved itself (mutual authentication)"
      : "the server accepted us in the middle of GSSAPI, it has not proved itself",
  );
}
