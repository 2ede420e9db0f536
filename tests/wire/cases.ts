/** What the tests of the wire share: vectors as messages, streams cut anywhere, errors that are declared. */
import assert from "node:assert/strict";
import {
  MessageFormatError,
  type PgHandshakeError,
  ProtocolError,
  UsageError,
} from "../../src/errors.ts";
import { type BackendMessage, decodeBackend } from "../../src/wire/backend.ts";
import { MAX_STARTUP_LENGTH } from "../../src/wire/codes.ts";
import { Deframer } from "../../src/wire/deframer.ts";
import {
  decodeFrontend,
  type FrontendMessage,
  type PasswordContext,
} from "../../src/wire/frontend.ts";
import {
  BEFORE_OK_LIMITS,
  type FrameLimits,
  FRONTEND_LIMITS,
  PREPARE_LIMITS,
  SESSION_LIMITS,
} from "../../src/wire/limits.ts";
import { decodeStartupPacket } from "../../src/wire/startup.ts";
import { hex, readVectors, type VectorCase } from "../support/vectors.ts";

/** The octets of a vector, and what they mean. */
export interface WireCase<Message> extends VectorCase {
  readonly message: Message;
  readonly octets: Uint8Array;
  /** Other octets mean the same, so writing gives those. */
  readonly decodeOnly: boolean;
  /** Reads all messages of a stream whose pieces come one after the other. */
  readonly decode: (pieces: readonly Uint8Array[]) => readonly Message[];
}

/** A case as it stands in a file. */
interface RawCase extends VectorCase {
  readonly hex: string;
  readonly message: unknown;
  readonly limits?: string;
  readonly expect?: PasswordContext;
  readonly decodeOnly?: boolean;
}

/** The limits a vector names. */
export function limitsOf(name: string | undefined): FrameLimits {
  switch (name) {
    case "before-ok":
      return BEFORE_OK_LIMITS;
    case "prepare":
      return PREPARE_LIMITS;
    case "session":
      return SESSION_LIMITS;
    default:
      throw new Error(`Cannot use limits "${name}": no such phase is known`);
  }
}

/** Fields that are octets, which JSON writes as hex. */
const OCTETS = new Set(["salt", "data", "secretKey", "password"]);

/** A message of JSON as the message it stands for: octets for hex, long texts for `{ text, times }`. */
export function revive(value: unknown, key = ""): unknown {
  if (OCTETS.has(key)) return value === null ? undefined : hex(value as string);
  if (Array.isArray(value)) return value.map((item) => revive(item));
  if (typeof value !== "object" || value === null) return value;
  if ("times" in value) {
    const { text, times } = value as unknown as { text: string; times: number };
    return text.repeat(times);
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, revive(item, name)]),
  );
}

/** Reads every message of a server's stream. */
export function decodeServer(
  pieces: readonly Uint8Array[],
  limits: FrameLimits,
): readonly BackendMessage[] {
  const deframer = new Deframer();
  const messages: BackendMessage[] = [];
  for (const piece of pieces) {
    deframer.push(piece);
    for (let frame = deframer.message(limits); frame; frame = deframer.message(limits)) {
      messages.push(decodeBackend(frame));
    }
  }
  return messages;
}

/** Reads every message of a client's stream behind its start-up packet. */
export function decodeClient(
  pieces: readonly Uint8Array[],
  expect: PasswordContext,
): readonly FrontendMessage[] {
  const deframer = new Deframer();
  const messages: FrontendMessage[] = [];
  for (const piece of pieces) {
    deframer.push(piece);
    let frame = deframer.message(FRONTEND_LIMITS);
    for (; frame; frame = deframer.message(FRONTEND_LIMITS)) {
      messages.push(decodeFrontend(frame, expect));
    }
  }
  return messages;
}

/** Reads every start-up packet of a client's stream. */
export function decodePackets(pieces: readonly Uint8Array[]): readonly FrontendMessage[] {
  const deframer = new Deframer();
  const packets: FrontendMessage[] = [];
  for (const piece of pieces) {
    deframer.push(piece);
    let body = deframer.packet(MAX_STARTUP_LENGTH);
    for (; body; body = deframer.packet(MAX_STARTUP_LENGTH)) {
      packets.push(decodeStartupPacket(body));
    }
  }
  return packets;
}

function readCases<Message>(
  file: string,
  decode: (raw: RawCase, pieces: readonly Uint8Array[]) => readonly Message[],
): readonly WireCase<Message>[] {
  return readVectors<RawCase>(file).map((raw) => ({
    name: raw.name,
    source: raw.source,
    message: revive(raw.message) as Message,
    octets: hex(raw.hex),
    decodeOnly: raw.decodeOnly === true,
    decode: (pieces) => decode(raw, pieces),
  }));
}

/** The messages of a server. */
export const backendCases: readonly WireCase<BackendMessage>[] = readCases(
  "wire_backend",
  (raw, pieces) => decodeServer(pieces, limitsOf(raw.limits)),
);

/** The messages of a client that have a type octet. */
export const frontendCases: readonly WireCase<FrontendMessage>[] = readCases(
  "wire_frontend",
  (raw, pieces) => decodeClient(pieces, raw.expect ?? "none"),
);

/** The start-up packets of a client. */
export const startupCases: readonly WireCase<FrontendMessage>[] = readCases(
  "wire_startup",
  (_raw, pieces) => decodePackets(pieces),
);

/** Fails unless the error is one that octets of a peer may cause. */
export function assertDeclared(error: unknown, hint: string): void {
  const declared = error instanceof MessageFormatError || error instanceof ProtocolError;
  assert.ok(declared, `${hint}: ${error instanceof Error ? error.stack : error}`);
}

/** The class a vector of refused octets or messages names. */
export function errorClass(kind: string): abstract new (...args: never[]) => PgHandshakeError {
  switch (kind) {
    case "MessageFormatError":
      return MessageFormatError;
    case "ProtocolError":
      return ProtocolError;
    case "UsageError":
      return UsageError;
    default:
      throw new Error(`Cannot use kind "${kind}": no such error is known`);
  }
}

/**
 * Fails unless every prefix of the octets is no message yet, and every shortened body whose length word agrees
 * ends in a message or a declared error. Long octets are tried near their ends and at steps between.
 */
export function assertPrefixesSafe<Message>(one: WireCase<Message>, lengthAt: 0 | 1): void {
  const { octets } = one;
  for (const length of prefixLengths(octets.length)) {
    const prefix = octets.subarray(0, length);
    assert.deepEqual(one.decode([prefix]), [], `a prefix of ${length} octets`);
    if (length < lengthAt + 4) continue;
    const shortened = new Uint8Array(prefix);
    new DataView(shortened.buffer).setUint32(lengthAt, length - lengthAt);
    try {
      for (const message of one.decode([shortened])) {
        assert.notDeepEqual(message, one.message, `cut to ${length} octets`);
      }
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      assertDeclared(error, `cut to ${length} octets`);
    }
  }
}

function prefixLengths(length: number): readonly number[] {
  const lengths: number[] = [];
  const step = Math.max(1, Math.floor(length / 20));
  for (let at = 0; at < length; at += at < 400 || at >= length - 20 ? 1 : step) {
    lengths.push(Math.min(at, length - 1));
  }
  return lengths;
}
