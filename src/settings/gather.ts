import { ConfigError } from "../errors.ts";
import type { HostAnswer, HostRequest } from "./host_request.ts";
import type { Keyword } from "./keywords.ts";
import { isKeyword, KEYWORD_NAMES, SETTING_OF_VARIABLE, VARIABLE_OF } from "./keywords.ts";
import type { Origin, Origins } from "./origin.ts";
import { withOrigins } from "./origin.ts";
import type { ConnectionParameters } from "./parameters.ts";
import type { SettingsContext } from "./resolve.ts";
import { readServiceFile } from "./service_file.ts";

/** Every parameter that is set somewhere, and what else the machine says. */
export interface GatheredParameters {
  /** Compiled defaults are not among them. */
  readonly parameters: ConnectionParameters;
  /** To be handed to `resolveSettings` together with the parameters. */
  readonly context: SettingsContext & { readonly origins: Origins };
}

/** Where PostgreSQL's builds look for the system's service file: Debian's, Red Hat's, PostgreSQL's own. */
const SYSTEM_DIRECTORIES: readonly string[] = [
  "/etc/postgresql-common",
  "/etc/sysconfig/pgsql",
  "/usr/local/pgsql/etc",
];

type Gathering<Result> = Generator<HostRequest, Result, HostAnswer>;

/** Reads an environment variable; the meaning of `needed` stands at {@link HostRequest}. */
type Environment = (name: string, needed: boolean) => string | undefined;

const EXPLICIT: Origin = { from: "explicit" };

/**
 * Completes parameters from the service file, then the environment, as libpq does (fe-connect.c,
 * conninfo_add_defaults). Asks for nothing it does not need: the environment only for keywords that are still unset,
 * files only if a service is named, the account only without a user. An empty value counts as set.
 *
 * Drive it by `next(answer)`; the answers' meaning stands at {@link HostRequest}.
 *
 * @param explicit What the caller gave.
 * @param environment Reads a variable; without it every variable is a request, and there are some forty.
 * @throws {ConfigError} If the service is not found, or its section cannot be read.
 *
 * @example
 * ```ts
 * const gathering = gatherParameters(parseConnectionString("host=db.example"));
 * let step = gathering.next();
 * while (!step.done) step = gathering.next(answer(step.value));
 * const settings = resolveSettings(step.value.parameters, step.value.context);
 * ```
 */
export function* gatherParameters(
  explicit: ConnectionParameters,
  environment?: (name: string, needed: boolean) => string | undefined,
): Generator<HostRequest, GatheredParameters, HostAnswer> {
  const collection = new Collection();
  for (const keyword of Object.keys(explicit)) {
    if (isKeyword(keyword)) collection.add(keyword, explicit[keyword], EXPLICIT);
  }
  yield* addService(collection, environment);
  yield* addEnvironment(collection, environment);
  const { parameters, origins } = collection;
  const user = collection.get("user") ? undefined : yield { want: "user-name" };
  const host = hasNamelessHost(collection) ? yield { want: "socket-directory" } : undefined;
  return {
    parameters,
    context: {
      ...(user !== undefined && { user }),
      ...(host !== undefined && { host }),
      origins,
      environmentSettings: yield* environmentSettings(environment),
    },
  };
}

/** Values with their places; the first value of a keyword stays. */
class Collection {
  readonly parameters: { [K in Keyword]?: string } = {};
  readonly origins: { [K in Keyword]?: Origin } = {};

  /** Whatever somebody may have put into Object.prototype. */
  get(keyword: Keyword): string | undefined {
    return Object.hasOwn(this.parameters, keyword) ? this.parameters[keyword] : undefined;
  }

  add(keyword: Keyword, value: string | undefined, origin: Origin): void {
    if (value === undefined || this.get(keyword) !== undefined) return;
    this.parameters[keyword] = value;
    this.origins[keyword] = origin;
  }
}

