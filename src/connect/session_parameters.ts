/** So many sets of parameters are looked through for one that is the same: users, databases and servers of one process. */
const MAX_KNOWN = 8;

/** Weak: they live as long as a session has them. */
const known: WeakRef<ReadonlyMap<string, string>>[] = [];
let oldest = 0;

/**
 * The run-time parameters of one session. Sessions to one place report the same, and most are never asked: until one is,
 * or a parameter changes, it shares them with the others.
 */
export class SessionParameters {
  #values: ReadonlyMap<string, string>;
  #own: Map<string, string> | undefined;

  /** @param reported What the server reported; nobody changes it any more. */
  constructor(reported: ReadonlyMap<string, string>) {
    this.#values = shared(reported);
  }

  /** The value of one. */
  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** All of them, in a map of this session alone, which sees every change. */
  own(): Map<string, string> {
    if (this.#own === undefined) this.#values = this.#own = new Map(this.#values);
    return this.#own;
  }
}

/** The same parameters as another session has them, if one does. */
function shared(reported: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  for (const reference of known) {
    const values = reference.deref();
    if (values !== undefined && isSame(values, reported)) return values;
  }
  known[oldest] = new WeakRef(reported);
  oldest = (oldest + 1) % MAX_KNOWN;
  return reported;
}

/** Whether they are the same in the same order, which whoever iterates them sees. */
function isSame(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  if (one.size !== other.size) return false;
  const others = other.entries();
  for (const [name, value] of one) {
    const [otherName, otherValue] = others.next().value ?? [];
    if (name !== otherName || value !== otherValue) return false;
  }
  return true;
}
