import { ConnectionError, UsageError } from "../errors.ts";
import { printable } from "../printable.ts";
import { Arena, type Place } from "./arena.ts";
import type { ForeignLibrary, ForeignThread } from "./foreign.ts";
import type { GssContext, GssContextRequest, GssStep } from "./provider.ts";
import { NETWORK_ORDER, OUTBOUND, REQUEST, SSPI_TEXTS, STATUS, TOKEN_BUFFER } from "./sspi_abi.ts";

const NONE = 0n;
const MAX_INPUT = 65_536;
const STRUCTURES = 4_096;

/**
 * One context of SSPI, as libpq makes it on Windows: package "negotiate" or "kerberos", target "service/host". It
 * authenticates and does not encrypt, as in libpq. Never run on Windows so far: only its call sequence is tested.
 */
export class SspiContext implements GssContext {
  readonly #library: ForeignLibrary;
  readonly #request: GssContextRequest;
  readonly #arena: Arena;
  readonly #credentials: Place;
  readonly #context: Place;
  readonly #expiry: Place;
  readonly #attributes: Place;
  readonly #package: Place;
  readonly #target: Place;
  readonly #input: SecBuffers;
  readonly #output: SecBuffers;
  readonly #inputOctets: Place;
  #thread: ForeignThread | undefined;
  #hasCredentials = false;
  #hasContext = false;
  #stepping = false;
  #state: "open" | "complete" | "disposed" = "open";

  /**
   * @param library secur32.dll.
   * @param request What the context is for.
   */
  constructor(library: ForeignLibrary, request: GssContextRequest) {
    this.#library = library;
    this.#request = request;
    const arena = new Arena(library, STRUCTURES + MAX_INPUT);
    this.#arena = arena;
    // CredHandle and CtxtHandle are two words each, TimeStamp is one.
    this.#credentials = arena.reserve(16);
    this.#context = arena.reserve(16);
    this.#expiry = arena.reserve(8);
    this.#attributes = arena.reserve(4);
    this.#package = arena.reserveFor(utf16(request.mechanism));
    this.#target = arena.reserveFor(utf16(`${request.service}/${request.host}`));
    this.#input = new SecBuffers(arena);
    this.#output = new SecBuffers(arena);
    this.#inputOctets = arena.reserve(MAX_INPUT);
  }

