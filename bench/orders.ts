import type { Place } from "./contenders/contender.ts";
import type { ContenderName } from "./contenders/table.ts";

/** What a worker is told, one line of JSON each. */
export type Order =
  /** First of all. */
  | { readonly do: "load"; readonly contender: ContenderName }
  /** One after the other; answered with {@link Batch}. */
  | {
    readonly do: "batch";
    readonly place: Place;
    readonly count: number;
    readonly withQuery?: boolean;
  }
  /** All at once; answered with {@link Burst}. */
  | { readonly do: "burst"; readonly place: Place; readonly count: number }
  /** Opens and keeps them for a while; answered with {@link Idle}. */
  | { readonly do: "idle"; readonly place: Place; readonly count: number };

/** Sequential connects, in microseconds. */
export interface Batch {
  /** From the call until the session is ready, each. */
  readonly readyUs: readonly number[];
  /** The same with closing as the library does it. */
  readonly totalUs: readonly number[];
  /** Processor time of the process for one, user and system. */
  readonly cpuUs: number;
}

/** Connects at once, in microseconds. */
export interface Burst {
  /** Until all are ready. */
  readonly wallUs: number;
  /** Processor time for all. */
  readonly cpuUs: number;
  /** How often PBKDF2 was called; -1 where that cannot be counted. */
  readonly derivations: number;
}

/** What one idle session holds, in octets. */
export interface Idle {
  /** -1 where there is no such heap. */
  readonly heapOctets: number;
  readonly rssOctets: number;
}
