import { UsageError } from "../errors.ts";
import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import {
  CANCEL_REQUEST_CODE,
  GSSENC_REQUEST_CODE,
  MAX_CANCEL_KEY,
  MAX_STARTUP_BODY,
  MIN_CANCEL_KEY,
  SSL_REQUEST_CODE,
  versionText,
} from "./codes.ts";

/** StartupMessage: asks for a session. */
export interface StartupMessage {
  /** Tells the message from others. */
  readonly type: "StartupMessage";
  /** Major version << 16 | minor version; the major version is 3. */
  readonly version: number;
  /** `user`, `database`, `options`, `replication`, `_pq_.` extensions and run-time settings, in order. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
}

/** SSLRequest: asks whether TLS may follow. */
export interface SSLRequest {
  /** Tells the message from others. */
  readonly type: "SSLRequest";
}

/** GSSENCRequest: asks whether encryption by GSSAPI may follow. */
export interface GSSENCRequest {
  /** Tells the message from others. */
  readonly type: "GSSENCRequest";
}

/** CancelRequest: asks to cancel what another session is doing. */
export interface CancelRequest {
  /** Tells the message from others. */
  readonly type: "CancelRequest";
  /** As BackendKeyData told it, a signed 32-bit integer. */
  readonly processId: number;
  /** As BackendKeyData told it, 1 to 256 octets. */
  readonly secretKey: Uint8Array;
}

/** A start-up packet of another major version: its layout is not known. */
export interface UnknownStartupPacket {
  /** Tells the message from others. */
  readonly type: "UnknownStartupPacket";
  /** Major version << 16 | minor version. */
  readonly version: number;
  /** What follows the version. */
  readonly data: Uint8Array;
}

/** What a client may send without a type octet. */
export type StartupPacket =
  | StartupMessage
  | SSLRequest
  | GSSENCRequest
  | CancelRequest
  | UnknownStartupPacket;

const MAJOR_VERSION = 3;

/**
 * The whole packet, with its length word.
 *
 * @throws {UsageError} If the server would refuse the packet unread: longer than 10000 octets, no user, a name
 *   that is empty, a text with a zero octet or half a surrogate pair, a key of a wrong length; or if a name is there
 *   twice, of which the server would take the last.
 */
export function encodeStartupPacket(packet: StartupPacket): Uint8Array {
  const out = new ByteWriter();
  out.begin(undefined);
  switch (packet.type) {
    case "StartupMessage":
      encodeStartupMessage(packet, out);
      break;
    case "SSLRequest":
      out.u32(SSL_REQUEST_CODE);
      break;
    case "GSSENCRequest":
      out.u32(GSSENC_REQUEST_CODE);
      break;
    case "CancelRequest":
      encodeCancelRequest(packet, out);
      break;
    default:
      encodeUnknown(packet, out);
  }
  const octets = out.length - 4;
  if (octets > MAX_STARTUP_BODY) {
    throw new UsageError(
      `Cannot encode ${packet.type}: it has ${octets} octets, it must have at most ${MAX_STARTUP_BODY}`,
    );
  }
  out.end();
  return out.finish();
}

/**
 * Reads a start-up packet.
 *
 * Stricter than PostgreSQL, which ignores what follows the code of SSLRequest and GSSENCRequest.
 *
 * @param body The packet without its length word.
 * @throws {MessageFormatError} If a terminator or a value is missing, octets are left over, or a cancel key has
 *   not 1 to 256 octets.
 */
export function decodeStartupPacket(body: Uint8Array): StartupPacket {
  const version = new ByteReader(body, "StartupMessage").u32();
  const behind = body.subarray(4);
  switch (version) {
    case SSL_REQUEST_CODE:
      new ByteReader(behind, "SSLRequest").end();
      return { type: "SSLRequest" };
    case GSSENC_REQUEST_CODE:
      new ByteReader(behind, "GSSENCRequest").end();
      return { type: "GSSENCRequest" };
    case CANCEL_REQUEST_CODE:
      return decodeCancelRequest(new ByteReader(behind, "CancelRequest"));
  }
  const reader = new ByteReader(behind, "StartupMessage");
  if (version >>> 16 !== MAJOR_VERSION) {
    return { type: "UnknownStartupPacket", version, data: reader.rest() };
  }
  return { type: "StartupMessage", version, parameters: decodeParameters(reader) };
}

function encodeStartupMessage(message: StartupMessage, out: ByteWriter): void {
  if (message.version >>> 16 !== MAJOR_VERSION) {
    throw new UsageError(
      `Cannot encode StartupMessage: its version is "${versionText(message.version)}", ` +
        `it must be ${MAJOR_VERSION}.x`,
    );
  }
  out.u32(message.version);
  const names = new Set<string>();
  for (const [name, value] of message.parameters) {
    if (name === "") {
      throw new UsageError("Cannot encode StartupMessage: a parameter has an empty name");
    }
    if (names.has(name)) {
      throw new UsageError(`Cannot encode StartupMessage: the parameter "${name}" is there twice`);
    }
    if (name === "user" && value === "") {
      throw new UsageError('Cannot encode StartupMessage: the parameter "user" must not be empty');
    }
    names.add(name);
    out.cstring(name, "the name of a parameter of StartupMessage");
    out.cstring(value, `the parameter "${name}" of StartupMessage`);
  }
  if (!names.has("user")) {
    throw new UsageError('Cannot encode StartupMessage: the parameter "user" must be there');
  }
  out.u8(0);
}

function decodeParameters(reader: ByteReader): readonly (readonly [string, string])[] {
  const parameters: (readonly [string, string])[] = [];
  for (let name = reader.cstring(); name !== ""; name = reader.cstring()) {
    if (reader.left === 0) reader.fail("its last parameter has a name but no value");
    parameters.push([name, reader.cstring()]);
  }
  reader.end();
  return parameters;
}

function encodeCancelRequest(message: CancelRequest, out: ByteWriter): void {
  const length = message.secretKey.length;
  if (length < MIN_CANCEL_KEY || length > MAX_CANCEL_KEY) {
    throw new UsageError(`Cannot encode CancelRequest: ${keyProblem(length)}`);
  }
  out.u32(CANCEL_REQUEST_CODE);
  out.i32(message.processId);
  out.bytes(message.secretKey);
}

function decodeCancelRequest(reader: ByteReader): CancelRequest {
  const processId = reader.i32();
  if (reader.left < MIN_CANCEL_KEY || reader.left > MAX_CANCEL_KEY) {
    reader.fail(keyProblem(reader.left));
  }
  return { type: "CancelRequest", processId, secretKey: reader.rest() };
}

function keyProblem(length: number): string {
  return `its key has ${length} octets, it must have ${MIN_CANCEL_KEY} to ${MAX_CANCEL_KEY}`;
}

function encodeUnknown(packet: UnknownStartupPacket, out: ByteWriter): void {
  const { version } = packet;
  const known = version === SSL_REQUEST_CODE || version === GSSENC_REQUEST_CODE ||
    version === CANCEL_REQUEST_CODE || version >>> 16 === MAJOR_VERSION;
  if (known) {
    throw new UsageError(
      `Cannot encode UnknownStartupPacket: version "${
        versionText(version)
      }" is known, it must not be`,
    );
  }
  out.u32(version);
  out.bytes(packet.data);
}
