import { ConfigError } from "../errors.ts";
import type { ConnectionParameters } from "./parameters.ts";
import { checkRunTimeParameters } from "./run_time_parameters.ts";

/** The greatest body a server takes: MAX_STARTUP_PACKET_LENGTH of pqcomm.h. */
const MAX_BODY_OCTETS = 10_000;

/** What of StartupMessage no connection parameter gives. */
export interface FurtherStartup {
  /** From PGDATESTYLE, PGTZ and PGGEQO. */
  readonly environmentSettings?: readonly (readonly [string, string])[] | undefined;
  /** Given by the caller; they replace an environment's setting of the same name. */
  readonly runTimeParameters?: Readonly<Record<string, string>> | undefined;
}

/**
 * The names and values of StartupMessage in libpq's order (fe-protocol3.c, build_startup_packet), then the caller's.
 *
 * @throws {ConfigError} If client_encoding is one this library does not speak, a run-time parameter may not stand
 *   here, or the message would be longer than a server takes.
 */
export function startupParameters(
  parameters: ConnectionParameters,
  session: { readonly user: string; readonly dbname: string },
  further: FurtherStartup,
): readonly (readonly [string, string])[] {
  // An explicitly empty application_name keeps the fallback away as well.
  const name = parameters.application_name ?? parameters.fallback_application_name;
  const given: (readonly [string, string])[] = [["user", session.user]];
  const add = (key: string, value: string | undefined): void => {
    if (value) given.push([key, value]);
  };
  add("database", session.dbname);
  add("replication", parameters.replication);
  add("options", parameters.options);
  add("application_name", name);
  add("client_encoding", encodingOf(parameters.client_encoding));
  const { environmentSettings, runTimeParameters } = further;
  // As in libpq these are sent even if they are empty.
  if (environmentSettings !== undefined) given.push(...environmentSettings);
  const all = runTimeParameters === undefined ? given : withRunTime(given, runTimeParameters);
  // No UTF-16 unit has more than three octets in UTF-8, so that there is nothing to count as a rule.
  let units = 4 + 1;
  for (const [key, value] of all) units += key.length + value.length + 2;
  if (units * 3 > MAX_BODY_OCTETS) checkBody(all);
  return all;
}

/** The caller's come last, and replace an environment's setting of the same name. */
function withRunTime(
  given: readonly (readonly [string, string])[],
  parameters: Readonly<Record<string, string>>,
): readonly (readonly [string, string])[] {
  const runTime = Object.entries(parameters);
  checkRunTimeParameters(runTime);
  const chosen = new Set(runTime.map(([key]) => key.toLowerCase()));
  return [...given.filter(([key]) => !chosen.has(key)), ...runTime];
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

function checkBody(given: readonly (readonly [string, string])[]): void {
  const octets = bodyOctets(given);
  if (octets <= MAX_BODY_OCTETS) return;
  throw new ConfigError(
    `Cannot send the start-up packet: it has ${octets} octets, ` +
      `but a server takes at most ${MAX_BODY_OCTETS}`,
    { hint: "The longest values may be user, dbname, options or run-time parameters" },
  );
}

/** Version, names and values with their terminators, and the last terminator. */
function bodyOctets(given: readonly (readonly [string, string])[]): number {
  const encoder = new TextEncoder();
  return given.reduce(
    (sum, [key, value]) => sum + encoder.encode(key).length + encoder.encode(value).length + 2,
    4 + 1,
  );
}
