/** Stands between the package and the PBKDF2 of the runtime it uses. */
import nodeCrypto from "node:crypto";

/** One derivation, as the runtime is asked for it. */
export interface Derivation {
  /** The octets of the password that were handed over: the array itself. */
  readonly password: Uint8Array;
  /** Has the runtime do it. */
  run(): Promise<Uint8Array>;
}

type Callback = (error: Error | null, derived: Uint8Array) => void;

const RUNS_ON_NODE = !("Deno" in globalThis) && !("Bun" in globalThis);

/**
 * Has a test do the derivations from now on.
 *
 * @returns What gives the runtime's own back.
 */
export function interceptPbkdf2(
  take: (derivation: Derivation) => Promise<Uint8Array>,
): () => void {
  return RUNS_ON_NODE ? interceptNode(take) : interceptWebCrypto(take);
}

function interceptNode(take: (derivation: Derivation) => Promise<Uint8Array>): () => void {
  const original = nodeCrypto.pbkdf2;
  const replaced = (password: Uint8Array, ...rest: unknown[]): void => {
    const callback = rest.pop() as Callback;
    const run = (): Promise<Uint8Array> =>
      new Promise((resolve, reject) => {
        const done: Callback = (error, derived) =>
          error === null ? resolve(derived) : reject(error);
        (original as (...args: unknown[]) => void)(password, ...rest, done);
      });
    take({ password, run }).then(
      (derived) => callback(null, derived),
      (error) => callback(error, new Uint8Array(0)),
    );
  };
  Object.assign(nodeCrypto, { pbkdf2: replaced });
  return () => void Object.assign(nodeCrypto, { pbkdf2: original });
}

function interceptWebCrypto(take: (derivation: Derivation) => Promise<Uint8Array>): () => void {
  const { subtle } = globalThis.crypto;
  const importKey = subtle.importKey.bind(subtle) as (...args: unknown[]) => Promise<CryptoKey>;
  const deriveBits = subtle.deriveBits.bind(subtle);
  const passwords = new WeakMap<CryptoKey, Uint8Array>();
  const define = (name: string, value: unknown): void => {
    Object.defineProperty(subtle, name, { value, configurable: true });
  };
  define("importKey", async (format: string, octets: Uint8Array, ...rest: unknown[]) => {
    const key = await importKey(format, octets, ...rest);
    passwords.set(key, octets);
    return key;
  });
  define("deriveBits", async (...args: Parameters<typeof deriveBits>) => {
    const password = passwords.get(args[1]) ?? new Uint8Array(0);
    const run = async (): Promise<Uint8Array> => new Uint8Array(await deriveBits(...args));
    return (await take({ password, run })).buffer;
  });
  return () => {
    for (const name of ["importKey", "deriveBits"]) Reflect.deleteProperty(subtle, name);
  };
}
