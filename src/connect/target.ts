import { type GatheredParameters, gatherParameters } from "../settings/gather.ts";
import type { HostAnswer, HostRequest } from "../settings/host_request.ts";
import { parametersOf } from "../settings/object_parameters.ts";
import { type ConnectionParameters, parseConnectionString } from "../settings/parse.ts";
import { resolveSettings, type Settings } from "../settings/resolve.ts";
import { type Host, mayRead } from "./host.ts";
import type { Target } from "./options.ts";

/**
 * Makes settings of a target: what it does not say comes from the service file, the environment and the machine.
 *
 * @param target A connection string, an object, or nothing.
 * @param host The machine.
 * @param runTimeParameters Settings of the server to go with StartupMessage.
 * @throws {ConfigError} Naming the keyword that is wrong, and where its value came from.
 */
export async function settingsOf(
  target: Target | undefined,
  host: Host,
  runTimeParameters?: Readonly<Record<string, string>>,
): Promise<Settings> {
  const { parameters, context } = await gather(explicitOf(target), host);
  return resolveSettings(parameters, { ...context, runTimeParameters });
}

/**
 * Completes parameters from the service file and the environment, and says where each was found.
 *
 * @param explicit What the target says.
 * @param host The machine.
 * @throws {ConfigError} The service is not found, its section cannot be read, or a permission is missing.
 */
export async function gather(
  explicit: ConnectionParameters,
  host: Host,
): Promise<GatheredParameters> {
  const environment = host.environmentReader();
  const gathering = gatherParameters(explicit);
  let step = gathering.next();
  while (!step.done) {
    const request = step.value;
    // Most requests are of this kind: waiting for each would take longer than all of them.
    step = gathering.next(
      request.want === "environment"
        ? environment(request.name, request.needed)
        : await answer(request, host),
    );
  }
  return step.value;
}

/**
 * What a target itself says.
 *
 * @throws {ConfigError} It cannot be read.
 */
export function explicitOf(target: Target | undefined): ConnectionParameters {
  if (target === undefined) return {};
  return typeof target === "string" ? parseConnectionString(target) : parametersOf(target);
}

async function answer(
  request: Exclude<HostRequest, { want: "environment" }>,
  host: Host,
): Promise<HostAnswer> {
  switch (request.want) {
    case "platform":
      return host.platform;
    case "home-directory":
      return await host.accountHome(request.needed);
    case "user-name":
      return await host.userName();
    case "socket-directory":
      return await host.socketDirectory();
    case "file":
      return request.needed || mayRead(request.path)
        ? await host.readText(request.path, request.keyword)
        : undefined;
  }
}
