import { ConnectionError, type Phase } from "../errors.ts";

/**
 * The two bounds of a connection attempt in one signal: the caller's own, over everything, and connect_timeout,
 * over one address.
 */
export class Clock {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #timeoutMs: number | undefined;
  readonly #onOuter = (): void => this.#controller.abort();

  /**
   * @param outer The caller's signal.
   * @param timeoutMs connect_timeout in milliseconds; undefined for none.
   */
  constructor(outer: AbortSignal | undefined, timeoutMs: number | undefined) {
    this.#outer = outer;
    this.#timeoutMs = timeoutMs;
    if (outer?.aborted) this.#controller.abort();
    else outer?.addEventListener("abort", this.#onOuter);
    if (timeoutMs !== undefined) {
      this.#timer = setTimeout(() => this.#controller.abort(), timeoutMs);
    }
  }

  /** Fires when either bound is reached. */
  get signal(): AbortSignal {
    return this.#controller.signal;
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
    const { signal } = this.#controller;
    let onAbort: (() => void) | undefined;
    const bound = new Promise<never>((_, reject) => {
      onAbort = () => reject(this.error(phase));
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort);
    });
    try {
      return await Promise.race([work, bound]);
    } finally {
      if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
    }
  }

  /** Releases timer and listener. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#onOuter);
  }
}

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
