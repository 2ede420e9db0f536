import { ConnectionError, type Phase } from "../errors.ts";

/**
 * The two bounds of a connection attempt as one: the caller's own signal, over everything, and connect_timeout, over one
 * address. Where neither is set it costs nothing.
 */
export class Clock {
  readonly #outer: AbortSignal | undefined;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #timeoutMs: number | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #fire = (): void => {
    this.#expired = true;
    this.#controller?.abort();
    for (const listener of [...this.#listeners]) listener();
  };
  #controller: AbortController | undefined;
  #expired = false;

  /**
   * @param outer The caller's signal.
   * @param timeoutMs connect_timeout in milliseconds; undefined for none.
   */
  constructor(outer: AbortSignal | undefined, timeoutMs: number | undefined) {
    this.#outer = outer;
    this.#timeoutMs = timeoutMs;
    if (outer?.aborted) this.#expired = true;
    else outer?.addEventListener("abort", this.#fire);
    if (timeoutMs !== undefined) this.#timer = setTimeout(this.#fire, timeoutMs);
  }

  /** Whether either bound was reached. */
  get expired(): boolean {
    return this.#expired;
  }

  /** Whether the caller's own signal has fired. */
  get aborted(): boolean {
    return this.#outer?.aborted === true;
  }

  /** Fires when either bound is reached; made when it is first asked for. */
  get signal(): AbortSignal {
    const controller = this.#controller ??= new AbortController();
    if (this.#expired) controller.abort();
    return controller.signal;
  }

  /** Whether there is a bound at all. */
  get bounded(): boolean {
    return this.#outer !== undefined || this.#timeoutMs !== undefined;
  }

  /**
   * Calls back once a bound is reached, if it is not yet.
   *
   * @returns Takes it back.
   */
  onExpire(listener: () => void): () => void {
    if (!this.bounded) return doNothing;
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The error for a bound that was reached in this phase. */
  error(phase: Phase): ConnectionError {
    const outer = this.#outer;
    if (outer?.aborted) return abortError(outer, phase);
    return new ConnectionError(
      "timeout",
      `timeout expired: connect_timeout of ${(this.#timeoutMs ?? 0) / 1000} s passed`,
      { phase, hint: whatWasAwaited(phase) },
    );
  }

  /**
   * Waits for something that cannot be stopped itself (a callback of the user, a key derivation).
   *
   * @throws {ConnectionError} `timeout` or `aborted` as soon as a bound is reached.
   */
  async race<T>(work: Promise<T>, phase: Phase): Promise<T> {
    if (!this.bounded) return await work;
    let release = doNothing;
    const bound = new Promise<never>((_, reject) => {
      const give = (): void => reject(this.error(phase));
      if (this.#expired) give();
      else release = this.onExpire(give);
    });
    try {
      return await Promise.race([work, bound]);
    } finally {
      release();
    }
  }

  /** Releases timer and listener. */
  stop(): void {
    // On Deno merely asking for clearTimeout takes 12 ms (transport/runtime.ts).
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#fire);
  }
}

const doNothing = (): void => {};

/** The error for a signal of the caller's that has fired. */
export function abortError(signal: AbortSignal, phase: Phase): ConnectionError {
  const { reason } = signal;
  const timedOut = reason instanceof Error && reason.name === "TimeoutError";
  return new ConnectionError(
    timedOut ? "timeout" : "aborted",
    timedOut ? "timeout expired: the signal's deadline passed" : "the signal was aborted",
    { phase, cause: reason, ...(timedOut ? { hint: whatWasAwaited(phase) } : {}) },
  );
}

/** What a deadline that passed in this phase points at. */
function whatWasAwaited(phase: Phase): string {
  switch (phase) {
    case "settings":
      return "It passed before anything was tried";
    case "resolve":
      return "The resolver gave no answer for the host name";
    case "dial":
      return "Nothing answers at that address: check host, port and firewall";
    case "negotiate":
      return "The socket is open, but SSLRequest or GSSENCRequest got no answer: check that PostgreSQL listens there";
    case "tls":
      return "The TLS handshake did not end: a server up to 16, or a pooler, hangs in direct TLS";
    case "gss":
      return "GSSAPI encryption was not set up: the KDC may not answer, or the server's token does not come";
    case "start-up":
      return "StartupMessage got no answer: the server may be overloaded, or be no PostgreSQL";
    case "authenticate":
      return "Authentication did not end: a password callback, a KDC, its key derivation or the server takes too long";
    case "prepare":
      return "Authentication is done, but the server does not become ready: a login trigger may hang";
    case "ready":
    case "cancel":
      return "The server does not answer any more";
  }
}
