/** GSSAPI without Kerberos: contexts in memory that any server of a test can speak to. Nothing is secret here. */
import { ConnectionError } from "../../src/errors.ts";
import type {
  GssContext,
  GssContextRequest,
  GssCredentials,
  GssProvider,
  GssStep,
} from "../../src/gss/provider.ts";

/** How the provider behaves; as Kerberos unless said. */
export interface FakeGssOptions {
  /** Whether there are credentials. */
  readonly credentials?: boolean;
  /** How many tokens of the server it takes; 1. */
  readonly serverTokens?: number;
  /** What a context claims when it is complete: all but delegation, which is as asked. */
  readonly mutual?: boolean;
  readonly confidential?: boolean;
  /** Called before each step; throws to fail it, or never ends. */
  readonly onStep?: (step: number) => Promise<void>;
  /** Called before a context is made. */
  readonly onContext?: () => Promise<void>;
  /** A last token of ours, sent when the context is complete. */
  readonly lastToken?: Uint8Array;
  readonly maxPlain?: number;
}

/** What the client's tokens look like: "client token 0". */
export function clientToken(step: number): Uint8Array {
  return new TextEncoder().encode(`client token ${step}`);
}

/** Every context it made, and for what. */
export class FakeGss implements GssProvider {
  readonly name = "fake";
  readonly requests: GssContextRequest[] = [];
  readonly contexts: FakeContext[] = [];
  /** How often it was asked for credentials. */
  asked = 0;
  readonly #options: FakeGssOptions;

  constructor(options: FakeGssOptions = {}) {
    this.#options = options;
  }

  findCredentials(): Promise<GssCredentials> {
    this.asked += 1;
    return Promise.resolve(
      this.#options.credentials === false
        ? { found: false, why: "No Kerberos credentials available (default cache: FAKE:)" }
        : { found: true },
    );
  }

  async createContext(request: GssContextRequest): Promise<GssContext> {
    this.requests.push(request);
    await this.#options.onContext?.();
    const context = new FakeContext(request, this.#options);
    this.contexts.push(context);
    return context;
  }

  /** Whether nothing it made is left undisposed. */
  get allDisposed(): boolean {
    return this.contexts.every(({ disposed }) => disposed);
  }
}

/** Wraps by turning bits around, behind a number that counts and a sum. */
export class FakeContext implements GssContext {
  readonly #request: GssContextRequest | undefined;
  readonly #options: FakeGssOptions;
  #steps = 0;
  #sent = 0;
  #taken = 0;
  /** The tokens the server sent. */
  readonly received: (Uint8Array | undefined)[] = [];
  disposed = false;

  /** Without a request it is the server's, complete from its beginning. */
  constructor(request?: GssContextRequest, options: FakeGssOptions = {}) {
    this.#request = request;
    this.#options = options;
  }

  async step(token: Uint8Array | undefined): Promise<GssStep> {
    const { serverTokens = 1, mutual = true, confidential = true, lastToken } = this.#options;
    const step = this.#steps++;
    this.received.push(token?.slice());
    await this.#options.onStep?.(step);
    const complete = step >= serverTokens;
    return {
      token: complete ? lastToken?.slice() ?? new Uint8Array(0) : clientToken(step),
      complete,
      mutual: complete && mutual,
      confidential: complete && confidential,
      delegated: complete && this.#request?.delegate === true,
    };
  }

  wrapSizeLimit(maxWrapped: number): Promise<number> {
    return Promise.resolve(this.#options.maxPlain ?? maxWrapped - OVERHEAD);
  }

  wrap(plain: Uint8Array): Promise<Uint8Array> {
    return Promise.resolve(sealed(plain, this.#sent++));
  }

  unwrap(wrapped: Uint8Array): Promise<Uint8Array> {
    const number = this.#taken++;
    const plain = wrapped.slice(OVERHEAD).map((octet) => octet ^ TURN);
    const expected = sealed(plain, number);
    if (expected.every((octet, index) => octet === wrapped[index])) return Promise.resolve(plain);
    return Promise.reject(
      new ConnectionError("gss-failed", "Cannot decrypt the session: Message stream modified", {
        phase: "ready",
      }),
    );
  }

  dispose(): void {
    this.disposed = true;
  }
}

/** What wrapping adds. */
export const OVERHEAD = 8;
const TURN = 0x5a;

function sealed(plain: Uint8Array, number: number): Uint8Array {
  const packet = new Uint8Array(OVERHEAD + plain.length);
  const view = new DataView(packet.buffer);
  view.setUint32(0, number);
  view.setUint32(4, plain.reduce((sum, octet, index) => sum + octet * (index + 1), number) >>> 0);
  packet.set(plain.map((octet) => octet ^ TURN), OVERHEAD);
  return packet;
}
