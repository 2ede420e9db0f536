import { PolicyError, UsageError } from "../errors.ts";
import { joinOctets } from "../wire/join.ts";
import { encodeBase64 } from "./base64.ts";
import { equalOctets } from "./constant_time.ts";
import { scramProof } from "./scram_keys.ts";
import type { ScramKeys } from "./scram_keys.ts";
import { isNonce, parseServerFinal, parseServerFirst } from "./scram_messages.ts";

export { scramKeys } from "./scram_keys.ts";
export type { ScramKeys } from "./scram_keys.ts";

/** The SASL mechanisms of PostgreSQL that are SCRAM, by their registered names. */
export type ScramMechanism = "SCRAM-SHA-256" | "SCRAM-SHA-256-PLUS";

/**
 * What client-first says about channel binding: `n` we cannot, `y` we could but the server offered
 * none, `p` bound to the server's certificate (RFC 5929).
 */
export type Gs2Header = "n,," | "y,," | "p=tls-server-end-point,,";

/** What one SCRAM exchange is made from. */
export interface ScramOptions {
  /** The mechanism chosen. */
  readonly mechanism: ScramMechanism;
  /** What to say about channel binding. */
  readonly gs2Header: Gs2Header;
  /** The hash of the server's certificate with `p`, empty without. */
  readonly bindingData: Uint8Array;
  /**
   * Our nonce: printable ASCII without comma, fresh for every exchange; 18 random octets in base64
   * are usual.
   */
  readonly nonce: string;
}

type State =
  | { readonly at: "begin" }
  | { readonly at: "await-server-first"; readonly clientFirstBare: Uint8Array }
  | {
    readonly at: "await-keys";
    readonly clientFirstBare: Uint8Array;
    readonly serverFirst: Uint8Array;
    readonly nonce: string;
  }
  | { readonly at: "await-server-final"; readonly serverSignature: Uint8Array }
  | { readonly at: "verified" }
  | { readonly at: "failed" };

/** Held by this module alone, so that nothing else can make a {@link VerifiedServer}. */
const MAKER: unique symbol = Symbol("scram.ts");

/**
 * The server has proved that it knows our keys: evidence for the gate, made only by {@link
 * ScramExchange}.
 */
export class VerifiedServer {
  /** The mechanism of the exchange that proved it. */
  readonly mechanism: ScramMechanism;
  readonly #genuine: true;

  /**
   * For a finished exchange only.
   *
   * @param maker Known to this module alone.
   * @param mechanism The mechanism of the exchange.
   * @throws {UsageError} If anything but a finished exchange calls it.
   */
  constructor(maker: symbol, mechanism: ScramMechanism) {
    if (maker !== MAKER) {
      throw new UsageError("Cannot make a VerifiedServer: only a finished ScramExchange can");
    }
    this.mechanism = mechanism;
    this.#genuine = true;
  }

  /** Whether a value was made by a finished exchange. */
  static isGenuine(value: unknown): value is VerifiedServer {
    return typeof value === "object" && value !== null && #genuine in value && value.#genuine;
  }
}

/**
 * The client's side of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677), as libpq speaks it: the
 * user name is left empty, because the server takes the one of the StartupMessage.
 *
 * Call {@link ScramExchange.clientFirst}, `serverFirst`, `clientFinal` and `serverFinal` once each,
 * in this order.
 *
 * @example
 * ```ts
 * const exchange = new ScramExchange({
 *   mechanism: "SCRAM-SHA-256",
 *   gs2Header: "n,,",
 *   bindingData: new Uint8Array(0),
 *   nonce: "fyko+d2lbbFgONRv9qkxdawL",
 * });
 * new TextDecoder().decode(exchange.clientFirst()); // "n,,n=,r=fyko+d2lbbFgONRv9qkxdawL"
 * ```
 */
export class ScramExchange {
  readonly #mechanism: ScramMechanism;
  readonly #gs2Header: Gs2Header;
  readonly #bindingData: Uint8Array;
  readonly #nonce: string;
  #state: State = { at: "begin" };

