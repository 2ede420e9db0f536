/** The codecs of both directions: what is written reads as itself, what is changed ends in declared errors. */
import assert from "node:assert/strict";
import { MessageFormatError, ProtocolError, UsageError } from "../../src/errors.ts";
import { type BackendMessage, decodeBackend, encodeBackend } from "../../src/wire/backend.ts";
import {
  decodeFrontend,
  encodeFrontend,
  type FrontendMessage,
  type PasswordContext,
} from "../../src/wire/frontend.ts";
import {
  BEFORE_OK_LIMITS,
  type FrameLimits,
  PREPARE_LIMITS,
  SESSION_LIMITS,
} from "../../src/wire/limits.ts";
import { decodeStartupPacket } from "../../src/wire/startup.ts";
import { mutate, type Prng } from "../support/prng.ts";
import { join, toHex } from "../support/vectors.ts";
import { decodeClient, decodePackets, decodeServer } from "../wire/cases.ts";
import { fewerOctets, fuzz, type Report, type Target } from "./fuzz.ts";
import { backendMessage, frontendMessage, startupPacket } from "./messages.ts";
import { assertHides, comparable, NEEDLE, needlesOf, outcome, pieces, saidBy } from "./parts.ts";

/** One role's codecs, in one context. */
interface Codec<Message> {
  readonly label: string;
  /** Whether every message that is made is legal there, so that it must be read. */
  readonly takesAll: boolean;
  readonly make: (prng: Prng) => Message;
  /** Where the length word stands. */
  readonly lengthAt: 0 | 1;
  /** Reads a stream that came in pieces. */
  readonly read: (cut: readonly Uint8Array[]) => readonly Message[];
  readonly write: (message: Message) => Uint8Array;
  /** Reads the octets of one message as they were written, whatever its length. */
  readonly readOne: (whole: Uint8Array) => Message;
}

/** A stream, and what it was before it was changed. */
interface Stream<Message> {
  readonly codec: Codec<Message>;
  readonly octets: Uint8Array;
  /** What the octets mean; undefined once they were changed. */
  readonly messages: readonly Message[] | undefined;
  readonly cut: number;
  /** One message, whose body and length word have grown: nothing of it may be passed over. */
  readonly grown?: true;
}

const HIDDEN = needlesOf(NEEDLE);
const DECLARED = [MessageFormatError, ProtocolError];
/** A stream of one octet a piece costs a lot; only short ones are cut like that. */
const MAX_OCTETWISE = 300;

function target<Message>(
  name: string,
  codecs: readonly Codec<Message>[],
): Target<Stream<Message>> {
  return {
    name,
    generate(prng) {
      const codec = prng.pick(codecs);
      const messages = Array.from({ length: 1 + prng.below(3) }, () => codec.make(prng));
      const octets = join(...messages.map((message) => codec.write(message)));
      const cut = 2 + prng.u32() % 0xffff_0000;
      if (codec.takesAll && prng.below(4) === 0) return { codec, octets, messages, cut };
      if (codec.takesAll && prng.below(4) === 0) {
        const octets = grown(codec.write(codec.make(prng)), codec.lengthAt, prng);
        return { codec, octets, messages: undefined, cut, grown: true };
      }
      return { codec, octets: mutate(octets, prng), messages: undefined, cut };
    },
    check: checkStream,
    show: ({ codec, octets, cut }) => `${codec.label}, octets ${toHex(octets)}, cut ${cut}`,
    *smaller(stream) {
      for (const octets of fewerOctets(stream.octets)) {
        yield { codec: stream.codec, octets, messages: undefined, cut: stream.cut };
      }
    },
  };
}

