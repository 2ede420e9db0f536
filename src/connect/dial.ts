import { PgHandshakeError } from "../errors.ts";
import type { Adapter, Address, SocketOptions, Transport } from "../transport/transport.ts";
import type { Clock } from "./clock.ts";

/** How long an address is given before the next is dialed beside it (RFC 8305 section 5, "Connection Attempt Delay"). */
const STAGGER_MS = 250;

/** An address that could not be dialed. */
export interface DialFailure {
  readonly address: Address;
  readonly error: PgHandshakeError;
}

/** What dialing came to: the socket that was first to open, if any did, and what failed before it. */
export interface DialResult {
  readonly opened: { readonly transport: Transport; readonly address: Address } | undefined;
  readonly failures: readonly DialFailure[];
}

/**
 * Opens a socket to one address, or to the first of several that answers, dialed one after the other 250 ms apart
 * (RFC 8305). Sockets that come too late are closed before anything is sent on them.
 *
 * @param addresses At least one, in the order to try them.
 * @param clock Bounds all of it.
 * @param options What to tell each socket.
 * @throws {ConnectionError} `timeout` or `aborted` if the clock has run out before; if it does so meanwhile, that is what
 *   the addresses fail with that have not answered.
 */
export async function dial(
  adapter: Adapter,
  addresses: readonly Address[],
  clock: Clock,
  options: SocketOptions,
): Promise<DialResult> {
  if (clock.expired) throw clock.error("dial");
  const [only, ...others] = addresses;
  if (only !== undefined && others.length === 0 && !clock.bounded) {
    return await dialOne(adapter, only, options);
  }
  const race = new Race(adapter, addresses, options);
  const release = clock.onExpire(() => race.stop());
  try {
    const result = await race.run();
    if (!clock.expired) return result;
    result.opened?.transport.close();
    // One that answers at that moment comes too late.
    const late = result.opened === undefined ? race.unanswered : [result.opened.address];
    // Its caller's own signal ends everything, whatever else was being dialed; it is told once.
    const told = clock.aborted ? late.slice(0, 1) : late;
    const failures = told.map((address) => ({ address, error: clock.error("dial") }));
    return { opened: undefined, failures: [...result.failures, ...failures] };
  } finally {
    release();
  }
}

/** The usual case, which nothing can cut short. */
async function dialOne(
  adapter: Adapter,
  address: Address,
  options: SocketOptions,
): Promise<DialResult> {
  try {
    const transport = await adapter.dial(address, undefined, options);
    return { opened: { transport, address }, failures: [] };
  } catch (error) {
    if (!(error instanceof PgHandshakeError)) throw error;
    return { opened: undefined, failures: [{ address, error }] };
  }
}

/** Dials addresses beside each other until one answers or all have failed. */
class Race {
  readonly #adapter: Adapter;
  readonly #addresses: readonly Address[];
  readonly #options: SocketOptions;
  readonly #dialing = new Map<AbortController, Address>();
  readonly #failures: DialFailure[] = [];
  readonly #done: PromiseWithResolvers<DialResult> = withResolvers();
  #next = 0;
  #over = false;
  #unanswered: readonly Address[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(adapter: Adapter, addresses: readonly Address[], options: SocketOptions) {
    this.#adapter = adapter;
    this.#addresses = addresses;
    this.#options = options;
  }

  run(): Promise<DialResult> {
    this.#dialNext();
    return this.#done.promise;
  }

  /** The addresses that were being dialed when the race was stopped. */
  get unanswered(): readonly Address[] {
    return this.#unanswered;
  }

  /** Gives up all sockets that are not open yet. */
  stop(): void {
    if (!this.#over) this.#unanswered = [...this.#dialing.values()];
    this.#over = true;
    this.#clearTimer();
    for (const one of this.#dialing.keys()) one.abort();
    this.#done.resolve({ opened: undefined, failures: this.#failures });
  }

  #clearTimer(): void {
    // On Deno merely asking for clearTimeout takes 12 ms (transport/runtime.ts).
    if (this.#timer !== undefined) clearTimeout(this.#timer);
  }

  #dialNext(): void {
    this.#clearTimer();
    const address = this.#addresses[this.#next];
    if (address === undefined || this.#over) return;
    this.#next += 1;
    const controller = new AbortController();
    this.#dialing.set(controller, address);
    this.#adapter.dial(address, controller.signal, this.#options).then(
      (transport) => this.#onOpen(controller, { transport, address }),
      (error) => this.#onFailure(controller, address, error),
    );
    if (this.#next < this.#addresses.length) {
      this.#timer = setTimeout(() => this.#dialNext(), STAGGER_MS);
    }
  }

  #onOpen(controller: AbortController, opened: NonNullable<DialResult["opened"]>): void {
    this.#dialing.delete(controller);
    if (this.#over) {
      opened.transport.close();
      return;
    }
    this.#done.resolve({ opened, failures: this.#failures });
    this.stop();
  }

  #onFailure(controller: AbortController, address: Address, error: unknown): void {
    this.#dialing.delete(controller);
    if (this.#over) return;
    if (!(error instanceof PgHandshakeError)) {
      this.#done.reject(error);
      this.stop();
      return;
    }
    this.#failures.push({ address, error });
    if (this.#next < this.#addresses.length) this.#dialNext();
    else if (this.#dialing.size === 0) this.stop();
  }
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Promise.withResolvers, which Node 20 has not. */
function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((done, fail) => {
    resolve = done;
    reject = fail;
  });
  return { promise, resolve, reject };
}
