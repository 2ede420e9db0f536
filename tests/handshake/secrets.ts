/** Finds secrets in whatever can be printed. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { inspect } from "node:util";
import { toHex } from "../support/vectors.ts";

/** The ways octets show up in prints: as text, hex, base64, lists of numbers and octets of a buffer. */
export function needles(secret: Uint8Array): readonly string[] {
  const bytes = Buffer.from(secret);
  const numbers = [...secret];
  const texts = [
    toHex(secret),
    bytes.toString("base64").replace(/=+$/, ""),
    numbers.join(","),
    numbers.join(", "),
    numbers.map((octet) => octet.toString(16).padStart(2, "0")).join(" "),
    // A typed array as JSON.stringify() writes it.
    numbers.map((octet, at) => `"${at}":${octet}`).join(","),
  ];
  const text = bytes.toString("latin1");
  return /^[\x20-\x7e]+$/.test(text) ? [text, ...texts] : texts;
}

/** All that prints of a value: JSON, inspection with everything hidden shown, and its text. */
export function printed(value: unknown): string {
  const seen = new Set<unknown>();
  const json = JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === "bigint") return String(inner);
    if (typeof inner !== "object" || inner === null) return inner;
    if (seen.has(inner)) return "(seen)";
    seen.add(inner);
    return inner instanceof Map || inner instanceof Set ? [...inner] : inner;
  });
  const options = { depth: 10, showHidden: true, maxArrayLength: null, breakLength: Infinity };
  const stack = value instanceof Error ? `${value.message}\n${value.stack}` : "";
  return `${json}\n${inspect(value, options)}\n${String(value)}\n${stack}\n${octetsUnder(value)}`;
}

/** Hex of every buffer that can be reached, all of it: a view gives away what stands beside it. */
function octetsUnder(value: unknown): string {
  const seen = new Set<unknown>();
  const found: string[] = [];
  const walk = (inner: unknown): void => {
    if (typeof inner !== "object" || inner === null || seen.has(inner)) return;
    seen.add(inner);
    if (ArrayBuffer.isView(inner)) found.push(toHex(new Uint8Array(inner.buffer)));
    else if (inner instanceof Map || inner instanceof Set) [...inner].forEach(walk);
    else for (const name of Reflect.ownKeys(inner)) walk(Reflect.get(inner, name));
  };
  walk(value);
  return found.join("\n");
}

/** Fails if one of the secrets can be read in a print of the value. */
export function assertNoSecret(
  value: unknown,
  secrets: ReadonlyMap<string, Uint8Array>,
  where: string,
): void {
  const print = printed(value);
  // What is folded over lines or grouped is found as well.
  const folded = print.replace(/\s+/g, " ");
  for (const [what, secret] of secrets) {
    for (const needle of needles(secret)) {
      assert.ok(!folded.includes(needle), `${where} shows ${what} as "${needle}"`);
    }
  }
}
