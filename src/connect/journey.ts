import { type AttemptReport, ConfigError, ConnectionError, PgHandshakeError } from "../errors.ts";
import { ConnectError } from "./connect_error.ts";
import { WrongGuess } from "../handshake/early.ts";
import { ConnectionPlan } from "../plan/attempts.ts";
import type { AttemptTarget, ResolveTarget } from "../plan/targets.ts";
import type { Chance } from "../plan/shuffle.ts";
import type { Settings } from "../settings/resolve.ts";
import type { Address } from "../transport/transport.ts";
import { TokenWanted } from "../handshake/token_wanted.ts";
import { now } from "../transport/runtime.ts";
import { Clock } from "./clock.ts";
import type { DialFailure } from "./dial.ts";
import { addressesOf } from "./dialed_addresses.ts";
import type { Circumstances, Failure } from "./establish.ts";
import { NameLookup } from "./name_lookup.ts";
import { drawChance } from "./node_crypto.ts";

/** What a journey ends with, if it ends without a session. */
export interface JourneyEnd {
  readonly error: PgHandshakeError | ConnectError;
  /** The last attempt's failure; undefined if none was made. */
  readonly last: Failure | undefined;
}

/** What a journey must know of an attempt that succeeded. */
export interface Arrival {
  readonly route: { readonly address: Address };
  /** Addresses that were dialed before the one that answered. */
  readonly undialed: readonly DialFailure[];
}

/** Makes one attempt; leaves no socket behind when it fails. */
export type Attempting<Success extends Arrival> = (
  target: AttemptTarget,
  circumstances: Circumstances,
  clock: Clock,
) => Promise<Success | Failure>;

/** The way through a plan: resolves and attempts until one attempt succeeds or nothing is left. */
export class Journey<Success extends Arrival> {
  readonly #circumstances: Circumstances;
  readonly #attempting: Attempting<Success>;
  readonly #plan: ConnectionPlan;
  readonly #clocks: Clocks;
  /** undefined where the runtime looks up while it dials. */
  readonly #lookup: NameLookup | undefined;
  readonly #attempts: AttemptReport[] = [];

  /**
   * @param circumstances What stays the same over all attempts.
   * @param attempting Makes one; `establish` for a session.
   */
  constructor(circumstances: Circumstances, attempting: Attempting<Success>) {
    this.#attempting = attempting;
    const { settings, options, gss } = circumstances;
    this.#circumstances = circumstances;
    const { hosts, sslmode, sslnegotiation, targetSessionAttrs } = settings;
    this.#plan = new ConnectionPlan({
      hosts,
      sslmode,
      sslnegotiation,
      targetSessionAttrs,
      gss,
      chance: settings.loadBalanceHosts === "random" ? randomBelow : undefined,
      sendsApplicationName: settings.startup.some(([name]) => name === "application_name"),
    });
    const lookUp = options.resolve ?? circumstances.adapter.resolve;
    this.#lookup = lookUp && new NameLookup(lookUp);
    this.#clocks = new Clocks(options.signal, settings.connectTimeoutMs);
  }

  /** Every attempt so far, in order. */
  get attempts(): readonly AttemptReport[] {
    return this.#attempts;
  }

  /** Goes the way to its end. Leaves no timer and no socket behind but the session's. */
  async run(): Promise<Success | JourneyEnd> {
    const { options, emit } = this.#circumstances;
    let last: Failure | undefined;
    try {
      for (let target = this.#plan.next(); target !== undefined; target = this.#plan.next()) {
        if (target.do === "resolve") {
          await this.#resolve(target);
          continue;
        }
        const result = await this.#attempt(target);
        if (!("error" in result)) return result;
        emit?.({ type: "failed", error: result.error });
        last = result;
        // Settings that cannot be honoured, and the caller's own signal, end everything.
        if (options.signal?.aborted === true || result.error instanceof ConfigError) break;
        this.#plan.failed(result.outcome);
      }
    } finally {
      this.#clocks.stop();
    }
    return { error: failureOf(this.#attempts), last };
  }

  async #attempt(target: AttemptTarget): Promise<Success | Failure> {
    const { emit, adapter } = this.#circumstances;
    const started = now();
    const { host, encryption } = target;
    const place = { host: host.host, port: host.port, encryption };
    const [first] = addressesOf(target, false);
    emit?.({ type: "attempt", ...place, address: textOf(first), adapter: adapter.name });
    const result = await this.#beside(target);
    const durationMs = now() - started;
    for (const { address, error } of result.undialed) {
      const { phase } = error;
      this.#attempts.push({ ...place, address: textOf(address), phase, durationMs, error });
    }
    if (!("error" in result)) {
      // Kept as long as the session: in one piece it is smaller.
      this.#attempts.push({
        host: host.host,
        port: host.port,
        encryption,
        address: textOf(result.route.address),
        phase: "ready",
        durationMs,
        error: undefined,
      });
      return result;
    }
    const { error } = result;
    // The error of a socket that did not open stands in the report already.
    if (!result.undialed.some((one) => one.error === error)) {
      const address = textOf(result.address ?? first);
      this.#attempts.push({ ...place, address, phase: error.phase, durationMs, error });
    }
    if (result.address?.kind === "tcp" && target.otherAddresses.length > 0) {
      this.#plan.dialed(result.address.host);
      this.#clocks.dialed(result.address.host);
    }
    return result;
  }

  /** Makes the attempt; one that takes long leaves time to look up the name of the next host. */
  async #beside(target: AttemptTarget): Promise<Success | Failure> {
    const { upcoming } = this.#plan;
    const stop = upcoming && this.#lookup?.foresee(upcoming);
    try {
      return await this.#attempting(target, this.#circumstances, this.#clocks.of(target));
    } finally {
      stop?.();
    }
  }

  async #resolve(target: ResolveTarget): Promise<void> {
    const { host, port } = target.host;
    const { options, emit } = this.#circumstances;
    const lookup = this.#lookup;
    if (lookup === undefined) {
      this.#plan.resolved([host]);
      return;
    }
    const started = now();
    const clock = new Clock(options.signal, undefined);
    try {
      const addresses = await clock.race(lookup.addressesOf(target.host), "resolve");
      emit?.({ type: "resolved", host, addresses });
      this.#plan.resolved(addresses);
    } catch (error) {
      if (!(error instanceof PgHandshakeError)) throw error;
      emit?.({ type: "failed", error });
      const durationMs = now() - started;
      const phase = "resolve";
      this.#attempts.push({
        host,
        address: host,
        port,
        encryption: "plain",
        phase,
        durationMs,
        error,
      });
      const notFound = error instanceof ConnectionError && error.code === "name-not-found";
      this.#plan.failed({
        phase,
        error: notFound ? "resolve" : "other",
        tlsInUse: false,
        credentialsSent: false,
        sawAuthRequest: false,
      });
    } finally {
      clock.stop();
    }
  }
}

