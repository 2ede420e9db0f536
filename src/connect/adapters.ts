import { ConfigError } from "../errors.ts";
import type { Settings } from "../settings/resolve.ts";
import type { Abilities, Adapter } from "../transport/transport.ts";
import type { TlsPolicy } from "./tls_request.ts";

/** One thing a connection needs of an adapter, and whom to blame if it is missing. */
interface Need {
  readonly keyword: string;
  readonly what: string;
  met(abilities: Abilities): boolean;
}

/**
 * Picks the adapter that can honour the settings exactly, before anything is dialed: the runtime's native sockets
 * where they can, else its `node:net` and `node:tls`.
 *
 * @param settings What was asked for.
 * @param tls What TLS must do; undefined if no attempt may use TLS.
 * @param own An adapter the caller brought; then no other is considered.
 * @throws {ConfigError} `unsupported-setting`, naming the keyword no adapter can honour.
 */
export async function chooseAdapter(
  settings: Settings,
  tls: TlsPolicy | undefined,
  own: Adapter | undefined,
): Promise<Adapter> {
  const needs = [...socketNeeds(settings), ...(tls === undefined ? [] : tlsNeeds(settings, tls))];
  const candidates = own === undefined ? adaptersOfRuntime() : [() => Promise.resolve(own)];
  let unmet: { need: Need; adapter: Adapter } | undefined;
  for (const load of candidates) {
    const adapter = await load();
    const need = needs.find((need) => !need.met(adapter.abilities));
    if (need === undefined) return adapter;
    unmet = { need, adapter };
  }
  throw new ConfigError(
    `Cannot honour "${unmet?.need.keyword}": adapter "${unmet?.adapter.name}" has no way to ${unmet?.need.what}`,
    { code: "unsupported-setting", keyword: unmet?.need.keyword ?? "" },
  );
}

/** Native sockets first. The imports are literal, so that bundlers and `deno check` see them. */
function adaptersOfRuntime(): readonly (() => Promise<Adapter>)[] {
  const node = async (): Promise<Adapter> => (await import("../transport/node.ts")).nodeAdapter;
  if ("Deno" in globalThis) {
    return [async () => (await import("../transport/deno.ts")).denoAdapter, node];
  }
  if ("Bun" in globalThis) {
    return [async () => (await import("../transport/bun.ts")).bunAdapter, node];
  }
  return [node];
}

function socketNeeds(settings: Settings): readonly Need[] {
  return settings.hosts.filter(({ kind }) => kind === "unix").map(({ host }) =>
    host.startsWith("@")
      ? {
        keyword: "host",
        what: "open sockets of the abstract name space",
        met: (abilities: Abilities) => abilities.abstractUnix,
      }
      : {
        keyword: "host",
        what: "open Unix sockets",
        met: (abilities: Abilities) => abilities.unix,
      }
  );
}

function tlsNeeds(settings: Settings, tls: TlsPolicy): readonly Need[] {
  const needs: Need[] = [{
    keyword: "sslmode",
    what: `verify as sslmode "${settings.sslmode}" wants`,
    met: (abilities) => abilities.verify.includes(tls.verify),
  }];
  if (settings.channelBinding !== "disable" && settings.requireAuth.allowed.has("scram-sha-256")) {
    needs.push({
      keyword: "channel_binding",
      what: "show the server's certificate",
      met: (abilities) => abilities.serverCertificate,
    });
  }
  if (tls.roots !== "system") {
    needs.push({
      keyword: "sslrootcert",
      what: "trust given roots and no others",
      met: (abilities) => abilities.exclusiveRoots,
    });
  }
  if (tls.identity !== undefined) {
    needs.push({
      keyword: "sslcert",
      what: "present a client certificate",
      met: (abilities) => abilities.clientCertificate,
    });
  }
  if (!settings.sslsni) {
    needs.push({
      keyword: "sslsni",
      what: "send no server name",
      met: (abilities) => abilities.withoutSni,
    });
  }
  const bounds = [tls.minVersion, tls.maxVersion];
  const keywords = ["ssl_min_protocol_version", "ssl_max_protocol_version"];
  bounds.forEach((bound, index) => {
    // TLS 1.2 is the least any runtime speaks by default, and 1.3 the most there is.
    if (bound === undefined || bound === (index === 0 ? "TLSv1.2" : "TLSv1.3")) return;
    needs.push({
      keyword: keywords[index] ?? "",
      what: `be held to "${bound}"`,
      met: (abilities) => abilities.versionBounds.includes(bound),
    });
  });
  return needs;
}
