import type { Keyword } from "./keywords.ts";
import { isKeyword, KEYWORD_NAMES, SECRET_KEYWORDS } from "./keywords.ts";

/**
 * Connection parameters by libpq's keywords, as text, not judged yet. A plain object: printing it shows the password;
 * print {@link redact} of it instead.
 */
export type ConnectionParameters = { readonly [K in Keyword]?: string };

/** The parameters themselves, without what somebody may have put into Object.prototype. */
export function ownParameters(parameters: ConnectionParameters): ConnectionParameters {
  return Object.assign(Object.create(null), parameters);
}

/** A copy that can be printed: every secret says "(not shown)". */
export function redact(parameters: ConnectionParameters): ConnectionParameters {
  const shown: { [K in Keyword]?: string } = {};
  for (const keyword of KEYWORD_NAMES) {
    const value = parameters[keyword];
    if (value !== undefined) shown[keyword] = isSecret(keyword, value) ? "(not shown)" : value;
  }
  return shown;
}

/** Whether a parameter's value must never be shown: a password, a SCRAM key, or a private key given as text. */
export function isSecret(keyword: Keyword, value: string): boolean {
  return SECRET_KEYWORDS.has(keyword) ||
    (keyword === "sslkey" && value.includes("-----BEGIN"));
}

/** Parameters in the making; shared by both grammars. */
export class ParameterStore {
  readonly #parameters: { [K in Keyword]?: string } = {};

  /**
   * Keeps a value; a later one replaces it. Translates libpq's alias: `requiressl=1…` is sslmode=require, any other
   * value of it sslmode=prefer (fe-connect.c, conninfo_storeval).
   *
   * @returns The keyword it was kept under; undefined, and nothing is kept, if libpq has no such parameter.
   */
  set(keyword: string, value: string): Keyword | undefined {
    if (keyword === "requiressl") {
      this.#parameters.sslmode = value.startsWith("1") ? "require" : "prefer";
      return "sslmode";
    }
    if (!isKeyword(keyword)) return undefined;
    this.#parameters[keyword] = value;
    return keyword;
  }

  /** A copy of what was kept. */
  finish(): ConnectionParameters {
    return { ...this.#parameters };
  }
}
