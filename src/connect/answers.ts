import { PgHandshakeError, PolicyError } from "../errors.ts";
import type { Answer, AnswerRequest } from "../handshake/step.ts";
import { Secret } from "../settings/secret.ts";
import type { Clock } from "./clock.ts";
import type { BearerTokens } from "./bearer.ts";
import type { PasswordContext, PasswordSource } from "./options.ts";
import type { FilePassword } from "./password_file.ts";
import type { ScramKeyCache } from "./scram_key_cache.ts";

/** Where the secrets of one attempt come from, and whom a password callback is asked for. */
export interface SecretSources {
  readonly password: PasswordSource | Secret | undefined;
  readonly scramClientKey: Secret | undefined;
  readonly scramServerKey: Secret | undefined;
  readonly context: Omit<PasswordContext, "method" | "signal">;
  /** Where bearer tokens come from. */
  readonly tokens: BearerTokens;
  /** Looks into the password file; asked if there is no other password. */
  fromFile(): Promise<FilePassword | undefined>;
  /** Derives SCRAM keys, and keeps them. */
  readonly keys: ScramKeyCache;
}

type Method = PasswordContext["method"];
type Callback = Extract<PasswordSource, (...args: never[]) => unknown>;

/** Answers a machine's requests in one attempt. A password is fetched when it is, or is about to be, asked for. */
export class Answerer {
  readonly #sources: SecretSources;
  readonly #clock: Clock;
  /** What a callback was asked for before the server did. */
  #early: { readonly method: Method; readonly given: Promise<string | Uint8Array> } | undefined;
  #file: FilePassword | undefined;
  #keyName: string | undefined;
  #keysReused = false;
  /** Of the callbacks that have not answered yet. */
  #asking: Set<AbortController> | undefined;

  /**
   * @param sources Where from.
   * @param clock What bounds callbacks and the derivation of keys.
   */
  constructor(sources: SecretSources, clock: Clock) {
    this.#sources = sources;
    this.#clock = clock;
  }

  /** The password file the answer came from, if it came from one. */
  get file(): string | undefined {
    return this.#file?.password === undefined ? undefined : this.#file.path;
  }

  /** Whether the last answer was made of SCRAM keys that were there, or on their way, already. */
  get keysReused(): boolean {
    return this.#keysReused;
  }

