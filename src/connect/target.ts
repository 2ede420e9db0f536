import { ConfigError } from "../errors.ts";
import { type ConnectionParameters, parseConnectionString } from "../settings/parse.ts";
import { resolveSettings, type Settings } from "../settings/resolve.ts";
import type { Host } from "./host.ts";
import type { Target, TargetObject } from "./options.ts";

/** Where PostgreSQL's own builds put the Unix socket (DEFAULT_PGSOCKET_DIR); Windows has none by default. */
const DEFAULT_SOCKET_DIRECTORY = "/tmp";

/**
 * Makes settings of a target.
 *
 * @throws {ConfigError} Naming the keyword that is wrong.
 */
export async function settingsOf(target: Target | undefined, host: Host): Promise<Settings> {
  const parameters = parametersOf(target);
  const user = parameters.user === undefined || parameters.user === ""
    ? await host.userName()
    : parameters.user;
  return resolveSettings(parameters, { user, host: defaultHost() });
}

function parametersOf(target: Target | undefined): ConnectionParameters {
  if (target === undefined) return {};
  return typeof target === "string" ? parseConnectionString(target) : fromObject(target);
}

function fromObject(target: TargetObject): ConnectionParameters {
  // An empty value is as good as none here, but not in a string (libpq: conninfo_array_parse).
  const entries = Object.entries(target).flatMap(([keyword, value]) =>
    value === undefined || value === "" ? [] : [[keyword, asText(keyword, value)] as const]
  );
  return Object.fromEntries(entries) as ConnectionParameters;
}

/** libpq knows text only: `true` and `false` are its "1" and "0". */
function asText(keyword: string, value: unknown): string {
  switch (typeof value) {
    case "string":
      return value;
    case "boolean":
      return value ? "1" : "0";
    case "number":
      if (Number.isSafeInteger(value)) return String(value);
  }
  throw new ConfigError(
    `Cannot use the value of "${keyword}": it must be a text, a whole number or a boolean`,
    { keyword },
  );
}

function defaultHost(): string {
  const { process } = globalThis as unknown as { process?: { platform: string } };
  return process?.platform === "win32" ? "localhost" : DEFAULT_SOCKET_DIRECTORY;
}
