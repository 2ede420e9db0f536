/** The client's half of SCRAM-SHA-256 without channel binding, and without a look at what the server proves. */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";

/** What is worth keeping of a password. */
export interface RawKeys {
  readonly clientKey: Uint8Array;
  readonly storedKey: Uint8Array;
}

export interface ClientFirst {
  readonly bare: string;
  readonly message: string;
}

export interface ServerFirst {
  readonly text: string;
  readonly nonce: string;
  readonly salt: string;
  readonly iterations: number;
}

const encoder = new TextEncoder();

export function clientFirst(): ClientFirst {
  const bare = `n=,r=${encodeBase64(crypto.getRandomValues(new Uint8Array(18)))}`;
  return { bare, message: `n,,${bare}` };
}

export function readServerFirst(text: string): ServerFirst {
  const [nonce = "", salt = "", iterations = ""] = text.split(",").map((part) => part.slice(2));
  return { text, nonce, salt, iterations: Number(iterations) };
}

/** PBKDF2 by what is fastest without blocking: Web Crypto on Deno, the thread pool elsewhere. */
export async function deriveKeys(password: string, server: ServerFirst): Promise<RawKeys> {
  const salt = Uint8Array.from(atob(server.salt), (character) => character.charCodeAt(0));
  const salted = "Deno" in globalThis
    ? await byWebCrypto(password, salt, server.iterations)
    : await byNode(password, salt, server.iterations);
  const clientKey = hmac(sha256, salted, encoder.encode("Client Key"));
  return { clientKey, storedKey: sha256(clientKey) };
}

async function byWebCrypto(
  password: string,
  salt: Uint8Array<ArrayBuffer>,
  iterations: number,
): Promise<Uint8Array> {
  const octets = encoder.encode(password);
  const key = await crypto.subtle.importKey("raw", octets, "PBKDF2", false, ["deriveBits"]);
  const algorithm = { name: "PBKDF2", hash: "SHA-256", salt, iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, 256));
}

async function byNode(
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<Uint8Array> {
  const { pbkdf2 } = await import("node:crypto");
  return await new Promise((resolve, reject) =>
    pbkdf2(password, salt, iterations, 32, "sha256", (error, salted) => {
      if (error === null) resolve(new Uint8Array(salted));
      else reject(error);
    })
  );
}

/** client-final-message (RFC 5802 section 7). */
export function clientFinal(first: ClientFirst, server: ServerFirst, keys: RawKeys): string {
  const withoutProof = `c=biws,r=${server.nonce}`;
  const transcript = encoder.encode(`${first.bare},${server.text},${withoutProof}`);
  const signature = hmac(sha256, keys.storedKey, transcript);
  const proof = keys.clientKey.map((octet, at) => octet ^ (signature[at] ?? 0));
  return `${withoutProof},p=${encodeBase64(proof)}`;
}

function encodeBase64(octets: Uint8Array): string {
  return btoa(String.fromCharCode(...octets));
}
