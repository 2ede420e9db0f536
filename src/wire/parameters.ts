import { UsageError } from "../errors.ts";
import { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";
import { MAX_CANCEL_KEY, MIN_SERVER_KEY, showOctet } from "./codes.ts";
import { decodeText } from "./text.ts";

/** ParameterStatus ('S'): the current value of one run-time parameter. */
export interface ParameterStatus {
  /** Tells the message from others. */
  readonly type: "ParameterStatus";
  /** As `server_version`. */
  readonly name: string;
  /** As text. */
  readonly value: string;
}

/** BackendKeyData ('K'): what a CancelRequest for this session must hold. */
export interface BackendKeyData {
  /** Tells the message from others. */
  readonly type: "BackendKeyData";
  /** A signed 32-bit integer; poolers send negative ones. */
  readonly processId: number;
  /** 4 to 256 octets; on protocol 3.0 exactly 4, which the state machine checks. */
  readonly secretKey: Uint8Array;
}

/** `I` idle, `T` in a transaction, `E` in a failed transaction. */
export type TransactionStatus = "I" | "T" | "E";

/** ReadyForQuery ('Z'): the server waits for the next query. */
export interface ReadyForQuery {
  /** Tells the message from others. */
  readonly type: "ReadyForQuery";
  /** How it stands with transactions. */
  readonly status: TransactionStatus;
}

/** NotificationResponse ('A'): somebody called NOTIFY on a channel this session listens to. */
export interface NotificationResponse {
  /** Tells the message from others. */
  readonly type: "NotificationResponse";
  /** Whose session called NOTIFY: its `processId` in BackendKeyData, a signed 32-bit integer. */
  readonly processId: number;
  /** What it was sent to. */
  readonly channel: string;
  /** What was sent; may be empty. */
  readonly payload: string;
}

/**
 * Writes the body of a ParameterStatus.
 *
 * @throws {UsageError} If a text holds a zero octet or half a surrogate pair.
 */
export function encodeParameterStatus(message: ParameterStatus, out: ByteWriter): void {
  out.cstring(message.name, "the name in ParameterStatus");
  out.cstring(message.value, "the value in ParameterStatus");
}

/**
 * Reads the body of a ParameterStatus.
 *
 * @throws {MessageFormatError} If a terminator is missing or octets are left over.
 */
export function decodeParameterStatus(body: Uint8Array): ParameterStatus {
  // Fifteen of them come with every session: the decoder is called once for each, as no character has a zero octet in it.
  const text = decodeText(body);
  const middle = text.indexOf("\0");
  const end = text.indexOf("\0", middle + 1);
  if (middle !== -1 && end !== -1 && end === text.length - 1) {
    return {
      type: "ParameterStatus",
      name: text.slice(0, middle),
      value: text.slice(middle + 1, end),
    };
  }
  const reader = new ByteReader(body, "ParameterStatus");
  const name = reader.cstring();
  const value = reader.cstring();
  reader.end();
  return { type: "ParameterStatus", name, value };
}

/**
 * Writes the body of a BackendKeyData.
 *
 * @throws {UsageError} If the key has not 4 to 256 octets.
 */
export function encodeBackendKeyData(message: BackendKeyData, out: ByteWriter): void {
  const length = message.secretKey.length;
  if (length < MIN_SERVER_KEY || length > MAX_CANCEL_KEY) {
    throw new UsageError(`Cannot encode BackendKeyData: ${keyProblem(length)}`);
  }
  out.i32(message.processId);
  out.bytes(message.secretKey);
}

/**
 * Reads the body of a BackendKeyData.
 *
 * @throws {MessageFormatError} If the key has not 4 to 256 octets.
 */
export function decodeBackendKeyData(body: Uint8Array): BackendKeyData {
  const reader = new ByteReader(body, "BackendKeyData");
  const processId = reader.i32();
  if (reader.left < MIN_SERVER_KEY || reader.left > MAX_CANCEL_KEY) {
    reader.fail(keyProblem(reader.left));
  }
  return { type: "BackendKeyData", processId, secretKey: reader.rest() };
}

/** Writes the body of a ReadyForQuery. */
export function encodeReadyForQuery(message: ReadyForQuery, out: ByteWriter): void {
  out.u8(message.status.charCodeAt(0));
}

/**
 * Reads the body of a ReadyForQuery.
 *
 * @throws {MessageFormatError} If the status is none of `I`, `T` and `E`, or octets are left over.
 */
export function decodeReadyForQuery(body: Uint8Array): ReadyForQuery {
  const reader = new ByteReader(body, "ReadyForQuery");
  const octet = reader.u8();
  const status = String.fromCharCode(octet);
  if (status !== "I" && status !== "T" && status !== "E") {
    return reader.fail(`its status is ${showOctet(octet)}, it must be "I", "T" or "E"`);
  }
  reader.end();
  return { type: "ReadyForQuery", status };
}

/**
 * Writes the body of a NotificationResponse.
 *
 * @throws {UsageError} If a text holds a zero octet or half a surrogate pair.
 */
export function encodeNotificationResponse(message: NotificationResponse, out: ByteWriter): void {
  out.i32(message.processId);
  out.cstring(message.channel, "the channel in NotificationResponse");
  out.cstring(message.payload, "the payload in NotificationResponse");
}

/**
 * Reads the body of a NotificationResponse.
 *
 * @throws {MessageFormatError} If it is short, a terminator is missing or octets are left over.
 */
export function decodeNotificationResponse(body: Uint8Array): NotificationResponse {
  const reader = new ByteReader(body, "NotificationResponse");
  const processId = reader.i32();
  const channel = reader.cstring();
  const payload = reader.cstring();
  reader.end();
  return { type: "NotificationResponse", processId, channel, payload };
}

function keyProblem(length: number): string {
  return `its key has ${length} octets, it must have ${MIN_SERVER_KEY} to ${MAX_CANCEL_KEY}`;
}
