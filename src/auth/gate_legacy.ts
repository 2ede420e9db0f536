import type { JudgedChannel } from "./gate_request.ts";
import type { LegacyAuth } from "./legacy.ts";
import { type AuthenticationRequest, methodFacts } from "./methods.ts";
import { type AuthPolicy, forbidden, refused } from "./policy.ts";

/** A request of PostgreSQL up to 9.3 that may be answered, and how. */
export type LegacyChallenge =
  | { readonly kind: "crypt"; readonly salt: Uint8Array }
  | { readonly kind: "scm" };

/** The requests that are answered only where the caller named the method. */
export type LegacyRequest = Extract<
  AuthenticationRequest,
  {
    type:
      | "AuthenticationKerberosV4"
      | "AuthenticationKerberosV5"
      | "AuthenticationCryptPassword"
      | "AuthenticationSCMCredential";
  }
>;

const NAME_OF: Readonly<Record<LegacyRequest["type"], LegacyAuth | undefined>> = {
  AuthenticationKerberosV4: undefined,
  AuthenticationKerberosV5: "krb5",
  AuthenticationCryptPassword: "crypt",
  AuthenticationSCMCredential: "scm",
};

/**
 * Judges the historic methods. `require_auth` has no words for them: crypt, which anybody can undo, goes by `password`;
 * credentials of the kernel are refused by whatever `require_auth` demands.
 *
 * @throws {PolicyError} `auth-unsupported`, `auth-forbidden` or `cleartext-forbidden`.
 */
export function legacyChallenge(
  policy: AuthPolicy,
  request: LegacyRequest,
  channel: Pick<JudgedChannel, "confidential">,
): LegacyChallenge {
  const { method, requested, advice } = methodFacts(request);
  const name = NAME_OF[request.type];
  const what = `${requested}; ${method}`;
  if (name === undefined || policy.allowLegacyAuth?.has(name) !== true) {
    throw refused(policy, "auth-unsupported", `${what} is not supported`, {
      hint: name === undefined
        ? advice
        : `${advice}; or, knowing what it is worth, allow it with allowLegacyAuth "${name}"`,
    });
  }
  switch (request.type) {
    case "AuthenticationCryptPassword":
      if (!policy.allowed.has("password")) throw forbidden(policy, `${requested} (${method})`);
      // 56 bits with a salt of 12: whoever sees it has the password within hours.
      if (!channel.confidential && !policy.allowCleartextPassword) {
        throw refused(
          policy,
          "cleartext-forbidden",
          `${what} is as good as clear text over a connection that is not encrypted`,
          { hint: "Use TLS (sslmode=require or better), or allow it with allowCleartextPassword" },
        );
      }
      return { kind: "crypt", salt: new Uint8Array(request.salt) };
    case "AuthenticationSCMCredential":
      if (policy.requireAuthText !== undefined || policy.required) {
        throw forbidden(policy, `${requested} (${method})`);
      }
      if (policy.kernelCredentials === true) return { kind: "scm" };
      throw refused(policy, "auth-unsupported", `${what} cannot be sent over this connection`, {
        hint: "It takes a Unix socket, and Linux, whose kernel adds the credentials by itself",
      });
    default:
      throw refused(
        policy,
        "auth-unsupported",
        `${what} writes to the socket itself (krb5_sendauth), which no JavaScript runtime lets it do`,
        { hint: 'Use "gss" in pg_hba.conf, which is Kerberos too, with the option "gss"' },
      );
  }
}
