/** A queue whose both ends cost the same however long it is, which `Array.shift()` does not promise. */
export class Fifo<T> {
  #incoming: T[] = [];
  /** In reverse order, so that the oldest is at the end. */
  #outgoing: T[] = [];

  /** How many wait. */
  get length(): number {
    return this.#incoming.length + this.#outgoing.length;
  }

  /** Adds one at the end. */
  push(value: T): void {
    this.#incoming.push(value);
  }

  /** Takes the oldest out; undefined if there is none. */
  shift(): T | undefined {
    if (this.#outgoing.length === 0) {
      this.#outgoing = this.#incoming.reverse();
      this.#incoming = [];
    }
    return this.#outgoing.pop();
  }

  /** Forgets all of them. */
  clear(): void {
    this.#incoming = [];
    this.#outgoing = [];
  }
}
