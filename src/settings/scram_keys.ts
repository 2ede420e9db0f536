import { ConfigError } from "../errors.ts";
import type { ConnectionParameters } from "./parameters.ts";
import { Secret } from "./secret.ts";

/** The two keys that can stand in for a password. */
export interface ScramKeys {
  readonly scramClientKey: Secret<Uint8Array> | undefined;
  readonly scramServerKey: Secret<Uint8Array> | undefined;
}

type KeyName = "scram_client_key" | "scram_server_key";

/** SHA-256 gives keys of this size (RFC 7677); it takes 43 characters of base64 and one "=". */
const KEY_OCTETS = 32;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * Reads scram_client_key and scram_server_key.
 *
 * @throws {ConfigError} If one is not the base64 of 32 octets, or one is given without the other.
 */
export function resolveScramKeys(parameters: ConnectionParameters): ScramKeys {
  const scramClientKey = keyOf("scram_client_key", parameters);
  const scramServerKey = keyOf("scram_server_key", parameters);
  if (scramClientKey !== undefined && scramServerKey === undefined) {
    throw new ConfigError(
      "Cannot use scram_client_key alone: without scram_server_key the server's answer " +
        "cannot be verified",
      { keyword: "scram_server_key" },
    );
  }
  if (scramServerKey !== undefined && scramClientKey === undefined) {
    throw new ConfigError(
      "Cannot use scram_server_key alone: without scram_client_key there is nothing to log in with",
      { keyword: "scram_client_key" },
    );
  }
  return { scramClientKey, scramServerKey };
}

function keyOf(
  keyword: KeyName,
  parameters: ConnectionParameters,
): Secret<Uint8Array> | undefined {
  const text = parameters[keyword];
  if (text === undefined) return undefined;
  const key = decodeBase64(text);
  if (key === undefined) {
    throw new ConfigError(`Cannot use ${keyword}: it is not base64`, { keyword });
  }
  if (key.length !== KEY_OCTETS) {
    throw new ConfigError(
      `Cannot use ${keyword}: it has ${key.length} octets, but a key has ${KEY_OCTETS}`,
      { keyword },
    );
  }
  return new Secret(key);
}

/** RFC 4648 section 4, strict: padded, no other characters, unused bits zero. */
function decodeBase64(text: string): Uint8Array | undefined {
  const body = text.replace(/={1,2}$/, "");
  const isWellFormed = text.length % 4 === 0 && /^[A-Za-z0-9+/]*$/.test(body);
  if (!isWellFormed) return undefined;
  const octets: Uint8Array = new Uint8Array(Math.floor(body.length * 6 / 8));
  let held = 0;
  let bits = 0;
  let length = 0;
  for (const character of body) {
    held = (held << 6 | ALPHABET.indexOf(character)) & 0xfff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      octets[length++] = held >> bits & 0xff;
    }
  }
  return (held & (1 << bits) - 1) === 0 ? octets : undefined;
}
