/** What the fuzzed start-ups are made of: logins with other settings, other TLS, other messages. */
import type { Verification } from "../../src/auth/channel.ts";
import type { Encryption } from "../../src/errors.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import type { Script } from "../handshake/converse.ts";
import { MESSAGES } from "../handshake/places.ts";
import { type CaseConfig, handshakeCases, scriptOf, securedBy } from "../handshake/vector_case.ts";
import { mutate, type Prng } from "../support/prng.ts";
import { join } from "../support/vectors.ts";
import { backendMessage } from "./messages.ts";

/** A conversation to be. */
export interface Input {
  readonly config: CaseConfig;
  readonly script: Script;
  readonly flights: readonly Uint8Array[];
  readonly cut: number;
  /** Calls the caller makes out of order, one before each of the first steps; they change nothing. */
  readonly mistakes: readonly number[];
  /** Whether every object is printed in full, which is slow. */
  readonly prints: boolean;
}

/** Logins; the longest are there for their limits, and cost time here. */
const FINISHING = handshakeCases().filter((one) =>
  "finish" in one.outcome &&
  scriptOf(one).flights.every((part) => part === "end" || part.length < 3_000)
);
/** In place of the vectors' password, which is a word that others may say. */
export const PASSWORD: Uint8Array = new TextEncoder().encode("pncl-7Q-xyzzy-42");
/** In place of every cancel key. */
export const KEY: Uint8Array = Uint8Array.from({ length: 16 }, (_, at) => 0xc1 + at);
const CERTIFICATES = ["EC256/SHA-256", "Ed25519", "server.crt", "hex:30820101", "hex:"] as const;
const REQUIRE_AUTH = [
  "scram-sha-256",
  "md5",
  "password",
  "none",
  "!none",
  "scram-sha-256,none",
  "!scram-sha-256",
  "gss",
  "!password,!md5",
] as const;
const VERIFY: readonly Verification[] = ["none", "ca", "full"];
const ENCRYPTION: readonly Encryption[] = ["plain", "ssl-request", "direct-tls"];

const NOTHING: Uint8Array = new Uint8Array(0);

/** Makes one of a login that ends well. */
export function clientInput(prng: Prng): Input {
  const base = prng.pick(FINISHING);
  const config = { ...base.config, ...configChanges(prng) };
  const script = { ...scriptOf(base), password: prng.below(30) === 0 ? NOTHING : PASSWORD };
  const changed = base.tls === undefined || prng.below(6) === 0
    ? { ...script, secured: securedBy(tlsAnswer(prng)) }
    : script;
  return {
    config,
    script: changed,
    flights: flights(script, prng).filter(({ length }) => length > 0),
    cut: prng.pick([1, 2 + prng.below(0xffff_0000)]),
    mistakes: prng.below(4) === 0 ? [prng.below(4), prng.below(4)] : [],
    prints: prng.below(32) === 0,
  };
}

function configChanges(prng: Prng): CaseConfig {
  const maybe = <Value>(name: string, values: readonly Value[]): Record<string, Value> =>
    prng.below(5) === 0 ? { [name]: prng.pick(values) } : {};
  return {
    ...maybe("encryption", ENCRYPTION),
    ...maybe("plaintextAfterRefusal", [true, false]),
    ...maybe("requireAuth", REQUIRE_AUTH),
    ...maybe("channelBinding", ["disable", "prefer", "require"]),
    ...maybe("allowCleartextPassword", [true, false]),
    ...maybe("minScramIterations", [1, 4096, 4097]),
    ...maybe("local", [true, false]),
    ...maybe("verify", VERIFY),
    ...maybe("protocolVersion", ["3.0", "3.2"]),
  };
}

function tlsAnswer(prng: Prng): Parameters<typeof securedBy>[0] {
  const certificate = prng.pick([undefined, ...CERTIFICATES]);
  const alpn = prng.pick([undefined, "postgresql", "http/1.1", "\u001b[2J"]);
  return {
    verified: prng.pick(VERIFY),
    ...(alpn !== undefined && { alpn }),
    ...(certificate !== undefined && { certificate }),
  };
}

/** Messages moved, doubled, dropped and put in, or octets changed. */
function flights(script: Script, prng: Prng): readonly Uint8Array[] {
  const changed = script.flights.filter((part) => part !== "end");
  switch (prng.below(6)) {
    case 0:
      return changed;
    case 1:
    case 2: {
      const at = prng.below(changed.length);
      changed[at] = mutate(changed[at] ?? NOTHING, prng);
      return changed;
    }
    case 3:
      if (prng.below(4) === 0) return together(changed);
      return Array.from({ length: 1 + prng.below(6) }, () => anyMessage(prng));
    default: {
      const messages = changed.flatMap(messagesOf);
      for (let edits = 1 + prng.below(3); edits > 0; edits--) {
        const cutOut = messages.splice(prng.below(messages.length), prng.below(2));
        const put = prng.below(2) === 0 ? cutOut : [anyMessage(prng)];
        messages.splice(prng.below(messages.length + 1), 0, ...put);
      }
      return messages;
    }
  }
}

/** The first two flights in one: what must wait for us does not. */
function together(flights: readonly Uint8Array[]): readonly Uint8Array[] {
  const [first = NOTHING, second = NOTHING, ...rest] = flights;
  return [join(first, second), ...rest];
}

/** A message with everything right but perhaps its place, or one made of chance. */
function anyMessage(prng: Prng): Uint8Array {
  const names = Object.keys(MESSAGES) as readonly (keyof typeof MESSAGES)[];
  const message = prng.below(4) === 0 ? backendMessage(prng) : MESSAGES[prng.pick(names)];
  if (message.type === "BackendKeyData") return encodeBackend({ ...message, secretKey: KEY });
  return encodeBackend(message);
}

/** The messages of a flight; an octet that answers SSLRequest stays alone. */
function messagesOf(flight: Uint8Array): readonly Uint8Array[] {
  const messages: Uint8Array[] = [];
  const view = new DataView(flight.buffer, flight.byteOffset, flight.length);
  for (let at = 0; at < flight.length;) {
    const length = at + 5 <= flight.length ? view.getUint32(at + 1) + 1 : 1;
    messages.push(flight.slice(at, at + length));
    at += length;
  }
  return messages;
}
