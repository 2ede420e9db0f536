import { now } from "../transport/runtime.ts";
import { circumstancesOf, settledFor } from "./circumstances.ts";
import type { LearnedEndpoint } from "./endpoints.ts";
import { host } from "./host.ts";
import { type ConnectorStatistics, Memory, type Pipelining } from "./memory.ts";
import { openSession } from "./open_session.ts";
import type { ConnectOptions, Target } from "./options.ts";
import type { Session } from "./session.ts";
import { Settling } from "./settled.ts";

/** What all connections of a connector have in common. */
export interface ConnectorOptions extends ConnectOptions {
  /**
   * Whether what a server asked for last time is answered before it asks. `learned`, the default, saves a round trip
   * with SCRAM; a server that has changed its mind costs one connection, which only the report tells. A password
   * callback is asked while it dials. `off` does everything in turn.
   */
  readonly pipelining?: Pipelining;
  /**
   * Whether ClientKey and ServerKey of SCRAM are kept, so that PBKDF2 runs once and not for every connection; they are
   * unless this is `false`. The password itself is never kept by this.
   */
  readonly scramKeyCache?: boolean;
}

/**
 * Makes a connector: connections to one place, of which later ones are spared what the first one learned.
 *
 * @param target Where to and how; without it the environment and libpq's defaults.
 * @param options What a string cannot say, for all connections.
 *
 * @example
 * ```ts
 * using connector = createConnector("postgres://app@db.example/app?sslmode=verify-full&sslrootcert=system", {
 *   password: () => fetchToken(),
 * });
 * const session = await connector.connect({ signal: AbortSignal.timeout(5_000) });
 * ```
 */
export function createConnector(target?: Target, options: ConnectorOptions = {}): Connector {
  return new Connector(target, options);
}

/**
 * Opens sessions to one place, and keeps what makes the next one cheaper: settings, until a file or variable they were
 * made of changes; SCRAM keys; and what every endpoint asked for. No print of it shows a secret.
 */
export class Connector implements Disposable {
  readonly #options: ConnectOptions;
  readonly #settling: Settling;
  readonly #memory: Memory;

  // As in `Secret`: what a runtime looks up on the object it prints.
  static {
    for (const name of ["nodejs.util.inspect.custom", "Deno.customInspect"]) {
      Object.defineProperty(this.prototype, Symbol.for(name), {
        value(this: Connector): string {
          return `Connector ${JSON.stringify(this)}`;
        },
      });
    }
  }

  /**
   * The same as {@link createConnector}.
   *
   * @param target Where to and how.
   * @param options What a string cannot say, for all connections.
   */
  constructor(target?: Target, options: ConnectorOptions = {}) {
    const { pipelining = "learned", scramKeyCache = true, ...shared } = options;
    this.#options = shared;
    this.#settling = new Settling(target, shared, host);
    this.#memory = new Memory(pipelining, scramKeyCache);
  }

  /**
   * Opens a session; errors are those of the function `connect()`.
   *
   * @param options What is different for this connection: goes before the connector's own, but for what is undefined.
   * @returns The open session; its owner closes it.
   */
  async connect(options?: ConnectOptions): Promise<Session> {
    const began = now();
    const all = options === undefined ? this.#options : { ...this.#options, ...given(options) };
    const settled = await settledFor(all, () => this.#settling.settle(all));
    return await openSession(await circumstancesOf(settled, all, this.#memory, began), began);
  }

  /** What was learned, endpoint by endpoint. */
  get learned(): readonly LearnedEndpoint[] {
    return this.#memory.endpoints.list();
  }

  /** What was counted since the connector was made. */
  get statistics(): ConnectorStatistics {
    return this.#memory.statistics;
  }

  /** Forgets settings, passwords of files, SCRAM keys and everything learned. The next connection begins anew. */
  clear(): void {
    this.#settling.clear();
    this.#memory.clear();
  }

  /** The same as `clear()`, for `using`. Sessions stay open: they are their owners'. */
  [Symbol.dispose](): void {
    this.clear();
  }

  /** What can be told: what was learned and counted. */
  toJSON(): {
    readonly learned: readonly LearnedEndpoint[];
    readonly statistics: ConnectorStatistics;
  } {
    return { learned: this.learned, statistics: this.statistics };
  }
}

/** What is undefined is as if it were absent, as in a target. */
function given(options: ConnectOptions): ConnectOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
