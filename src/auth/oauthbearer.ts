import { MessageFormatError, PolicyError } from "../errors.ts";
import { JsonProblem, readJsonObject, textMember } from "./json_object.ts";

/** RFC 6750 section 2.1, `b64token`; a server takes anything else for no token at all. */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;
/** libpq 18 takes R messages up to 2000 octets, length word and code included. */
const MAX_STATUS_OCTETS = 1992;
/** libpq 18, MAX_SASL_NESTING_LEVEL. */
const MAX_STATUS_DEPTH = 8;
/** SASLInitialResponse may have 65 535 octets in all; what surrounds the token takes 38 of them. */
export const MAX_TOKEN_OCTETS = 65_000;

const KEY_VALUE_SEPARATOR = 0x01;

/** What a server says when it does not take a token, or none was given (RFC 7628 section 3.2.2). */
export interface TokenStatus {
  /** Why; `invalid_token` is the only word PostgreSQL knows. */
  readonly status: string;
  /** The address of the discovery document of the issuer the server trusts. */
  readonly openidConfiguration: string | undefined;
  /** The scope a token must have. */
  readonly scope: string | undefined;
}

/**
 * A bearer token as the octets that are sent.
 *
 * @throws {PolicyError} `token-unavailable` if no server could take it; the token is not shown.
 */
export function bearerToken(text: string): Uint8Array {
  if (text.length > MAX_TOKEN_OCTETS) {
    throw unusable(`it has ${text.length} characters, it must have at most ${MAX_TOKEN_OCTETS}`);
  }
  if (!TOKEN.test(text)) {
    throw unusable(
      "it must be one or more of A-Z a-z 0-9 - . _ ~ + / and may end in = (RFC 6750); " +
        'give it without the word "Bearer", blanks and line breaks',
    );
  }
  return new TextEncoder().encode(text);
}

function unusable(why: string): PolicyError {
  return new PolicyError("token-unavailable", `Cannot use the bearer token: ${why}`);
}

/**
 * The data of SASLInitialResponse (RFC 7628 section 3.1). Without a token it asks where tokens come from.
 *
 * @param token As {@link bearerToken} gives it; undefined for discovery.
 */
export function bearerResponse(token: Uint8Array | undefined): Uint8Array {
  const head = new TextEncoder().encode(`n,,\x01auth=${token === undefined ? "" : "Bearer "}`);
  const length = token?.length ?? 0;
  const data = new Uint8Array(head.length + length + 2);
  data.set(head);
  if (token !== undefined) data.set(token, head.length);
  data.fill(KEY_VALUE_SEPARATOR, head.length + length);
  return data;
}

/** What answers a {@link TokenStatus}, so that the server can end the exchange with its error (RFC 7628 section 3.2.3). */
export function bearerDismissal(): Uint8Array {
  return Uint8Array.of(KEY_VALUE_SEPARATOR);
}

/**
 * Reads a server's status, as strictly as libpq 18.
 *
 * @throws {MessageFormatError} If it is no such object, too long, too deep, or one of its members is not a text.
 */
export function readTokenStatus(data: Uint8Array): TokenStatus {
  try {
    const object = readJsonObject(data, {
      maxOctets: MAX_STATUS_OCTETS,
      maxDepth: MAX_STATUS_DEPTH,
    });
    const status = textMember(object, "status");
    if (status === undefined) throw new JsonProblem('it has no "status"');
    return {
      status,
      openidConfiguration: textMember(object, "openid-configuration"),
      scope: textMember(object, "scope"),
    };
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    throw new MessageFormatError(
      "AuthenticationSASLContinue",
      `the status of OAUTHBEARER is malformed: ${error.message}`,
      { phase: "authenticate" },
    );
  }
}
