import { ConnectionError, UsageError } from "../errors.ts";
import { printable } from "../printable.ts";
import type { ForeignLibrary, ForeignThread } from "./foreign.ts";
import { CONTINUE_NEEDED, ERROR_MASK, FLAG, INITIATE, OID } from "./gssapi_abi.ts";
import { GssapiMemory } from "./gssapi_memory.ts";
import { statusText, told, toldNow } from "./gssapi_status.ts";
import type { GssContext, GssContextRequest, GssCredentials, GssStep } from "./provider.ts";

const NONE = 0n;

/** A library, and how it lays out its structures. */
export interface Gssapi {
  readonly library: ForeignLibrary;
  /** Where a gss_OID_desc has its pointer. */
  readonly oidPointerOffset: number;
}

/**
 * Whether the account has credentials to begin a context with (libpq, pg_GSS_have_cred_cache).
 */
export async function findGssapiCredentials(gssapi: Gssapi): Promise<GssCredentials> {
  const { library } = gssapi;
  const memory = new GssapiMemory(library, OID.kerberos, gssapi.oidPointerOffset);
  const thread = library.openThread();
  try {
    const { minorAt, credentialsAt } = memory;
    const usage = BigInt(INITIATE);
    const args = [minorAt, NONE, 0n, NONE, usage, credentialsAt, NONE, NONE];
    const major = await thread.call("gss_acquire_cred", args);
    if ((major & ERROR_MASK) === 0) {
      library.call("gss_release_cred", [minorAt, credentialsAt]);
      return { found: true };
    }
    const why = await told(
      statusText(major, memory),
      (status) => thread.call("gss_display_status", status),
    );
    return { found: false, why };
  } finally {
    thread.release();
    memory.wipe();
  }
}

/** One context of GSSAPI. What may ask a KDC runs on a thread; what only computes runs here. */
export class GssapiContext implements GssContext {
  readonly #library: ForeignLibrary;
  readonly #memory: GssapiMemory;
  readonly #request: GssContextRequest;
  #thread: ForeignThread | undefined;
  #stepping = false;
  #state: "open" | "complete" | "disposed" = "open";

