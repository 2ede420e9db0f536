/**
 * The unfinished operations of one transport. When the transport ends they all reject, each exactly once, and so
 * does every operation begun later; what the socket still reports afterwards reaches nobody.
 */
export class Pending {
  readonly #refusals = new Set<(error: Error) => void>();
  #failure: Error | undefined;

  /** Why every operation rejects from now on; undefined while the transport lives. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /**
   * Runs an operation that `end` may cut short.
   *
   * @param start Begins it; calls one of the two functions when it is over, further calls do nothing.
   */
  run<T>(start: (done: (value: T) => void, fail: (error: Error) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      const refuse = (error: Error): void => {
        if (this.#refusals.delete(refuse)) reject(error);
      };
      this.#refusals.add(refuse);
      start((value) => {
        if (this.#refusals.delete(refuse)) resolve(value);
      }, refuse);
    });
  }

  /** Rejects what is unfinished and whatever begins later. A later call replaces the error for later operations. */
  end(error: Error): void {
    this.#failure = error;
    for (const refuse of [...this.#refusals]) refuse(error);
  }
}