function* addService(collection: Collection, read: Environment | undefined): Gathering<void> {
  if (collection.get("service") === undefined) {
    const name = "PGSERVICE";
    const value = yield* variable(name, false, read);
    collection.add("service", value, { from: "environment", name });
  }
  const service = collection.get("service");
  if (service === undefined) return;
  const looked: string[] = [];
  for (const find of [userServiceFile, systemServiceFile]) {
    const file = yield* find(read);
    if (file === undefined) continue;
    looked.push(`"${file.path}"`);
    const entries = readServiceFile(file.text, service, file.path);
    if (entries === undefined) continue;
    for (const { keyword, value, line } of entries) {
      collection.add(keyword, value, { from: "service-file", path: file.path, line });
    }
    return;
  }
  const notFound = new ConfigError(`definition of service "${service}" not found`, {
    keyword: "service",
    hint: looked.length === 0
      ? "There is no service file, PGSERVICEFILE can name one"
      : `There is no such section in ${looked.join(" and ")}`,
  });
  throw withOrigins(notFound, collection.origins);
}

interface FoundFile {
  readonly path: string;
  readonly text: string;
}

function* userServiceFile(read: Environment | undefined): Gathering<FoundFile | undefined> {
  const given = yield* variable("PGSERVICEFILE", true, read);
  if (given !== undefined) {
    const file = given === "" ? undefined : yield* readFile(given, true);
    if (file !== undefined) return file;
    throw new ConfigError(`service file "${given}" not found`, {
      keyword: "service",
      hint: "The environment variable PGSERVICEFILE names it",
    });
  }
  const home = yield { want: "home-directory", needed: true };
  if (home === undefined) return undefined;
  const platform = yield { want: "platform" };
  const folder = platform === "windows" ? `${home}\\postgresql\\` : `${home}/`;
  return yield* readFile(`${folder}.pg_service.conf`, true);
}

function* systemServiceFile(read: Environment | undefined): Gathering<FoundFile | undefined> {
  const given = yield* variable("PGSYSCONFDIR", true, read);
  if (given !== undefined) return yield* readFile(`${given}/pg_service.conf`, true);
  for (const directory of SYSTEM_DIRECTORIES) {
    const file = yield* readFile(`${directory}/pg_service.conf`, false);
    if (file !== undefined) return file;
  }
  return undefined;
}

function* readFile(path: string, needed: boolean): Gathering<FoundFile | undefined> {
  const text = yield { want: "file", path, keyword: "service", needed };
  return text === undefined ? undefined : { path, text };
}

function* addEnvironment(collection: Collection, read: Environment | undefined): Gathering<void> {
  for (const keyword of KEYWORD_NAMES) {
    const name = VARIABLE_OF[keyword];
    // The service was asked for already.
    if (name === undefined || keyword === "service") continue;
    if (collection.get(keyword) !== undefined) continue;
    // As `variable()` does it; a generator for each takes longer than all the reading.
    const value = read ? read(name, false) : yield { want: "environment", name, needed: false };
    if (value !== undefined) collection.add(keyword, value, { from: "environment", name });
    else if (keyword === "sslmode") yield* addOldSslMode(collection, read);
  }
}

function* variable(
  name: string,
  needed: boolean,
  read: Environment | undefined,
): Gathering<string | undefined> {
  return read ? read(name, needed) : yield { want: "environment", name, needed };
}

/** Only a value that begins with 1 says something. */
function* addOldSslMode(collection: Collection, read: Environment | undefined): Gathering<void> {
  const name = "PGREQUIRESSL";
  const value = yield* variable(name, false, read);
  if (value?.startsWith("1")) collection.add("sslmode", "require", { from: "environment", name });
}

/** Run-time settings that only the environment can give (fe-protocol3.c, build_startup_packet). */
function* environmentSettings(
  read: Environment | undefined,
): Gathering<readonly (readonly [string, string])[]> {
  const settings: (readonly [string, string])[] = [];
  for (const [name, setting] of SETTING_OF_VARIABLE) {
    const value = yield* variable(name, false, read);
    if (value !== undefined && value.toLowerCase() !== "default") settings.push([setting, value]);
  }
  return settings;
}

/** Whether the default host is needed: an item of the list names neither host nor address. */
function hasNamelessHost(collection: Collection): boolean {
  const host = collection.get("host") ?? "";
  const hostaddr = collection.get("hostaddr") ?? "";
  // One host is nearly everybody's list.
  if (!host.includes(",") && !hostaddr.includes(",")) return host === "" && hostaddr === "";
  const hosts = host.split(",");
  const addresses = hostaddr.split(",");
  const count = Math.max(hosts.length, addresses.length);
  return Array.from({ length: count }, (_, index) => index)
    .some((index) => !hosts[index] && !addresses[index]);
}
