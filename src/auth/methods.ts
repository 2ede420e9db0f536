import type { AuthenticationMessage } from "../wire/authentication.ts";

/** The methods `require_auth` can name (without `none`). */
export type AuthMethod = "password" | "md5" | "gss" | "sspi" | "scram-sha-256" | "oauth";

/**
 * A message that asks the client to authenticate, or to go on with it: all but AuthenticationOk.
 */
export type AuthenticationRequest = Exclude<
  AuthenticationMessage,
  { readonly type: "AuthenticationOk" }
>;

/** What is known about one kind of authentication request. */
export interface MethodFacts {
  /** What people call it. */
  readonly method: string;
  /** libpq's words for "the server requested ...", which users search for. */
  readonly requested: string;
  /**
   * The word of `require_auth` that covers it; undefined if no word does, or if the mechanism
   * decides.
   */
  readonly word: AuthMethod | undefined;
  /** Whether this package can answer it; SASL depends on the mechanisms offered, GSSAPI and SSPI on a provider. */
  readonly spoken: boolean;
  /** What to check when it cannot be answered. */
  readonly advice: string;
}

const SPEAKABLE = '"scram-sha-256", "md5", "password" (over TLS), "cert" or "trust"';

/** Kerberos is opt-in: the option to give, and where to get what it takes. */
export const GSS_OPTION: string = 'the option "gss": denoGss() of "pg-handshake/gss/deno", ' +
  'bunGss() of "pg-handshake/gss/bun" or nodeGss() of "pg-handshake/gss/node"';

const GSS_ADVICE = `Give a provider by ${GSS_OPTION}; ` +
  `or change the line of pg_hba.conf that applies ("gss" or "sspi") to ${SPEAKABLE}`;

const UNKNOWN = "server requested an unknown authentication type";

const METHODS: Readonly<Record<AuthenticationRequest["type"], MethodFacts>> = {
  AuthenticationKerberosV4: {
    method: "Kerberos 4",
    requested: UNKNOWN,
    word: undefined,
    spoken: false,
    advice: "No PostgreSQL since 8.1 asks for it: " +
      `check that this server is one, and use ${SPEAKABLE}`,
  },
  AuthenticationKerberosV5: {
    method: "Kerberos 5",
    requested: UNKNOWN,
    word: undefined,
    spoken: false,
    advice: 'The method "krb5" of pg_hba.conf ended with PostgreSQL 9.3: ' +
      `change the line that applies to ${SPEAKABLE}`,
  },
  AuthenticationCleartextPassword: {
    method: "cleartext password",
    requested: "server requested a cleartext password",
    word: "password",
    spoken: true,
    advice:
      'Check the line of pg_hba.conf that applies: "password", "ldap", "pam", "radius" or "bsd"',
  },
  AuthenticationCryptPassword: {
    method: "crypt password",
    requested: UNKNOWN,
    word: undefined,
    spoken: false,
    advice: 'The method "crypt" of pg_hba.conf ended with PostgreSQL 8.3: ' +
      `change the line that applies to ${SPEAKABLE}`,
  },
  AuthenticationMD5Password: {
    method: "MD5 password",
    requested: "server requested a hashed password",
    word: "md5",
    spoken: true,
    advice:
      'Check the line of pg_hba.conf that applies ("md5"), and how the password of the role is stored',
  },
  AuthenticationSCMCredential: {
    method: "SCM credentials",
    requested: UNKNOWN,
    word: undefined,
    spoken: false,
    advice: "Sending credentials over the socket ended with PostgreSQL 9.0: " +
      `use "peer" or ${SPEAKABLE} in pg_hba.conf`,
  },
  AuthenticationGSS: {
    method: "GSSAPI",
    requested: "server requested GSSAPI authentication",
    word: "gss",
    spoken: true,
    advice: GSS_ADVICE,
  },
  AuthenticationGSSContinue: {
    method: "GSSAPI",
    requested: "server requested GSSAPI authentication",
    word: "gss",
    spoken: true,
    advice: GSS_ADVICE,
  },
  AuthenticationSSPI: {
    method: "SSPI",
    requested: "server requested SSPI authentication",
    word: "sspi",
    spoken: true,
    advice: GSS_ADVICE,
  },
  AuthenticationSASL: {
    method: "SASL",
    requested: "server requested SASL authentication",
    word: undefined,
    spoken: true,
    advice: 'Check the line of pg_hba.conf that applies ("oauth" offers OAUTHBEARER, which takes ' +
      `the option "bearerToken"): this client speaks ${SPEAKABLE}`,
  },
  AuthenticationSASLContinue: {
    method: "SASL",
    requested: "server requested SASL authentication",
    word: undefined,
    spoken: true,
    advice: "Check that the server is PostgreSQL",
  },
  AuthenticationSASLFinal: {
    method: "SASL",
    requested: "server requested SASL authentication",
    word: undefined,
    spoken: true,
    advice: "Check that the server is PostgreSQL",
  },
  AuthenticationUnknown: {
    method: "unknown method",
    requested: UNKNOWN,
    word: undefined,
    spoken: false,
    advice: "Check that the server is PostgreSQL, and the line of pg_hba.conf that applies: " +
      `this client speaks ${SPEAKABLE}`,
  },
};

/** What is known about an authentication request; the number of an unknown one is in its method. */
export function methodFacts(request: AuthenticationRequest): MethodFacts {
  const facts = METHODS[request.type];
  return request.type === "AuthenticationUnknown"
    ? { ...facts, method: `method number ${request.code}` }
    : facts;
}
