import { ConfigError } from "../errors.ts";
import type { Keyword } from "./keywords.ts";
import { KEYWORD_NAMES } from "./keywords.ts";

/** Where the value of a parameter was found. A parameter that has none keeps its default. */
export type Origin =
  | { readonly from: "explicit" }
  | { readonly from: "service-file"; readonly path: string; readonly line: number }
  | { readonly from: "environment"; readonly name: string };

/** Where each value was found. */
export type Origins = { readonly [K in Keyword]?: Origin };

/** A place as error messages name it, for example `from the environment variable PGSSLMODE`. */
export function originText(origin: Origin): string {
  switch (origin.from) {
    case "explicit":
      return "given explicitly";
    case "service-file":
      return `from line ${origin.line} of the service file "${origin.path}"`;
    case "environment":
      return `from the environment variable ${origin.name}`;
  }
}

/** A name no sentence uses as a word: only such a one is taken for a parameter when a message holds it. */
const UNMISTAKABLE = /_|^ssl/;

/**
 * The same error, its message naming where the values came from that the caller did not give.
 *
 * @param error What was thrown; handed back as it is if nothing is to be added.
 * @param origins Where each value was found.
 */
export function withOrigins(error: unknown, origins: Origins): unknown {
  if (!(error instanceof ConfigError)) return error;
  const { message } = error;
  const places = KEYWORD_NAMES.flatMap((keyword): readonly string[] => {
    const isMeant = keyword === error.keyword ||
      (UNMISTAKABLE.test(keyword) && new RegExp(`\\b${keyword}\\b`).test(message));
    const origin = origins[keyword];
    return !isMeant || origin === undefined || origin.from === "explicit"
      ? []
      : [`${keyword} ${originText(origin)}`];
  });
  if (places.length === 0) return error;
  return new ConfigError(`${message} (${places.join(", ")})`, {
    ...(error.keyword !== undefined && { keyword: error.keyword }),
    ...(isConfigCode(error.code) && { code: error.code }),
    phase: error.phase,
    cause: error.cause,
  });
}

function isConfigCode(
  code: string,
): code is "invalid-setting" | "unsupported-setting" | "missing-permission" {
  return code === "invalid-setting" || code === "unsupported-setting" ||
    code === "missing-permission";
}
