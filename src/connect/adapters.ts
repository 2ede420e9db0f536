import type { HostEntry } from "../settings/hosts.ts";
import type { Settings } from "../settings/resolve.ts";
import {
  type UnmetNeed,
  unmetSocketNeed,
  unmetTlsNeed,
  unsupportedBy,
} from "../transport/requests.ts";
import { ON_BUN, ON_DENO } from "../transport/runtime.ts";
import type { Abilities, Adapter, SocketOptions } from "../transport/transport.ts";
import { type TlsPolicy, tlsRequestFor } from "./tls_request.ts";

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
  const candidates = own === undefined ? ADAPTERS : [() => Promise.resolve(own)];
  let refusal: Error | undefined;
  for (const load of candidates) {
    const adapter = await load();
    const need = unmetNeed(adapter.abilities, settings, tls);
    if (need === undefined) return adapter;
    refusal = unsupportedBy(adapter.name, need);
  }
  throw refusal ?? new TypeError("There is no adapter for this runtime");
}

/** What the settings tell a TCP socket. */
export function socketOptionsOf(settings: Settings): SocketOptions {
  const { keepalives, keepalivesIdleS, keepalivesIntervalS, keepalivesCount } = settings;
  return {
    keepAlive: keepalives
      ? { idleS: keepalivesIdleS, intervalS: keepalivesIntervalS, count: keepalivesCount }
      : undefined,
    userTimeoutMs: settings.tcpUserTimeoutMs,
  };
}

/** Loaded once: asking the runtime for a module it has takes a twentieth of a connection's processor time. */
function once(load: () => Promise<Adapter>): () => Promise<Adapter> {
  let loaded: Promise<Adapter> | undefined;
  return () => loaded ??= load();
}

/** Native sockets first. The imports are literal, so that bundlers and `deno check` see them. */
const ADAPTERS: readonly (() => Promise<Adapter>)[] = [
  ...(ON_DENO
    ? [once(async () => (await import("../transport/deno.ts")).denoAdapter)]
    : ON_BUN
    ? [once(async () => (await import("../transport/bun.ts")).bunAdapter)]
    : []),
  once(async () => (await import("../transport/node.ts")).nodeAdapter),
];

/** The first thing the settings need of any host that these abilities do not cover. */
function unmetNeed(
  abilities: Abilities,
  settings: Settings,
  tls: TlsPolicy | undefined,
): UnmetNeed | undefined {
  for (const host of settings.hosts) {
    const need = host.kind === "unix"
      ? unmetUnixNeed(abilities, host)
      : unmetSocketNeed(abilities, socketOptionsOf(settings)) ??
        (tls && unmetTlsNeed(abilities, tlsRequestFor(tls, host, settings))) ??
        (tls && unmetBindingNeed(abilities, settings));
    if (need !== undefined) return need;
  }
  return undefined;
}

function unmetUnixNeed(abilities: Abilities, host: HostEntry): UnmetNeed | undefined {
  const isAbstract = host.host.startsWith("@");
  if (isAbstract ? abilities.abstractUnix : abilities.unix) return undefined;
  const kind = isAbstract ? "sockets of the abstract name space" : "Unix sockets";
  return { keyword: "host", problem: `${kind} cannot be opened` };
}

/** SCRAM is bound to the channel wherever it can be, as libpq does, unless that is switched off. */
function unmetBindingNeed(abilities: Abilities, settings: Settings): UnmetNeed | undefined {
  const wantsBinding = settings.channelBinding !== "disable" &&
    settings.requireAuth.allowed.has("scram-sha-256");
  return wantsBinding && !abilities.serverCertificate
    ? { keyword: "channel_binding", problem: "the server's certificate is not shown" }
    : undefined;
}