  async step(token: Uint8Array | undefined): Promise<GssStep> {
    if (this.#state !== "open" || this.#stepping) {
      throw new UsageError("Cannot take a step: the context is complete, released or busy");
    }
    this.#stepping = true;
    try {
      const thread = this.#thread ??= this.#library.openThread();
      if (!this.#hasCredentials) await this.#acquire(thread);
      return await this.#initialize(thread, token);
    } finally {
      this.#stepping = false;
      if (this.#disposed()) this.#release();
    }
  }

  wrapSizeLimit(): Promise<number> {
    return Promise.reject(this.#doesNotEncrypt());
  }

  wrap(): Promise<Uint8Array> {
    return Promise.reject(this.#doesNotEncrypt());
  }

  unwrap(): Promise<Uint8Array> {
    return Promise.reject(this.#doesNotEncrypt());
  }

  dispose(): void {
    if (this.#disposed()) return;
    this.#state = "disposed";
    if (!this.#stepping) this.#release();
  }

  async #acquire(thread: ForeignThread): Promise<void> {
    const arena = this.#arena;
    const status = await thread.call("AcquireCredentialsHandleW", [
      NONE,
      arena.at(this.#package),
      BigInt(OUTBOUND),
      NONE,
      NONE,
      NONE,
      NONE,
      arena.at(this.#credentials),
      arena.at(this.#expiry),
    ]);
    if (status !== STATUS.ok) throw this.#failed(status, "acquire credentials");
    this.#hasCredentials = true;
  }

  async #initialize(thread: ForeignThread, token: Uint8Array | undefined): Promise<GssStep> {
    const arena = this.#arena;
    if (token !== undefined) {
      if (token.length > MAX_INPUT) throw new RangeError(`${token.length} octets are too many`);
      arena.set(this.#inputOctets, token);
      this.#input.set(token.length, arena.at(this.#inputOctets));
    }
    this.#output.set(0, NONE);
    const { delegate } = this.#request;
    const wanted = REQUEST.mutual | REQUEST.allocateMemory | (delegate ? REQUEST.delegate : 0);
    const status = await thread.call("InitializeSecurityContextW", [
      arena.at(this.#credentials),
      this.#hasContext ? arena.at(this.#context) : NONE,
      arena.at(this.#target),
      BigInt(wanted),
      0n,
      BigInt(NETWORK_ORDER),
      token === undefined ? NONE : this.#input.at,
      0n,
      arena.at(this.#context),
      this.#output.at,
      arena.at(this.#attributes),
      arena.at(this.#expiry),
    ]);
    if (status !== STATUS.ok && status !== STATUS.continueNeeded) {
      throw this.#failed(status, "establish an SSPI context");
    }
    this.#hasContext = true;
    const answer = this.#takeOutput();
    const complete = status === STATUS.ok;
    if (complete && this.#state === "open") this.#state = "complete";
    const attributes = arena.u32(this.#attributes);
    return {
      token: answer,
      complete,
      mutual: complete && (attributes & REQUEST.mutual) !== 0,
      confidential: false,
      delegated: complete && (attributes & REQUEST.delegate) !== 0,
    };
  }

  #takeOutput(): Uint8Array {
    const { length, address } = this.#output;
    if (address === NONE) return new Uint8Array(0);
    const octets = this.#library.copyFrom(address, length);
    this.#library.call("FreeContextBuffer", [address]);
    return octets;
  }

  #failed(status: number, what: string): ConnectionError {
    const { service, host } = this.#request;
    const target = printable(`${service}/${host}`, { keepLines: false, max: 255 });
    const number = `0x${(status >>> 0).toString(16).padStart(8, "0")}`;
    const text = SSPI_TEXTS[status >>> 0];
    return new ConnectionError(
      "gss-failed",
      `Cannot ${what} with "${target}": ${text === undefined ? number : `${text} (${number})`}`,
      { phase: "authenticate" },
    );
  }

  #doesNotEncrypt(): UsageError {
    return new UsageError("Cannot encrypt: SSPI is used to authenticate only");
  }

  #disposed(): boolean {
    return this.#state === "disposed";
  }

  #release(): void {
    const arena = this.#arena;
    this.#thread?.release();
    if (this.#hasContext) this.#library.call("DeleteSecurityContext", [arena.at(this.#context)]);
    if (this.#hasCredentials) {
      this.#library.call("FreeCredentialsHandle", [arena.at(this.#credentials)]);
    }
    arena.wipe();
  }
}

/** A SecBufferDesc with one SecBuffer for a token. */
class SecBuffers {
  readonly #arena: Arena;
  readonly #descriptor: Place;
  readonly #buffer: Place;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#buffer = arena.reserve(16);
    this.#descriptor = arena.reserve(16);
    // ulVersion (SECBUFFER_VERSION, 0), cBuffers, pBuffers.
    arena.setU32(this.#descriptor, 0);
    arena.setU32(this.#descriptor + 4, 1);
    arena.setU64(this.#descriptor + 8, arena.at(this.#buffer));
  }

  /** The address of the SecBufferDesc. */
  get at(): bigint {
    return this.#arena.at(this.#descriptor);
  }

  /** How long the token is. */
  get length(): number {
    return this.#arena.u32(this.#buffer);
  }

  /** Where it is; 0 if there is none. */
  get address(): bigint {
    return this.#arena.u64(this.#buffer + 8);
  }

  /** Points to a token. */
  set(length: number, address: bigint): void {
    this.#arena.setU32(this.#buffer, length);
    this.#arena.setU32(this.#buffer + 4, TOKEN_BUFFER);
    this.#arena.setU64(this.#buffer + 8, address);
  }
}

/** A text as Windows takes it: UTF-16 of its own byte order, ended by zero. */
function utf16(text: string): Uint8Array {
  const octets = new Uint8Array((text.length + 1) * 2);
  const view = new DataView(octets.buffer);
  for (let index = 0; index < text.length; index++) {
    view.setUint16(index * 2, text.charCodeAt(index), true);
  }
  return octets;
}
