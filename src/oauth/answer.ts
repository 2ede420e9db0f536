import { showText } from "../auth/display.ts";
import { type JsonObject, JsonProblem, readJsonObject, textMember } from "../auth/json_object.ts";
import { PolicyError } from "../errors.ts";
import { type HttpResponse, MAX_RESPONSE_OCTETS } from "./http.ts";

/** libpq 18, MAX_OAUTH_NESTING_LEVEL. */
const MAX_DEPTH = 16;
/** Ten years: no code and no token lasts longer, so what is above it is nonsense. */
const MAX_SECONDS = 10 * 365 * 24 * 3600;

/** A refusal as RFC 6749 section 5.2 words it. */
export interface OAuthRefusal {
  /** As "authorization_pending". */
  readonly error: string;
  /** What the issuer adds for people. */
  readonly description: string | undefined;
}

/** The error of a device flow: what was wrong, never a token or a secret. */
export function flowError(why: string, hint?: string): PolicyError {
  return new PolicyError("token-unavailable", `Cannot get a bearer token: ${why}`, {
    ...(hint === undefined ? {} : { hint }),
  });
}

/**
 * The JSON object of an answer.
 *
 * @param what Which answer, for errors.
 * @throws {PolicyError} `token-unavailable` if it is none.
 */
export function objectIn({ contentType, body }: HttpResponse, what: string): JsonObject {
  const [type = ""] = contentType.split(";");
  if (type.trim().toLowerCase() !== "application/json") {
    throw flowError(
      `${what} is of type "${showText(contentType)}", it must be "application/json"`,
    );
  }
  return reading(
    what,
    () => readJsonObject(body, { maxOctets: MAX_RESPONSE_OCTETS, maxDepth: MAX_DEPTH }),
  );
}

/** A text that must be there, and may be shown to people. */
export function textIn(object: JsonObject, name: string, what: string): string {
  const value = optionalTextIn(object, name, what);
  if (value === undefined) throw flowError(`${what} has no "${name}"`);
  return value;
}

/** The same, if it is there. */
export function optionalTextIn(
  object: JsonObject,
  name: string,
  what: string,
): string | undefined {
  const value = reading(what, () => textMember(object, name));
  // deno-lint-ignore no-control-regex -- what it says may be shown on a terminal
  if (value !== undefined && /[\x00-\x1f\x7f-\x9f]/.test(value)) {
    throw flowError(`${what} has control characters in "${name}"`);
  }
  return value;
}

/** A number of seconds, if it is there; fractions are rounded up, as in libpq. */
export function secondsIn(object: JsonObject, name: string, what: string): number | undefined {
  const value = object.get(name);
  if (value === undefined) return undefined;
  // Some issuers write numbers as texts.
  const number = typeof value === "string" && /^[0-9]{1,9}$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !(number >= 0 && number <= MAX_SECONDS)) {
    throw flowError(`${what} has no number of seconds for "${name}"`);
  }
  return Math.ceil(number);
}

/**
 * What an answer other than 200 says.
 *
 * @throws {PolicyError} `token-unavailable` if it is no refusal of RFC 6749.
 */
export function refusalIn(response: HttpResponse, what: string): OAuthRefusal {
  const { status } = response;
  if (status !== 400 && status !== 401) throw flowError(`${what} has HTTP status ${status}`);
  const object = objectIn(response, what);
  return {
    error: textIn(object, "error", what),
    description: reading(what, () => textMember(object, "error_description")),
  };
}

/** A refusal as people read it, with whatever it repeats of our secrets taken out. */
export function refusalText(refusal: OAuthRefusal, secrets: readonly string[]): string {
  const shown = (text: string): string =>
    showText(
      secrets.filter((secret) => secret !== "")
        .reduce((all, secret) => all.replaceAll(secret, "(not shown)"), text),
      200,
    );
  const { error, description } = refusal;
  return description === undefined
    ? `"${shown(error)}"`
    : `"${shown(error)}" (${shown(description)})`;
}

function reading<Value>(what: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    throw flowError(`${what} is malformed: ${error.message}`);
  }
}