/** connect_timeout runs per address and is not started anew for another encryption of the same address (libpq). */
class Clocks {
  readonly #signal: AbortSignal | undefined;
  readonly #timeoutMs: Settings["connectTimeoutMs"];
  #place: Pick<AttemptTarget, "host" | "address"> | undefined;
  #current: Clock | undefined;

  constructor(signal: AbortSignal | undefined, timeoutMs: Settings["connectTimeoutMs"]) {
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
  }

  /** The clock of an address. */
  of(target: AttemptTarget): Clock {
    const { host, address } = target;
    // By identity: a host that is listed twice has two chances.
    const isSame = this.#place?.host === host && this.#place.address === address;
    if (this.#current !== undefined && isSame) return this.#current;
    this.stop();
    this.#place = { host, address };
    return this.#current = new Clock(this.#signal, this.#timeoutMs);
  }

  /** The present clock is that of this address: it won the race. */
  dialed(address: string): void {
    if (this.#place !== undefined) this.#place = { ...this.#place, address };
  }

  /** Releases the clock of the last address. */
  stop(): void {
    this.#current?.stop();
  }
}

function textOf(address: Address | undefined): string {
  if (address === undefined) return "";
  return address.kind === "unix" ? address.path : address.host;
}

/** Uniform over 32 bits; lists are far too short for the remainder to matter. */
const randomBelow: Chance = (below) => {
  const [drawn = 0] = new Uint32Array(drawChance(new Uint8Array(4)).buffer);
  return Math.floor((drawn / 2 ** 32) * below);
};

/**
 * One attempt throws its own error; several throw them all. What was guessed and began anew is one attempt, and so is
 * what only asked for the source of tokens.
 */
function failureOf(attempts: readonly AttemptReport[]): PgHandshakeError | ConnectError {
  const [only, ...others] = attempts.filter(({ error }) =>
    !(error instanceof WrongGuess || error instanceof TokenWanted)
  );
  if (only?.error === undefined || others.length > 0) return new ConnectError(attempts);
  Object.defineProperty(only.error, "attempts", {
    value: attempts,
    enumerable: false,
    // A callback may throw one error in two connects.
    configurable: true,
  });
  return only.error;
}
