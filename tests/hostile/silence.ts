/** Looks for secrets in everything a runtime can make of a value. */
import assert from "node:assert/strict";
import { Console } from "node:console";
import { Writable } from "node:stream";
import { format } from "node:util";
import { Buffer } from "node:buffer";
import { needles, printed } from "../handshake/secrets.ts";

/** Named secrets, as text or octets. */
export type Secrets = Readonly<Record<string, string | Uint8Array>>;

const DEEP = { depth: 20, showHidden: true, getters: true, maxArrayLength: null };

/** All of them, one behind the other: texts, JSON, the runtimes' inspectors, what console.log() writes. */
export function allPrints(value: unknown): string {
  const scope = globalThis as unknown as Readonly<
    Record<"Deno" | "Bun", { inspect(value: unknown, options?: object): string } | undefined>
  >;
  return [
    printed(value),
    `${format("%s %o %O %j", value, value, value, value)}`,
    scope.Deno?.inspect(value, { ...DEEP, iterableLimit: Infinity, strAbbreviateSize: Infinity }),
    scope.Bun?.inspect(value, DEEP),
    logged(value),
    ...parts(value),
  ].join("\n");
}

/** What console.log() writes of it. */
function logged(value: unknown): string {
  let text = "";
  const sink = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      text += new TextDecoder().decode(chunk);
      done();
    },
  });
  const log = new Console({ stdout: sink, stderr: sink });
  log.log(value);
  log.dir(value, DEEP);
  return text;
}

/** An error's causes, and the errors of its attempts, which a logger may walk through. */
function parts(value: unknown): readonly string[] {
  const { cause, errors, attempts } = (value ?? {}) as {
    readonly cause?: unknown;
    readonly errors?: unknown;
    readonly attempts?: unknown;
  };
  return [cause, errors, attempts].flatMap((part) => part === undefined ? [] : [printed(part)]);
}

/** The name and spelling of the first secret that can be read in a text; undefined if there is none. */
export function shownIn(text: string, secrets: Secrets): string | undefined {
  const folded = text.replace(/\s+/g, " ");
  const packed = text.replace(/\s+/g, "");
  for (const [name, secret] of Object.entries(secrets)) {
    const octets = typeof secret === "string" ? new TextEncoder().encode(secret) : secret;
    const spellings = [
      ...needles(octets),
      Buffer.from(octets).toString("base64url"),
      ...(typeof secret === "string" ? [secret, encodeURIComponent(secret)] : []),
    ];
    for (const one of spellings) {
      if (folded.includes(one) || packed.includes(one)) return `${name} as ${one}`;
    }
  }
  return undefined;
}

/** Asserts that no print of a value shows any of them. */
export function assertSilent(value: unknown, secrets: Secrets, where: string): void {
  assert.equal(shownIn(allPrints(value), secrets), undefined, where);
}
