const NOT_SHOWN = "(not shown)";

/**
 * A text or octets that no print shows: `String()`, `JSON.stringify`, template strings and the inspectors of
 * Deno, Bun and Node all give "(not shown)". Nothing of it is enumerable.
 */
export class Secret<Value extends string | Uint8Array = string | Uint8Array> {
  readonly #value: Value;

  // Symbols a runtime looks up on the object it prints. They are set here because a computed member name
  // would need a type that no declaration file can state.
  static {
    for (const name of ["nodejs.util.inspect.custom", "Deno.customInspect"]) {
      Object.defineProperty(this.prototype, Symbol.for(name), { value: (): string => NOT_SHOWN });
    }
  }

  /**
   * Hides a value.
   *
   * @param value What to keep; octets are copied.
   */
  constructor(value: Value) {
    this.#value = copied(value);
  }

  /** The value itself; octets as a copy that belongs to the caller. */
  reveal(): Value {
    return copied(this.#value);
  }

  /** The value as octets, text in UTF-8; a copy that belongs to the caller. */
  revealOctets(): Uint8Array {
    const value = this.#value;
    return typeof value === "string" ? new TextEncoder().encode(value) : new Uint8Array(value);
  }

  /** "(not shown)". */
  toString(): string {
    return NOT_SHOWN;
  }

  /** "(not shown)". */
  toJSON(): string {
    return NOT_SHOWN;
  }
}

function copied<Value extends string | Uint8Array>(value: Value): Value {
  return (typeof value === "string" ? value : new Uint8Array(value)) as Value;
}
