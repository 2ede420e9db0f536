import { ConfigError } from "../errors.ts";

/** A method `require_auth` can name. */
export type AuthMethodName = "password" | "md5" | "gss" | "sspi" | "scram-sha-256" | "oauth";

/** What `require_auth` says: which methods may be answered, and whether the server must ask at all. */
export interface RequireAuth {
  /** The methods that may be answered. */
  readonly allowed: ReadonlySet<AuthMethodName>;
  /** True if a session without a finished authentication is refused. */
  readonly required: boolean;
  /** The setting as given; undefined if there is no policy. */
  readonly text: string | undefined;
}

const METHODS: readonly AuthMethodName[] = [
  "password",
  "md5",
  "gss",
  "sspi",
  "scram-sha-256",
  "oauth",
];

/**
 * Reads `require_auth`: a comma list of methods and `none`, or of the same words each with "!" before it.
 *
 * A positive list starts from nothing allowed and an authentication required, which `none` takes back. A negated list
 * starts from everything allowed and nothing required, which `!none` changes (libpq 18, fe-connect.c,
 * pqConnectOptions2).
 *
 * @param text The list; undefined and "" mean no policy.
 * @throws {ConfigError} For an unknown or empty word, blanks, words of both kinds, and a word given twice.
 */
export function parseRequireAuth(text: string | undefined): RequireAuth {
  if (text === undefined || text === "") {
    return { allowed: new Set(METHODS), required: false, text: undefined };
  }
  const negated = text.startsWith("!");
  const allowed = new Set<AuthMethodName>(negated ? METHODS : []);
  const seen = new Set<string>();
  for (const item of text.split(",")) {
    const word = item.startsWith("!") ? item.slice(1) : item;
    const method = METHODS.find((known) => known === word);
    if (method === undefined && word !== "none") {
      throw refusal(item, `it must be a list of ${METHODS.join(", ")} and none, without blanks`);
    }
    if (item.startsWith("!") !== negated) {
      throw refusal(item, 'words with and without "!" cannot be mixed');
    }
    if (seen.has(word)) throw refusal(item, "it is given twice");
    seen.add(word);
    if (method !== undefined) {
      if (negated) allowed.delete(method);
      else allowed.add(method);
    }
  }
  return { allowed, required: negated === seen.has("none"), text };
}

function refusal(item: string, reason: string): ConfigError {
  return new ConfigError(`Cannot use require_auth word "${item}": ${reason}`, {
    keyword: "require_auth",
  });
}