function checkStream<Message>(stream: Stream<Message>): string {
  const { codec, octets, messages, cut } = stream;
  const whole = outcome(DECLARED, () => codec.read([octets]));
  const other = octets.length <= MAX_OCTETWISE && cut % 4 === 0 ? 1 : cut;
  const inPieces = outcome(DECLARED, () => codec.read(pieces(octets, other)));
  assert.deepEqual(comparable(inPieces), comparable(whole), "the cut matters");
  if (messages !== undefined) {
    assert.deepEqual(comparable(whole), messages, "decode(encode(m)) is not m");
    const written = messages.map((message) => codec.write(message));
    assert.equal(toHex(join(...written)), toHex(octets), "encode(decode(x)) is not x");
    return "round trip";
  }
  if (whole.kind === "error") {
    assertHides(saidBy(whole.error), HIDDEN, "the error");
    return whole.error.code;
  }
  for (const message of whole.value) assertStable(message, codec);
  if (stream.grown && whole.value.length > 0) {
    const written = whole.value.map((message) => codec.write(message));
    assert.equal(toHex(join(...written)), toHex(octets), "surplus octets are passed over");
  }
  return whole.value.length > 0 ? "read" : "incomplete";
}

/** The message with one to four octets behind it that its length word counts. */
function grown(message: Uint8Array, lengthAt: 0 | 1, prng: Prng): Uint8Array {
  const longer = join(message, prng.octets(1 + prng.below(4)));
  new DataView(longer.buffer).setUint32(lengthAt, longer.length - lengthAt);
  return longer;
}

/** What was read can be written, unless no message can say it, and reads as the same again. */
function assertStable<Message>(message: Message, codec: Codec<Message>): void {
  const written = outcome([UsageError], () => codec.write(message));
  if (written.kind === "error") {
    assertHides(saidBy(written.error), HIDDEN, "the error");
    return;
  }
  const again = codec.readOne(written.value);
  assert.deepEqual(again, message, "decode(encode(m)) is not m");
  assert.equal(toHex(codec.write(again)), toHex(written.value), "encode(decode(x)) is not x");
}

function backendCodec(label: string, limits: FrameLimits): Codec<BackendMessage> {
  return {
    label,
    takesAll: limits === SESSION_LIMITS,
    make: backendMessage,
    lengthAt: 1,
    read: (cut) => decodeServer(cut, limits),
    write: encodeBackend,
    readOne: (whole) => decodeBackend({ type: whole[0] ?? 0, body: whole.slice(5) }),
  };
}

function frontendCodec(expect: PasswordContext): Codec<FrontendMessage> {
  return {
    label: expect,
    takesAll: true,
    make: (prng) => frontendMessage(prng, expect),
    lengthAt: 1,
    read: (cut) => decodeClient(cut, expect),
    write: encodeFrontend,
    readOne: (whole) => decodeFrontend({ type: whole[0] ?? 0, body: whole.slice(5) }, expect),
  };
}

const BACKEND: Target<Stream<BackendMessage>> = target("backend", [
  backendCodec("session", SESSION_LIMITS),
  backendCodec("prepare", PREPARE_LIMITS),
  backendCodec("before-ok", BEFORE_OK_LIMITS),
]);

const CONTEXTS: readonly PasswordContext[] = ["password", "sasl-initial", "sasl", "gss", "none"];
const FRONTEND: Target<Stream<FrontendMessage>> = target("frontend", CONTEXTS.map(frontendCodec));

const STARTUP: Target<Stream<FrontendMessage>> = target("startup", [{
  label: "start-up packets",
  takesAll: true,
  make: startupPacket,
  lengthAt: 0,
  read: decodePackets,
  write: encodeFrontend,
  readOne: (whole) => decodeStartupPacket(whole.slice(4)),
}]);

/** Streams of a server. */
export function runBackend(seed: number, cases: number): Report {
  return fuzz(BACKEND, seed, cases);
}

/** Streams of a client behind its start-up packet. */
export function runFrontend(seed: number, cases: number): Report {
  return fuzz(FRONTEND, seed, cases);
}

/** Start-up packets of a client. */
export function runStartup(seed: number, cases: number): Report {
  return fuzz(STARTUP, seed, cases);
}
