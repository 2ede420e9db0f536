/** Sees every copy of some octets that is made by the ways this package makes copies. */

/** What was seen since `watchCopies()` was called. */
export interface CopyWatch {
  /** How many arrays held the octets at some time. */
  readonly seen: number;
  /** How many of them still do. */
  left(): number;
  stop(): void;
}

type Method = (this: Uint8Array, ...args: unknown[]) => unknown;

/** Whether `octets` holds `needle` somewhere. */
export function holds(octets: Uint8Array, needle: Uint8Array): boolean {
  for (let at = octets.indexOf(needle[0] ?? 0); at !== -1;) {
    if (needle.every((octet, offset) => octets[at + offset] === octet)) return true;
    at = octets.indexOf(needle[0] ?? 0, at + 1);
  }
  return false;
}

/**
 * Watches `TextEncoder.encode`, `Uint8Array.slice`, `Uint8Array.set` and `new Uint8Array`.
 *
 * @param secrets Several forms of one secret, as its text before and after SASLprep.
 * @param owned What is not ours, as the array a user gave.
 */
export function watchCopies(secrets: readonly Uint8Array[], owned?: Uint8Array): CopyWatch {
  const found = new Set<Uint8Array>();
  const holdsAny = (octets: Uint8Array): boolean => secrets.some((one) => holds(octets, one));
  let busy = false;
  const note = (octets: unknown): void => {
    if (busy || !(octets instanceof Uint8Array) || octets === owned) return;
    busy = true;
    if (holdsAny(octets)) found.add(octets);
    busy = false;
  };
  const encode = replace(
    TextEncoder.prototype,
    "encode",
    (original) =>
      function (...args): unknown {
        const octets = original.apply(this, args);
        note(octets);
        return octets;
      },
  );
  const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
  const slice = replace(typedArray, "slice", (original) =>
    function (...args): unknown {
      const octets = original.apply(this, args);
      note(octets);
      return octets;
    });
  const set = replace(typedArray, "set", (original) =>
    function (...args): unknown {
      original.apply(this, args);
      note(this);
      return undefined;
    });
  const own = Uint8Array;
  const watched: typeof Uint8Array = new Proxy(own, {
    construct(target, args, newTarget) {
      const octets: unknown = Reflect.construct(
        target,
        args,
        newTarget === watched ? target : newTarget,
      );
      note(octets);
      return octets as object;
    },
  });
  globalThis.Uint8Array = watched;
  return {
    get seen() {
      return found.size;
    },
    left: () => [...found].filter(holdsAny).length,
    stop() {
      encode();
      slice();
      set();
      globalThis.Uint8Array = own;
    },
  };
}

/** Replaces a method; returns what gives it back. */
function replace(owner: object, name: string, make: (original: Method) => Method): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(owner, name);
  const original = descriptor?.value as Method;
  Object.defineProperty(owner, name, { ...descriptor, value: make(original) });
  return () => void Object.defineProperty(owner, name, { ...descriptor });
}
