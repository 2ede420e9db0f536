import { type Connector, createConnector } from "../connect/connector.ts";
import { host } from "../connect/host.ts";
import { LruMap } from "../connect/lru.ts";
import type { ConnectOptions, Target } from "../connect/options.ts";
import { explicitOf, gather } from "../connect/target.ts";
import { ConfigError } from "../errors.ts";
import { formatConnectionString } from "../settings/format_connection_string.ts";
import type { Keyword } from "../settings/keywords.ts";
import type { ConnectionParameters } from "../settings/parameters.ts";
import type { Transport } from "../transport/transport.ts";
import type { NoticeFields } from "../wire/notice.ts";
import type { StartupMessage } from "../wire/startup.ts";
import { cancellerOf, issueKey } from "./cancel_keys.ts";
import type { Driver } from "./driver.ts";
import { type Merged, mergeStartup } from "./merge.ts";
import type { BridgeOptions } from "./options.ts";
import { encodeWelcome } from "./welcome.ts";

/** More users, databases and settings than one pool has. */
const MAX_CONNECTORS = 16;

/** An open session as a driver takes it over. */
export interface Handover {
  readonly transport: Transport;
  /** What the driver reads first. */
  readonly welcome: Uint8Array;
  /** Ends it: forgets the key, releases the socket. */
  close(): void;
}

/** Where the connections of one bridge come from. */
export class Source {
  readonly #driver: Driver;
  readonly #explicit: ConnectionParameters;
  readonly #options: BridgeOptions;
  /** By what the driver adds to the target; all connections of a pool add the same. */
  readonly #connectors = new LruMap<Connector>(MAX_CONNECTORS, (connector) => connector.clear());

  /**
   * @param driver Who will take the sessions.
   * @param target Where to and how.
   * @param options What a target cannot say.
   * @throws {ConfigError} If the target cannot be read.
   */
  constructor(driver: Driver, target: Target | undefined, options: BridgeOptions) {
    this.#driver = driver;
    this.#explicit = explicitOf(target);
    this.#options = options;
  }

  /** Opens a session for a driver that sent this. */
  async open(startup: StartupMessage, signal: AbortSignal): Promise<Handover> {
    const merged = await this.#merge(startup);
    const notices: NoticeFields[] = [];
    const session = await this.#connectorFor(merged.target).connect({
      signal,
      parameters: merged.runTime,
      onNotice: (notice) => void notices.push(notice),
    });
    const { transport, facts, leftover } = session.detach();
    try {
      this.#options.onSession?.(facts, session.report);
    } catch (error) {
      transport.close();
      throw error;
    }
    const { processId } = facts;
    const key = processId === undefined ? undefined : issueKey(processId, session);
    const { secretKey } = key ?? {};
    return {
      transport,
      welcome: encodeWelcome({ startup, facts, secretKey, notices, leftover }),
      close(): void {
        key?.forget();
        transport.close();
      },
    };
  }

  /** Brings a cancel to the server the key is for; an unknown key is ignored, as servers do. */
  async cancel(processId: number, secretKey: Uint8Array, signal: AbortSignal): Promise<void> {
    await cancellerOf(processId, secretKey)?.cancel({ signal });
  }

  /** The error for a driver that wants encryption of its own. */
  ownTls(asked: string): ConfigError {
    const { name, optionsOf } = this.#driver;
    return new ConfigError(
      `Cannot hand a session to ${name}: it asks for encryption of its own by ${asked}, ` +
        "but the bridge encrypts as the target says",
      {
        keyword: "sslmode",
        hint: `Of ${optionsOf}: ${this.#driver.tlsCulprits(environment()).join("; ")}`,
      },
    );
  }

  #connectorFor(parameters: ConnectionParameters): Connector {
    const target = formatConnectionString(parameters, { style: "keyword", withSecrets: true });
    let connector = this.#connectors.get(target);
    if (connector === undefined) {
      connector = createConnector(target, connectOptions(this.#options));
      this.#connectors.set(target, connector);
    }
    return connector;
  }

  async #merge(startup: StartupMessage): Promise<Merged> {
    // The driver's user may fill the gap, so the account is not looked up here.
    const machine = { ...host, userName: () => Promise.resolve("") };
    const { parameters, context } = await gather(this.#explicit, machine);
    const withService: { [K in Keyword]?: string } = {};
    for (const [keyword, value] of Object.entries(parameters) as [Keyword, string][]) {
      if (context.origins[keyword]?.from !== "environment") withService[keyword] = value;
    }
    const says = {
      explicit: this.#explicit,
      withService,
      runTime: this.#options.parameters ?? {},
    };
    return mergeStartup(
      this.#driver,
      startup.parameters,
      says,
      this.#driver.defaults(environment()),
    );
  }
}

/** Without the bridge's own option, which connect() does not know. */
function connectOptions({ onSession: _, ...options }: BridgeOptions): ConnectOptions {
  return options;
}

/** What may not be read counts as unset, without a prompt. */
function environment(): (name: string) => string | undefined {
  const read = host.environmentReader();
  return (name) => read(name, false);
}