  /**
   * @param gssapi The library.
   * @param request What the context is for.
   */
  constructor(gssapi: Gssapi, request: GssContextRequest) {
    this.#library = gssapi.library;
    this.#request = request;
    this.#memory = new GssapiMemory(
      gssapi.library,
      OID[request.mechanism],
      gssapi.oidPointerOffset,
    );
  }

  async step(token: Uint8Array | undefined): Promise<GssStep> {
    if (this.#state !== "open" || this.#stepping) {
      throw new UsageError("Cannot take a step: the context is complete, released or busy");
    }
    this.#stepping = true;
    try {
      const thread = this.#thread ??= this.#library.openThread();
      if (this.#memory.name === NONE) await this.#importName(thread);
      return await this.#initialize(thread, token);
    } finally {
      this.#stepping = false;
      if (this.#state !== "open") this.#giveThreadBack();
      if (this.#disposed()) this.#release();
    }
  }

  // A wrap and an unwrap may be under way at a time, and share this memory: each is done when it returns.

  wrapSizeLimit(maxWrapped: number): Promise<number> {
    return settled(() => {
      const memory = this.#established();
      const { minorAt, context, numberAt } = memory;
      const args = [minorAt, context, 1n, 0n, BigInt(maxWrapped), numberAt];
      this.#compute("gss_wrap_size_limit", args, "begin an encrypted session");
      return memory.number;
    });
  }

  wrap(plain: Uint8Array): Promise<Uint8Array> {
    return settled(() => {
      const what = "encrypt for a session";
      const memory = this.#established();
      memory.give(plain);
      memory.clearResults();
      const { minorAt, context, inputAt, stateAt, outputAt } = memory;
      this.#compute("gss_wrap", [minorAt, context, 1n, 0n, inputAt, stateAt, outputAt], what);
      const wrapped = memory.takeOutput();
      if (!memory.encrypted) throw this.#failure(what, "the library signed without encryption");
      return wrapped;
    });
  }

  unwrap(wrapped: Uint8Array): Promise<Uint8Array> {
    return settled(() => {
      const what = "decrypt the session";
      const memory = this.#established();
      memory.give(wrapped);
      memory.clearResults();
      const { minorAt, context, inputAt, outputAt, stateAt } = memory;
      this.#compute("gss_unwrap", [minorAt, context, inputAt, outputAt, stateAt, NONE], what);
      const plain = memory.takeOutput();
      if (!memory.encrypted) throw this.#failure(what, "it is signed, but not encrypted");
      return plain;
    });
  }

  dispose(): void {
    if (this.#disposed()) return;
    this.#state = "disposed";
    // The library may be writing into our memory: a step that waits for a KDC ends first.
    if (!this.#stepping) this.#release();
  }

  async #importName(thread: ForeignThread): Promise<void> {
    const { service, host } = this.#request;
    const memory = this.#memory;
    memory.give(new TextEncoder().encode(`${service}@${host}`));
    const { minorAt, inputAt, serviceTypeAt, nameAt } = memory;
    const major = await thread.call("gss_import_name", [minorAt, inputAt, serviceTypeAt, nameAt]);
    if ((major & ERROR_MASK) !== 0) {
      throw await this.#failed(thread, major, "use the name of the service");
    }
  }

  async #initialize(thread: ForeignThread, token: Uint8Array | undefined): Promise<GssStep> {
    const memory = this.#memory;
    memory.give(token ?? new Uint8Array(0));
    memory.clearResults();
    const major = await thread.call("gss_init_sec_context", [
      memory.minorAt,
      NONE,
      memory.contextAt,
      memory.name,
      memory.mechanismAt,
      BigInt(this.#flags()),
      0n,
      NONE,
      token === undefined ? NONE : memory.inputAt,
      NONE,
      memory.outputAt,
      memory.flagsAt,
      NONE,
    ]);
    if ((major & ERROR_MASK) !== 0) {
      // A token for the peer would only tell it why.
      memory.dropOutput();
      throw await this.#failed(thread, major, "establish a GSSAPI context");
    }
    const answer = memory.takeOutput();
    const complete = (major & CONTINUE_NEEDED) === 0;
    const { flags } = memory;
    if (complete && this.#state === "open") this.#state = "complete";
    return {
      token: answer,
      complete,
      mutual: complete && (flags & FLAG.mutual) !== 0,
      confidential: complete && (flags & ENCRYPTING) === ENCRYPTING,
      delegated: complete && (flags & FLAG.delegate) !== 0,
    };
  }

  /** As libpq: encryption must also notice what was left out, repeated or moved. */
  #flags(): number {
    const { encrypt, delegate } = this.#request;
    return FLAG.mutual | (encrypt ? ENCRYPTING : 0) | (delegate ? FLAG.delegate : 0);
  }

  #established(): GssapiMemory {
    if (this.#state !== "complete") {
      throw new UsageError("Cannot encrypt: the context is not complete, or released");
    }
    return this.#memory;
  }

  #compute(name: string, args: readonly bigint[], what: string): void {
    const major = this.#library.call(name, args);
    // Below the errors are packets out of order or twice (RFC 2744, GSS_S_DUPLICATE_TOKEN and its like).
    if (major === 0) return;
    const call = (status: readonly bigint[]): number =>
      this.#library.call("gss_display_status", status);
    // What a packet out of order held is not used.
    this.#memory.dropOutput();
    const text = toldNow(statusText(major, this.#memory), call);
    throw this.#failure(what, text);
  }

  async #failed(thread: ForeignThread, major: number, what: string): Promise<ConnectionError> {
    const text = await told(
      statusText(major, this.#memory),
      (args) => thread.call("gss_display_status", args),
    );
    return this.#failure(what, text);
  }

  #failure(what: string, why: string): ConnectionError {
    const { service, host, encrypt } = this.#request;
    return new ConnectionError(
      "gss-failed",
      `Cannot ${what} with "${shown(service)}@${shown(host)}": ${why}`,
      {
        phase: encrypt ? "gss" : "authenticate",
      },
    );
  }

  #disposed(): boolean {
    return this.#state === "disposed";
  }

  #giveThreadBack(): void {
    this.#thread?.release();
    this.#thread = undefined;
  }

  #release(): void {
    const memory = this.#memory;
    this.#giveThreadBack();
    const { minorAt } = memory;
    if (memory.context !== NONE) {
      this.#library.call("gss_delete_sec_context", [minorAt, memory.contextAt, NONE]);
    }
    if (memory.name !== NONE) this.#library.call("gss_release_name", [minorAt, memory.nameAt]);
    memory.wipe();
  }
}

const ENCRYPTING: number = FLAG.mutual | FLAG.replay | FLAG.sequence | FLAG.confidential |
  FLAG.integrity;

/** The result, or what was thrown, of something that is done at once. */
function settled<T>(run: () => T): Promise<T> {
  try {
    return Promise.resolve(run());
  } catch (error) {
    return Promise.reject(error);
  }
}

function shown(text: string): string {
  return printable(text, { keepLines: false, max: 255 });
}
