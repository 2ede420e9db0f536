import { type GatheredParameters, gatherParameters } from "../settings/gather.ts";
import type { HostAnswer, HostRequest } from "../settings/host_request.ts";
import { parametersOf } from "../settings/object_parameters.ts";
import { type ConnectionParameters, parseConnectionString } from "../settings/parse.ts";
import { type Host, mayRead } from "./host.ts";
import type { Target } from "./options.ts";

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
  const gathering = gatherParameters(explicit, host.environmentReader());
  let step = gathering.next();
  while (!step.done) step = gathering.next(await answer(step.value, host));
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

async function answer(request: HostRequest, host: Host): Promise<HostAnswer> {
  switch (request.want) {
    case "platform":
      return host.platform;
    case "environment":
      return host.environmentReader()(request.name, request.needed);
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
