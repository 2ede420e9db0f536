import { ConfigError } from "../errors.ts";

/** Methods no server has asked for in a decade; each is answered only if it is allowed by this name. */
export type LegacyAuth = "crypt" | "scm" | "krb5";

const METHODS: readonly LegacyAuth[] = ["crypt", "scm", "krb5"];

const NONE: ReadonlySet<LegacyAuth> = new Set();

/**
 * Judges the option `allowLegacyAuth`.
 *
 * @throws {ConfigError} For a word that is none.
 */
export function legacyMethods(words: readonly string[]): ReadonlySet<LegacyAuth> {
  if (words.length === 0) return NONE;
  return new Set(words.map((word) => {
    const method = METHODS.find((known) => known === word);
    if (method !== undefined) return method;
    throw new ConfigError(
      `Cannot use allowLegacyAuth word "${word}": it must be one of ${METHODS.join(", ")}`,
    );
  }));
}
