import { isConnectionUri, parseConnectionUri } from "./connection_uri.ts";
import { parseKeywordValue } from "./keyword_value.ts";
import type { ConnectionParameters } from "./parameters.ts";

export type { ConnectionParameters };

/**
 * Reads a connection string: a URI if it begins with `postgres://` or `postgresql://`, else keywords and values.
 *
 * The values are not judged; `resolveSettings` does that. A value may be empty, which is not the same as not given.
 *
 * @throws {ConfigError} If the text does not follow the grammar, or names no parameter of libpq. The message never holds
 *   a value.
 *
 * @example
 * ```ts
 * parseConnectionString("postgres://app@db.example:5433/shop?sslmode=verify-full");
 * parseConnectionString("host=db.example port=5433 user=app dbname=shop sslmode=verify-full");
 * ```
 */
export function parseConnectionString(text: string): ConnectionParameters {
  return isConnectionUri(text) ? parseConnectionUri(text) : parseKeywordValue(text);
}
