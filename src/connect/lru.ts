/** A map that forgets what was not used for longest. */
export class LruMap<Value> {
  readonly #limit: number;
  /** In the order of use: a Map keeps the order of insertion. */
  readonly #entries = new Map<string, Value>();
  /** The last in that order, which most programs ask for again and again. */
  #newest: string | undefined;
  readonly #onDrop: ((value: Value) => void) | undefined;

  /**
   * @param limit The most entries it keeps.
   * @param onDrop Told of every value that is replaced, deleted or forgotten.
   */
  constructor(limit: number, onDrop?: (value: Value) => void) {
    this.#limit = limit;
    this.#onDrop = onDrop;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value; from now on the last to be forgotten. */
  get(key: string): Value | undefined {
    const value = this.#entries.get(key);
    if (value === undefined || key === this.#newest) return value;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#newest = key;
    return value;
  }

  set(key: string, value: Value): void {
    this.delete(key);
    this.#entries.set(key, value);
    this.#newest = key;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limit) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const value = this.#entries.get(key);
    if (!this.#entries.delete(key) || value === undefined) return;
    this.#onDrop?.(value);
  }

  clear(): void {
    for (const key of [...this.#entries.keys()]) this.delete(key);
    this.#newest = undefined;
  }

  /** All values, the one that is forgotten next first. */
  values(): readonly Value[] {
    return [...this.#entries.values()];
  }
}
