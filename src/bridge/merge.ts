import { ConfigError } from "../errors.ts";
import { isKeyword, type Keyword } from "../settings/keywords.ts";
import type { ConnectionParameters } from "../settings/parameters.ts";
import type { Driver, DriverDefaults } from "./driver.ts";
import { settingsInOptions } from "./options_text.ts";

/** What the target says of the session, and where the rest may come from. */
export interface TargetSays {
  /** What the target itself says. */
  readonly explicit: ConnectionParameters;
  /** The same with what its service says. */
  readonly withService: ConnectionParameters;
  /** The option `parameters` of the bridge. */
  readonly runTime: Readonly<Record<string, string>>;
}

/** What to connect with. */
export interface Merged {
  /** The target's own parameters, and what it left open as the driver wants it. */
  readonly target: ConnectionParameters;
  /** Run-time settings of the server. */
  readonly runTime: Readonly<Record<string, string>>;
}

/** Names of StartupMessage that are parameters of a target. */
const KEYWORD_OF: Readonly<Record<string, Keyword>> = {
  user: "user",
  database: "dbname",
  replication: "replication",
  options: "options",
  application_name: "application_name",
  client_encoding: "client_encoding",
};

/** Keywords whose values may hold secrets of an application, as options may by `-c app.key=...`. */
const NOT_SHOWN: ReadonlySet<Keyword> = new Set(["options"]);

/**
 * Merges a driver's StartupMessage into a target.
 *
 * The target rules. What it leaves open is taken from the driver. What both say must be the same, unless the driver
 * only sends its default: a user, database, application name or options nobody told it.
 *
 * @param driver Who sent it.
 * @param sent The names and values of StartupMessage.
 * @param says The target.
 * @param defaults What the driver sends by default.
 * @throws {ConfigError} If both say something different, naming both; or if the driver was given a parameter of libpq
 *   that it passes on as a run-time setting.
 */
export function mergeStartup(
  driver: Driver,
  sent: readonly (readonly [name: string, value: string])[],
  says: TargetSays,
  defaults: DriverDefaults,
): Merged {
  const own = new Map(sent);
  const userSent = own.get("user");
  const taken: { [K in Keyword]?: string } = {};
  const runTime: Record<string, string> = { ...says.runTime };
  const fixed = runTimeOf(says);
  for (const [name, value] of sent) {
    const keyword = Object.hasOwn(KEYWORD_OF, name) ? KEYWORD_OF[name] : undefined;
    if (keyword === undefined) {
      takeRunTime(driver, name, value, fixed, runTime);
      continue;
    }
    // Drivers send UTF8 whatever they are told, and so do we.
    const isDefault = keyword === "client_encoding" ? isUtf8(value) : value ===
      defaultOf(keyword, defaults, userSent);
    const said = says.withService[keyword];
    if (value === "" || said === value || (said && isDefault)) continue;
    if (said) throw contradiction(driver, keyword, value, said);
    if (keyword === "application_name" && value === driver.ownApplicationName) {
      // An explicit empty name keeps any fallback away, as in libpq.
      if (says.withService.fallback_application_name === undefined) {
        taken.fallback_application_name = value;
      }
    } else if (!isDefault || keyword === "user") taken[keyword] = value;
  }
  checkOptions(driver, taken.options, fixed);
  return { target: { ...says.explicit, ...taken }, runTime };
}

/** A driver whose database is not told takes the user's name for it, as libpq does. */
function defaultOf(
  keyword: Keyword,
  defaults: DriverDefaults,
  userSent: string | undefined,
): string | undefined {
  switch (keyword) {
    case "user":
      return defaults.user;
    case "dbname":
      return defaults.database || userSent;
    case "application_name":
      return defaults.applicationName;
    case "options":
      return defaults.options;
    default:
      return undefined;
  }
}

/** A run-time setting of the target, and where it stands. */
interface Fixed {
  readonly value: string;
  readonly where: string;
}

function runTimeOf(says: TargetSays): ReadonlyMap<string, Fixed> {
  const fixed = new Map<string, Fixed>();
  for (const [name, value] of settingsInOptions(says.withService.options ?? "")) {
    fixed.set(name.toLowerCase(), { value, where: 'in the target\'s "options"' });
  }
  for (const [name, value] of Object.entries(says.runTime)) {
    fixed.set(name.toLowerCase(), { value, where: 'by the bridge\'s option "parameters"' });
  }
  return fixed;
}

function takeRunTime(
  driver: Driver,
  name: string,
  value: string,
  fixed: ReadonlyMap<string, Fixed>,
  runTime: Record<string, string>,
): void {
  // Asks for an extension of the protocol; the bridge answers that there is none.
  if (name.startsWith("_pq_.")) return;
  if (isKeyword(name)) {
    throw new ConfigError(
      `Cannot take "${name}" from the options of ${driver.optionsOf}: ${driver.name} sends it to the server as a run-time setting`,
      { keyword: name, hint: "Say it in the target of the bridge" },
    );
  }
  const said = fixed.get(name.toLowerCase());
  if (said === undefined) runTime[name] = value;
  else if (said.value !== value) throw runTimeContradiction(driver, name, value, said);
}

/** The options a driver is given may set what the target sets otherwise. */
function checkOptions(
  driver: Driver,
  options: string | undefined,
  fixed: ReadonlyMap<string, Fixed>,
): void {
  for (const [name, value] of settingsInOptions(options ?? "")) {
    const said = fixed.get(name.toLowerCase());
    if (said !== undefined && said.value !== value) {
      throw runTimeContradiction(driver, name, value, said);
    }
  }
}

function contradiction(
  driver: Driver,
  keyword: Keyword,
  sent: string,
  said: string,
): ConfigError {
  const both = NOT_SHOWN.has(keyword)
    ? `the options of ${driver.optionsOf} say something else than the target`
    : `the options of ${driver.optionsOf} say "${sent}", the target says "${said}"`;
  return new ConfigError(`Cannot settle on one ${keyword}: ${both}`, {
    keyword,
    hint: "Say it in one place only",
  });
}

function runTimeContradiction(
  driver: Driver,
  name: string,
  sent: string,
  said: Fixed,
): ConfigError {
  // A name with a dot is an application's own setting, which may be a secret.
  const both = name.includes(".")
    ? `the options of ${driver.optionsOf} set it otherwise than ${said.where}`
    : `the options of ${driver.optionsOf} say "${sent}", but it is "${said.value}" ${said.where}`;
  return new ConfigError(`Cannot settle on one ${name}: ${both}`, {
    keyword: "options",
    hint: "Say it in one place only",
  });
}

/** PostgreSQL compares letters and digits only, in any case (pg_char_to_encoding). */
function isUtf8(encoding: string): boolean {
  const plain = encoding.toLowerCase().replace(/[^a-z0-9]/g, "");
  return plain === "utf8" || plain === "unicode";
}
