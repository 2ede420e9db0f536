/** What a connector makes of a target before it dials, without the rest. */
import type { Host } from "../../src/connect/host.ts";
import type { Target } from "../../src/connect/options.ts";
import { explicitOf, gather } from "../../src/connect/target.ts";
import { resolveSettings, type Settings } from "../../src/settings/resolve.ts";

/** The settings of a target on this machine, with run-time parameters. */
export async function settingsOf(
  target: Target | undefined,
  host: Host,
  runTimeParameters?: Readonly<Record<string, string>>,
): Promise<Settings> {
  const { parameters, context } = await gather(explicitOf(target), host);
  return resolveSettings(parameters, { ...context, runTimeParameters });
}
