import { ConfigError } from "../errors.ts";
import { isConnectionUri } from "./connection_uri.ts";
import type { Keyword } from "./keywords.ts";
import { isKeyword } from "./keywords.ts";
import type { ConnectionParameters } from "./parameters.ts";
import { parseConnectionString } from "./parse.ts";
import { unknownKeyword } from "./unknown_keyword.ts";

/** libpq's keywords as keys; numbers and booleans stand for their text, `undefined` is as if the key were absent. */
export type ParameterObject = {
  readonly [K in Keyword]?: string | number | boolean | undefined;
};

/**
 * Reads parameters given as an object as libpq reads an array of keywords and values with `expand_dbname`
 * (fe-connect.c, conninfo_array_parse): empty values are skipped, and a `dbname` that holds "=" or begins with a URI's
 * scheme is a connection string. What that string says wins over keys before `dbname`; keys after it win over the
 * string.
 *
 * @throws {ConfigError} For a key that is no keyword, a value of another type, and a `dbname` that is a connection
 *   string and cannot be read.
 *
 * @example
 * ```ts
 * parametersOf({ dbname: "postgres://db.example/shop", user: "app", port: 5433 });
 * // { host: "db.example", dbname: "shop", user: "app", port: "5433" }
 * ```
 */
export function parametersOf(object: ParameterObject): ConnectionParameters {
  const parameters: { [K in Keyword]?: string } = {};
  for (const key of Object.keys(object)) {
    const value: unknown = object[key as Keyword];
    if (value === undefined || value === "") continue;
    if (!isKeyword(key)) throw unknownKeyword(key);
    const text = textOf(key, value);
    if (key === "dbname" && isConnectionString(text)) {
      Object.assign(parameters, parseConnectionString(text));
    } else parameters[key] = text;
  }
  return parameters;
}

/** Whether a text is to be read as a connection string where a database's name may stand as well. */
export function isConnectionString(text: string): boolean {
  return isConnectionUri(text) || text.includes("=");
}

/** libpq knows text only: `true` and `false` are its "1" and "0". */
function textOf(keyword: Keyword, value: unknown): string {
  switch (typeof value) {
    case "string":
      return value;
    case "boolean":
      return value ? "1" : "0";
    case "number":
      if (Number.isSafeInteger(value)) return String(value);
  }
  throw new ConfigError(
    `Cannot use the value of ${keyword}: it must be a text, a whole number or a boolean`,
    { keyword },
  );
}
