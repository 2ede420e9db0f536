import { deriveScramKeys } from "./derive.ts";
import { EndpointMemory } from "./endpoints.ts";
import { ScramKeyCache } from "./scram_key_cache.ts";

/** Whether what was learned of an endpoint lets its answer leave before it asks. */
export type Pipelining = "learned" | "off";

/** What a connector counts. */
export interface ConnectorStatistics {
  /** Calls of `connect()` that gave a session. */
  readonly sessions: number;
  /** Sessions whose SASLInitialResponse left together with StartupMessage. */
  readonly earlySasl: number;
  /** Sessions whose first query left before the server was ready. */
  readonly earlyQueries: number;
  /** Servers that did not ask for what they asked for last time; each cost one more connection. */
  readonly wrongGuesses: number;
  /** Runs of PBKDF2. */
  readonly keyDerivations: number;
  /** SCRAM keys that are held. */
  readonly keysHeld: number;
}

/** What connections learn from those before them. */
export class Memory {
  readonly endpoints: EndpointMemory;
  readonly keys: ScramKeyCache;
  readonly pipelining: Pipelining;
  readonly #counts = { sessions: 0, earlySasl: 0, earlyQueries: 0, wrongGuesses: 0 };

  /**
   * @param pipelining Whether knowledge is used before it is confirmed.
   * @param keepsKeys Whether SCRAM keys are kept.
   * @param endpoints How many endpoints are remembered at most; 0 remembers none.
   */
  constructor(pipelining: Pipelining, keepsKeys: boolean, endpoints?: number) {
    this.pipelining = pipelining;
    this.endpoints = new EndpointMemory(endpoints);
    this.keys = new ScramKeyCache(deriveScramKeys, keepsKeys ? undefined : 0);
  }

  /** Of one connection, whose hosts may share a secret: standbys have the salts of their primary. */
  static ofOne(): Memory {
    return new Memory("off", true, 0);
  }

  /** Counts one of what happens. */
  count(what: "sessions" | "earlySasl" | "earlyQueries" | "wrongGuesses"): void {
    this.#counts[what] += 1;
  }

  get statistics(): ConnectorStatistics {
    return {
      ...this.#counts,
      keyDerivations: this.keys.derivations,
      keysHeld: this.keys.size,
    };
  }

  /** Forgets everything learned, all keys among it. Counts go on. */
  clear(): void {
    this.endpoints.clear();
    this.keys.clear();
  }
}
