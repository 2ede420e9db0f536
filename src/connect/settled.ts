import type { GatheredParameters } from "../settings/gather.ts";
import { resolveSettings, type Settings } from "../settings/resolve.ts";
import type { Adapter } from "../transport/transport.ts";
import { chooseAdapter } from "./adapters.ts";
import type { Host } from "./host.ts";
import type { ConnectOptions, Target } from "./options.ts";
import { PasswordFiles } from "./password_file.ts";
import { explicitOf, gather } from "./target.ts";
import { type TlsPolicy, tlsPolicy } from "./tls_request.ts";
import { refuseUnsupported } from "./unsupported.ts";
import { WatchedHost } from "./watched_host.ts";

/** What is settled before anything is dialed. */
export interface Settled {
  readonly settings: Settings;
  /** What TLS must do; undefined if no attempt may use it. */
  readonly tls: TlsPolicy | undefined;
  readonly adapter: Adapter;
  /** Where passwords are looked up. */
  readonly passwordFiles: PasswordFiles;
}

/** What is made of a target and the machine. */
interface Ground {
  readonly gathered: GatheredParameters;
  readonly own: Settled;
}

/** The same, good until the machine changes. */
interface WatchedGround extends Ground {
  readonly host: WatchedHost;
}

/**
 * Settles a target for one connection.
 *
 * @param options What stands beside it.
 * @param host The machine.
 * @throws {ConfigError} The settings are wrong, or cannot be honoured here.
 */
export async function settleOnce(
  target: Target | undefined,
  options: Pick<ConnectOptions, "parameters" | "adapter" | "gss">,
  host: Host,
): Promise<Settled> {
  const { own } = await groundOf(target, options, host, new PasswordFiles(host));
  refuseUnsupported(own.settings, options.gss !== undefined);
  return own;
}

/**
 * Settles a target once, and again whenever a file or an environment variable it was made of has changed. Calls at the
 * same time share the work.
 */
export class Settling {
  readonly #target: Target | undefined;
  readonly #options: Pick<ConnectOptions, "parameters" | "adapter">;
  readonly #host: Host;
  readonly #passwordFiles: PasswordFiles;
  #ground: WatchedGround | undefined;
  #working: Promise<WatchedGround> | undefined;

  /**
   * @param target A connection string, an object, or nothing.
   * @param options What stands beside it for all connections.
   * @param host The machine.
   */
  constructor(
    target: Target | undefined,
    options: Pick<ConnectOptions, "parameters" | "adapter">,
    host: Host,
  ) {
    this.#target = target;
    this.#options = options;
    this.#host = host;
    this.#passwordFiles = new PasswordFiles(host);
  }

  /**
   * What is settled for one connection.
   *
   * @param options Its own run-time parameters, adapter and GSSAPI provider, where it has some.
   * @throws {ConfigError} The settings are wrong, or cannot be honoured here.
   */
  async settle(options: Pick<ConnectOptions, "parameters" | "adapter" | "gss">): Promise<Settled> {
    const { gathered, own } = await this.#current();
    const { parameters, adapter } = options;
    // Nothing else depends on them; hosts stay the same objects, by which others keep what they made of them.
    const settings = parameters === this.#options.parameters
      ? own.settings
      : { ...own.settings, startup: settingsFrom(gathered, parameters).startup };
    refuseUnsupported(settings, options.gss !== undefined);
    return {
      ...own,
      settings,
      adapter: adapter === this.#options.adapter
        ? own.adapter
        : await chooseAdapter(settings, own.tls, adapter),
    };
  }

  /** Forgets all of it, passwords that were looked up too. */
  clear(): void {
    this.#ground = undefined;
    this.#working = undefined;
    this.#passwordFiles.clear();
  }

  async #current(): Promise<WatchedGround> {
    const working = this.#working ??= this.#valid();
    try {
      const ground = await working;
      if (this.#working === working) this.#ground = ground;
      return ground;
    } finally {
      if (this.#working === working) this.#working = undefined;
    }
  }

  async #valid(): Promise<WatchedGround> {
    const ground = this.#ground;
    return ground !== undefined && await ground.host.isUnchanged() ? ground : await this.#make();
  }

  async #make(): Promise<WatchedGround> {
    const host = new WatchedHost(this.#host);
    const ground = await groundOf(this.#target, this.#options, host, this.#passwordFiles);
    return { ...ground, host };
  }
}

async function groundOf(
  target: Target | undefined,
  options: Pick<ConnectOptions, "parameters" | "adapter">,
  host: Host,
  passwordFiles: PasswordFiles,
): Promise<Ground> {
  const gathered = await gather(explicitOf(target), host);
  const settings = settingsFrom(gathered, options.parameters);
  const tls = usesTls(settings) ? await tlsPolicy(settings, host) : undefined;
  const adapter = await chooseAdapter(settings, tls, options.adapter);
  return { gathered, own: { settings, tls, adapter, passwordFiles } };
}

function settingsFrom(
  { parameters, context }: Ground["gathered"],
  runTimeParameters: ConnectOptions["parameters"],
): Settings {
  return resolveSettings(parameters, { ...context, runTimeParameters });
}

/** Whether any attempt may use TLS; a Unix socket never does, whatever sslmode says. */
function usesTls(settings: Settings): boolean {
  return settings.sslmode !== "disable" && settings.hosts.some(({ kind }) => kind === "tcp");
}