  /**
   * Makes the client's side of one exchange.
   *
   * @param options Mechanism, channel binding and nonce.
   * @throws {UsageError} If the nonce is no nonce, or mechanism, header and binding data contradict
   *   each other.
   */
  constructor(options: ScramOptions) {
    const bound = options.gs2Header === "p=tls-server-end-point,,";
    if (!isNonce(options.nonce)) {
      throw new UsageError(
        "Cannot begin SCRAM: the nonce must be printable ASCII without comma, and not empty",
      );
    }
    if (bound !== (options.mechanism === "SCRAM-SHA-256-PLUS")) {
      throw new UsageError(
        `Cannot begin SCRAM: mechanism "${options.mechanism}" does not go with gs2 header "${options.gs2Header}"`,
      );
    }
    if (bound !== (options.bindingData.length > 0)) {
      throw new UsageError(
        `Cannot begin SCRAM: gs2 header "${options.gs2Header}" does not go with ` +
          `${options.bindingData.length} octets of channel binding data`,
      );
    }
    this.#mechanism = options.mechanism;
    this.#gs2Header = options.gs2Header;
    this.#bindingData = new Uint8Array(options.bindingData);
    this.#nonce = options.nonce;
  }

  /**
   * The data of SASLInitialResponse.
   *
   * @throws {UsageError} If called a second time.
   */
  clientFirst(): Uint8Array {
    const state = this.#state;
    if (state.at !== "begin") throw outOfOrder("clientFirst", state);
    const bare = ascii(`n=,r=${this.#nonce}`);
    this.#state = { at: "await-server-first", clientFirstBare: bare };
    return joinOctets([ascii(this.#gs2Header), bare]);
  }

  /**
   * Reads the data of AuthenticationSASLContinue. Its octets are kept as received: the proof covers
   * them.
   *
   * @returns What the keys are to be derived with.
   * @throws {MessageFormatError} If it is no server-first message.
   * @throws {PolicyError} `server-not-verified` if its nonce does not extend ours.
   * @throws {UsageError} If it is not the time for it.
   */
  serverFirst(data: Uint8Array): { readonly salt: Uint8Array; readonly iterations: number } {
    const state = this.#state;
    if (state.at !== "await-server-first") throw outOfOrder("serverFirst", state);
    this.#state = { at: "failed" };
    const serverFirst = new Uint8Array(data);
    const { nonce, salt, iterations } = parseServerFirst(serverFirst);
    const ours = ascii(this.#nonce);
    const theirs = ascii(nonce);
    // libpq takes a nonce that adds nothing; then the server would have no say in the transcript.
    if (theirs.length <= ours.length || !equalOctets(theirs.subarray(0, ours.length), ours)) {
      throw new PolicyError(
        "server-not-verified",
        "Cannot verify the server: its SCRAM nonce does not begin with ours and add its own",
      );
    }
    const { clientFirstBare } = state;
    this.#state = { at: "await-keys", clientFirstBare, serverFirst, nonce };
    return { salt, iterations };
  }

  /**
   * The data of the second SASLResponse, with the proof that we know the keys.
   *
   * @param keys Derived with the salt and iterations of server-first; copied by use, not kept.
   * @throws {UsageError} If it is not the time for it, or a key is not 32 octets.
   */
  clientFinal(keys: ScramKeys): Uint8Array {
    const state = this.#state;
    if (state.at !== "await-keys") throw outOfOrder("clientFinal", state);
    const binding = encodeBase64(joinOctets([ascii(this.#gs2Header), this.#bindingData]));
    const withoutProof = ascii(`c=${binding},r=${state.nonce}`);
    const comma = ascii(",");
    const transcript = joinOctets([
      state.clientFirstBare,
      comma,
      state.serverFirst,
      comma,
      withoutProof,
    ]);
    const { clientProof, serverSignature } = scramProof(keys, transcript);
    this.#state = { at: "await-server-final", serverSignature };
    return joinOctets([withoutProof, ascii(`,p=${encodeBase64(clientProof)}`)]);
  }

  /**
   * Reads the data of AuthenticationSASLFinal and checks the server's signature.
   *
   * @returns The evidence the gate asks for.
   * @throws {MessageFormatError} If it is no server-final message.
   * @throws {PolicyError} `server-not-verified` if the signature is wrong, or the server says it
   *   failed.
   * @throws {UsageError} If it is not the time for it.
   */
  serverFinal(data: Uint8Array): VerifiedServer {
    const state = this.#state;
    if (state.at !== "await-server-final") throw outOfOrder("serverFinal", state);
    this.#state = { at: "failed" };
    const signature = parseServerFinal(data);
    if (!equalOctets(signature, state.serverSignature)) {
      throw new PolicyError(
        "server-not-verified",
        "Cannot verify the server: incorrect server signature, it does not know the password",
      );
    }
    this.#state = { at: "verified" };
    return new VerifiedServer(MAKER, this.#mechanism);
  }
}

function outOfOrder(method: string, state: State): UsageError {
  return new UsageError(`Cannot call ${method}(): the SCRAM exchange is at "${state.at}"`);
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
