/** SCRAM-SHA-256 as a server does it (RFC 5802, RFC 7677), by node:crypto and thus without the code under test. */
import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";
import type { Peer } from "./peer.ts";

/** What a server stores of a password. */
export interface ScramSecret {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly password: string;
}

/** What a server stores unless said. */
export const SECRET: ScramSecret = {
  salt: Buffer.from("salt of a test"),
  iterations: 4096,
  password: "",
};

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** The two keys of a password. */
export function keysOf(secret: ScramSecret): { readonly client: Buffer; readonly server: Buffer } {
  const { password, salt, iterations } = secret;
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  return { client: hmac(salted, "Client Key"), server: hmac(salted, "Server Key") };
}

/** One exchange, step by step, for plays that stop in the middle. */
export class ScramServer {
  readonly secret: ScramSecret;
  readonly #peer: Peer;
  #clientFirst = "";
  #serverFirst = "";

  constructor(peer: Peer, secret: Partial<ScramSecret> & { readonly password: string }) {
    this.#peer = peer;
    this.secret = { ...SECRET, ...secret };
  }

  /** Offers mechanisms, takes client-first, sends server-first once `when` has come. */
  async first(
    mechanisms: readonly string[] = ["SCRAM-SHA-256"],
    when?: Promise<void>,
  ): Promise<void> {
    await this.#peer.send({ type: "AuthenticationSASL", mechanisms });
    const initial = await this.#peer.message("sasl-initial");
    if (initial.type !== "SASLInitialResponse") throw new Error(`Cannot take ${initial.type}`);
    this.#clientFirst = Buffer.from(initial.data ?? []).toString().replace(/^[^,]*,[^,]*,/, "");
    await when;
    const nonce = /r=([^,]*)/.exec(this.#clientFirst)?.[1] ?? "";
    const { salt, iterations } = this.secret;
    this.#serverFirst = `r=${nonce}server,s=${
      Buffer.from(salt).toString("base64")
    },i=${iterations}`;
    const data = new Uint8Array(Buffer.from(this.#serverFirst));
    await this.#peer.send({ type: "AuthenticationSASLContinue", data });
  }

  /**
   * Takes client-final and checks its proof.
   *
   * @returns server-final.
   */
  async proof(): Promise<Uint8Array> {
    const response = await this.#peer.message("sasl");
    if (response.type !== "SASLResponse") throw new Error(`Cannot take ${response.type}`);
    const final = Buffer.from(response.data).toString();
    const [, bare = "", proof = ""] = /^(.*),p=(.*)$/.exec(final) ?? [];
    const transcript = `${this.#clientFirst},${this.#serverFirst},${bare}`;
    const { client, server } = keysOf(this.secret);
    const stored = createHash("sha256").update(client).digest();
    const signature = hmac(stored, transcript);
    const expected = Buffer.from(client.map((octet, at) => octet ^ (signature[at] ?? 0)));
    if (!timingSafeEqual(expected, Buffer.from(proof, "base64"))) {
      throw new Error("Cannot let the client in: its proof is wrong");
    }
    return new Uint8Array(Buffer.from(`v=${hmac(server, transcript).toString("base64")}`));
  }
}
