import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { encodeBase64 } from "../auth/base64.ts";
import { copyScramKeys, type ScramKeys, wipeScramKeys } from "../auth/scram_keys.ts";
import { drawChance } from "./node_crypto.ts";
import { LruMap } from "./lru.ts";

/** What ClientKey and ServerKey are made from. */
export interface ScramKeySource {
  /** The role; another one with the same password and salt gets an entry of its own. */
  readonly user: string;
  /** In octets; read before `keysOf()` returns, and not kept. */
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  readonly iterations: number;
}

/** Makes keys of a password, salt and iterations; must be done with the password when it returns. */
export type DeriveKeys = (
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
) => Promise<ScramKeys>;

/** Keys, and how they came about. */
export interface FoundKeys {
  /** Copies that belong to the caller, who wipes them. */
  readonly keys: ScramKeys;
  /** Whether this call, and no other, had them derived. */
  readonly derived: boolean;
}

/** A role has one secret, so a hundred are many roles; each takes below 300 octets. */
const DEFAULT_LIMIT = 100;

/**
 * Keeps what PBKDF2 gave, so that the many connections of a pool derive their keys once: by user, password, salt and
 * iteration count. Whoever asks for keys that are being derived waits for those.
 *
 * The keys are as good as the password for this role and salt. The password itself is not kept; entries are found by
 * an HMAC over it, under a key of chance that never leaves this object.
 */
export class ScramKeyCache {
  readonly #derive: DeriveKeys;
  readonly #limit: number;
  readonly #kept: LruMap<ScramKeys>;
  /** Drawn when it is first needed: most connections ask for no keys. */
  #secret: Uint8Array | undefined;
  #deriving = new Map<string, Promise<ScramKeys>>();
  #derivations = 0;

  /**
   * @param derive How keys are made.
   * @param limit The most keys it keeps; 0 keeps and shares none.
   */
  constructor(derive: DeriveKeys, limit: number = DEFAULT_LIMIT) {
    this.#derive = derive;
    this.#limit = limit;
    this.#kept = new LruMap(limit, wipeScramKeys);
  }

  /** How often keys were derived. */
  get derivations(): number {
    return this.#derivations;
  }

  /** How many keys it holds. */
  get size(): number {
    return this.#kept.size;
  }

  /**
   * Finds keys, or has them derived. Who gives up waiting takes nothing from the others.
   *
   * @returns The name to forget them by, and the keys to come.
   */
  keysOf(source: ScramKeySource): { readonly name: string; readonly found: Promise<FoundKeys> } {
    if (this.#limit === 0) return { name: "", found: this.#ownKeys(source) };
    const name = this.#nameOf(source);
    const kept = this.#kept.get(name);
    if (kept !== undefined) {
      return { name, found: Promise.resolve({ keys: copyScramKeys(kept), derived: false }) };
    }
    const others = this.#deriving.get(name);
    const deriving = others ?? this.#begin(name, source);
    const derived = others === undefined;
    return {
      name,
      found: deriving.then((keys) => ({ keys: copyScramKeys(keys), derived })),
    };
  }

  /** Forgets keys that a server did not take, or whose server did not prove that it knows them. */
  forget(name: string): void {
    this.#deriving.delete(name);
    this.#kept.delete(name);
  }

  /** Forgets all keys; those on their way reach who waits for them, and are not kept. */
  clear(): void {
    this.#deriving = new Map();
    this.#kept.clear();
  }

  async #ownKeys({ password, salt, iterations }: ScramKeySource): Promise<FoundKeys> {
    this.#derivations += 1;
    return { keys: await this.#derive(password, salt, iterations), derived: true };
  }

  #begin(name: string, { password, salt, iterations }: ScramKeySource): Promise<ScramKeys> {
    this.#derivations += 1;
    const deriving = this.#derive(password, salt, iterations);
    this.#deriving.set(name, deriving);
    const settle = (keys?: ScramKeys): void => {
      // Forgotten meanwhile, and perhaps begun anew.
      if (this.#deriving.get(name) !== deriving) return;
      this.#deriving.delete(name);
      if (keys !== undefined) this.#kept.set(name, copyScramKeys(keys));
    };
    deriving.then(settle, () => settle());
    return deriving;
  }

  /** Each part with its length in front, so that no two sources look alike. */
  #nameOf({ user, password, salt, iterations }: ScramKeySource): string {
    this.#secret ??= drawChance(new Uint8Array(32));
    const code = hmac.create(sha256, this.#secret);
    for (const part of [new TextEncoder().encode(user), password, salt]) {
      code.update(lengthOf(part.length)).update(part);
    }
    return encodeBase64(code.update(lengthOf(iterations)).digest());
  }
}

function lengthOf(value: number): Uint8Array {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, value);
  return octets;
}
