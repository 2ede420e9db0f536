import type { AttemptTarget } from "../plan/targets.ts";
import { socketPath } from "../settings/hosts.ts";
import type { Address } from "../transport/transport.ts";

/** Where an attempt dials first, then, if addresses race, the others. */
export function addressesOf(target: AttemptTarget, racing: boolean): readonly Address[] {
  const { host, address, otherAddresses } = target;
  if (host.kind === "unix") return [{ kind: "unix", path: socketPath(host) }];
  const names = [address ?? host.host, ...(racing ? otherAddresses : [])];
  return names.map((name) => ({ kind: "tcp", host: name, port: host.port }));
}
