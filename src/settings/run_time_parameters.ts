import { ConfigError } from "../errors.ts";

/** Names with a meaning of their own in StartupMessage, and the keyword to use in their place. */
const TAKEN: Readonly<Record<string, string>> = {
  user: "user",
  database: "dbname",
  replication: "replication",
  options: "options",
  application_name: "application_name",
  client_encoding: "client_encoding",
};

/**
 * Judges run-time parameters of the server that are to go with StartupMessage, for example `search_path`.
 *
 * @param entries Names and values.
 * @throws {ConfigError} For an empty name, one that a connection parameter or the protocol has taken, one that is there
 *   twice (the server does not tell case apart), a zero octet and half a surrogate pair.
 */
export function checkRunTimeParameters(entries: readonly (readonly [string, string])[]): void {
  const seen = new Set<string>();
  for (const [name, value] of entries) {
    const plain = name.toLowerCase();
    if (plain === "") throw refusal(name, "a name must not be empty");
    if (typeof value !== "string") throw refusal(name, "its value must be a text");
    for (const text of [name, value]) {
      if (text.includes("\0")) throw refusal(name, "it contains a zero octet");
      if (!text.isWellFormed()) throw refusal(name, "it contains half a surrogate pair");
    }
    if (Object.hasOwn(TAKEN, plain)) {
      throw refusal(name, `it must be given as the connection parameter ${TAKEN[plain] ?? ""}`);
    }
    if (plain.startsWith("_pq_.")) {
      throw refusal(name, 'names that begin with "_pq_." belong to the protocol');
    }
    if (seen.has(plain)) throw refusal(name, "it is given twice, in upper and lower case");
    seen.add(plain);
  }
}

/**
 * Escapes a text so that it stays one word of `options`: the server splits there at blanks, and a backslash takes the
 * next character as it is (postinit.c, pg_split_opts).
 *
 * @example
 * ```ts
 * const options = `-c search_path=${escapeOption("app, public")}`;
 * ```
 */
export function escapeOption(text: string): string {
  return text.replace(/[ \t\n\v\f\r\\]/g, "\\$&");
}

function refusal(name: string, reason: string): ConfigError {
  return new ConfigError(`Cannot use the run-time parameter ${JSON.stringify(name)}: ${reason}`, {
    keyword: "options",
  });
}
