/** An error, or what makes it: most transports are closed when nobody waits, and an error that nobody gets costs a stack. */
export type Failure = Error | (() => Error);

/** The error of a failure. */
export function errorOf(failure: Failure): Error {
  return typeof failure === "function" ? failure() : failure;
}

/** A failure that is made when it is first asked for, and is the same for everybody. */
export function madeOnce(make: () => Error): () => Error {
  let made: Error | undefined;
  return () => made ??= make();
}

type Refuse = (error: Error) => void;

/**
 * The unfinished operations of one transport. When the transport ends they all reject, each exactly once, and so
 * does every operation begun later; what the socket still reports afterwards reaches nobody.
 */
export class Pending {
  /** Nearly always there is none or one. */
  #refusal: Refuse | undefined;
  #others: Set<Refuse> | undefined;
  #failure: Failure | undefined;

  /** Why every operation rejects from now on; undefined while the transport lives. */
  get failure(): Error | undefined {
    return this.#failure === undefined ? undefined : errorOf(this.#failure);
  }

  /** Whether the transport has ended. */
  get ended(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * Runs an operation that `end` may cut short.
   *
   * @param start Begins it; calls one of the two functions when it is over, further calls do nothing.
   */
  run<T>(start: (done: (value: T) => void, fail: (error: Error) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(errorOf(this.#failure));
        return;
      }
      const refuse = (error: Error): void => {
        if (this.#forget(refuse)) reject(error);
      };
      if (this.#refusal === undefined) this.#refusal = refuse;
      else (this.#others ??= new Set()).add(refuse);
      start((value) => {
        if (this.#forget(refuse)) resolve(value);
      }, refuse);
    });
  }

  /** Rejects what is unfinished and whatever begins later. A later call replaces the error for later operations. */
  end(failure: Failure): void {
    this.#failure = failure;
    const others = this.#others;
    this.#refusal?.(errorOf(failure));
    for (const refuse of [...others ?? []]) refuse(errorOf(failure));
  }

  /** Whether it was among the unfinished until now. */
  #forget(refuse: Refuse): boolean {
    if (this.#refusal !== refuse) return this.#others?.delete(refuse) ?? false;
    this.#refusal = undefined;
    return true;
  }
}