  /**
   * Asks a password callback already, for what the server will ask for: the answer takes its time beside the network.
   * Nothing of it is used, nor its failure, unless the server does ask.
   */
  foresee(method: Method): void {
    const { password: source, scramClientKey } = this.#sources;
    const withKeys = method === "scram-sha-256" && scramClientKey !== undefined;
    if (typeof source !== "function" || withKeys || this.#early?.method === method) return;
    const given = this.#ask(source, method);
    given.catch(() => undefined);
    this.#early = { method, given };
  }

  /** No answer is wanted any more: callbacks that still work at one are told. */
  dispose(): void {
    for (const controller of this.#asking ?? []) controller.abort();
  }

  /** The server did not take what was answered, or did not prove that it knows it: it is not kept. */
  refused(): void {
    if (this.#keyName !== undefined) this.#sources.keys.forget(this.#keyName);
  }

  /**
   * Fills what the machine asks for.
   *
   * @throws {PolicyError} `password-missing` if there is none, `password-unavailable` if the callback failed.
   * @throws {ConnectionError} If a bound of the clock is reached meanwhile.
   */
  async answer(request: Exclude<AnswerRequest, { want: "gss-token" }>): Promise<Answer> {
    if (request.want === "bearer-token") {
      const { tokens, context } = this.#sources;
      return { kind: "bearer-token", token: await tokens.give(context, this.#clock) };
    }
    if (request.want === "scram-keys") {
      const { scramClientKey, scramServerKey } = this.#sources;
      if (scramClientKey !== undefined && scramServerKey !== undefined) {
        const keys = {
          clientKey: scramClientKey.revealOctets(),
          serverKey: scramServerKey.revealOctets(),
        };
        return { kind: "scram-keys", keys };
      }
    }
    const password = await this.#password(request.method);
    // Whoever takes this answer wipes it.
    if (request.want === "password") return { kind: "password", password };
    const { salt, iterations } = request;
    const { keys: cache, context } = this.#sources;
    const { name, found } = cache.keysOf({ user: context.user, password, salt, iterations });
    // Prepared for derivation already, so the copy is of no use any more.
    password.fill(0);
    this.#keyName = name;
    const { keys, derived } = await this.#clock.race(found, "authenticate");
    this.#keysReused = !derived;
    return { kind: "scram-keys", keys };
  }

  async #password(method: Method): Promise<Uint8Array> {
    const { password: source } = this.#sources;
    const early = this.#early;
    this.#early = undefined;
    const given = typeof source !== "function" ? source : await this.#clock.race(
      early?.method === method ? early.given : this.#ask(source, method),
      "authenticate",
    );
    const octets = asOctets(given);
    if (octets.length > 0) return octets;
    if (source === undefined) {
      this.#file = await this.#clock.race(this.#sources.fromFile(), "authenticate");
      const found = this.#file?.password?.revealOctets();
      if (found !== undefined && found.length > 0) return found;
    }
    throw this.#missing(method);
  }

  async #ask(source: Callback, method: Method): Promise<string | Uint8Array> {
    const controller = new AbortController();
    const asking = this.#asking ??= new Set();
    asking.add(controller);
    const release = this.#clock.onExpire(() => controller.abort());
    if (this.#clock.expired) controller.abort();
    try {
      return await asked(source, { ...this.#sources.context, method, signal: controller.signal });
    } finally {
      release();
      asking.delete(controller);
    }
  }

  #missing(method: Method): PolicyError {
    const file = this.#file;
    const looked = file === undefined
      ? ""
      : file.problem ?? `The password file "${file.path}" has none for it`;
    const hint = 'Give it in the target, by the option "password", in a password file, or change ' +
      "the method in pg_hba.conf";
    return new PolicyError(
      "password-missing",
      `no password supplied: the server asks user "${this.#sources.context.user}" for one (${
        METHOD_TEXT[method]
      })`,
      { hint: looked === "" ? hint : `${looked}. ${hint}` },
    );
  }
}

const METHOD_TEXT: Readonly<Record<Method, string>> = {
  "password": "AuthenticationCleartextPassword",
  "md5": "AuthenticationMD5Password",
  "crypt": "AuthenticationCryptPassword",
  "scram-sha-256": "AuthenticationSASL, SCRAM-SHA-256",
};

async function asked(
  source: Callback,
  context: PasswordContext,
): Promise<string | Uint8Array> {
  try {
    return await source(context);
  } catch (error) {
    if (error instanceof PgHandshakeError) throw error;
    throw new PolicyError("password-unavailable", "Cannot get the password: the callback failed", {
      cause: error,
    });
  }
}

/** A copy of our own, which is wiped after use; what the user gave stays as it is. */
function asOctets(given: string | Uint8Array | Secret | undefined): Uint8Array {
  if (given === undefined) return new Uint8Array(0);
  if (given instanceof Uint8Array) return Uint8Array.from(given);
  if (typeof given === "string") return passwordOctets(given);
  if (given instanceof Secret) return given.revealOctets();
  throw new PolicyError(
    "password-unavailable",
    `Cannot use the password: it is of type "${typeof given}", it must be a text or octets`,
  );
}

function passwordOctets(text: string): Uint8Array {
  if (text.includes("\0")) {
    throw new PolicyError(
      "password-unavailable",
      "Cannot use the password: it holds a zero octet, which no PostgreSQL password can",
    );
  }
  if (!text.isWellFormed()) {
    throw new PolicyError(
      "password-unavailable",
      "Cannot use the password: it holds half of a surrogate pair; give octets for passwords that are not Unicode text",
    );
  }
  return new TextEncoder().encode(text);
}
