import { ConfigError } from "../errors.ts";
import type { ConnectionParameters } from "./parameters.ts";
import { wordOf } from "./values.ts";

/** The protocol versions to ask for and to accept, as StartupMessage writes them. */
export interface ProtocolVersions {
  readonly protocolVersion: number;
  readonly minProtocolVersion: number;
}

const VERSION_OF = { "3.0": 0x00030000, "3.2": 0x00030002, "latest": 0x00030002 } as const;

const WORDS: readonly (keyof typeof VERSION_OF)[] = ["3.0", "3.2", "latest"];

/**
 * Reads min_protocol_version and max_protocol_version. Unless told otherwise version 3.0 is asked for, as many servers
 * and poolers know no other; a higher minimum raises that to the latest (libpq 18).
 *
 * @throws {ConfigError} For another version, the empty text too, and if the minimum is above the maximum.
 */
export function resolveProtocolVersions(parameters: ConnectionParameters): ProtocolVersions {
  const min = parameters.min_protocol_version;
  const max = parameters.max_protocol_version;
  const minProtocolVersion = VERSION_OF[wordOf("min_protocol_version", min ?? "3.0", WORDS)];
  const fallback = minProtocolVersion > VERSION_OF["3.0"] ? "latest" : "3.0";
  const protocolVersion = VERSION_OF[wordOf("max_protocol_version", max ?? fallback, WORDS)];
  if (minProtocolVersion > protocolVersion) {
    throw new ConfigError(
      `Cannot use min_protocol_version "${min ?? ""}" with max_protocol_version "${max ?? ""}": ` +
        `the minimum must not be above the maximum`,
      { keyword: "min_protocol_version" },
    );
  }
  return { protocolVersion, minProtocolVersion };
}
