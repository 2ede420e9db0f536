import { ConfigError } from "../errors.ts";
import type { ConnectionParameters } from "./parameters.ts";

/** The greatest body a server takes: MAX_STARTUP_PACKET_LENGTH of pqcomm.h. */
const MAX_BODY_OCTETS = 10_000;

/**
 * The names and values of StartupMessage in libpq's order (fe-protocol3.c, build_startup_packet).
 *
 * @throws {ConfigError} If client_encoding is one this library does not speak, or the message would be longer than a
 *   server takes.
 */
export function startupParameters(
  parameters: ConnectionParameters,
  user: string,
  dbname: string,
): readonly (readonly [string, string])[] {
  // An explicitly empty application_name keeps the fallback away as well.
  const name = parameters.application_name ?? parameters.fallback_application_name;
  const all: readonly (readonly [string, string | undefined])[] = [
    ["user", user],
    ["database", dbname],
    ["replication", parameters.replication],
    ["options", parameters.options],
    ["application_name", name],
    ["client_encoding", encodingOf(parameters.client_encoding)],
  ];
  const given = all.flatMap(([key, value]): (readonly [string, string])[] =>
    value === undefined || value === "" ? [] : [[key, value]]
  );
  const octets = bodyOctets(given);
  if (octets > MAX_BODY_OCTETS) {
    throw new ConfigError(
      `Cannot send the start-up packet: it has ${octets} octets, ` +
        `but a server takes at most ${MAX_BODY_OCTETS}`,
      { hint: "The longest values are user, dbname, options or application_name" },
    );
  }
  return given;
}

/**
 * libpq leaves the encoding to the database unless told; here it is always asked for, as JavaScript text is Unicode and
 * a LATIN1 database would otherwise send octets that are none.
 */
function encodingOf(text: string | undefined): string {
  if (text === undefined || text === "" || text === "auto") return "UTF8";
  // PostgreSQL compares letters and digits only, in any case (pg_char_to_encoding).
  const name = text.toLowerCase().replace(/[^a-z0-9]/g, "");
  if (name !== "utf8" && name !== "unicode") {
    throw new ConfigError(
      `Cannot use client_encoding "${text}": text is read and written as UTF-8 only, ` +
        `so it must be "UTF8" or "auto"`,
      { keyword: "client_encoding" },
    );
  }
  return text;
}

/** Version, names and values with their terminators, and the last terminator. */
function bodyOctets(given: readonly (readonly [string, string])[]): number {
  const encoder = new TextEncoder();
  return given.reduce(
    (sum, [key, value]) => sum + encoder.encode(key).length + encoder.encode(value).length + 2,
    4 + 1,
  );
}
