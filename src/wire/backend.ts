import { ProtocolError } from "../errors.ts";
import {
  type AuthenticationMessage,
  decodeAuthentication,
  encodeAuthentication,
} from "./authentication.ts";
import { ByteWriter } from "./byte_writer.ts";
import { BACKEND, showType } from "./codes.ts";
import {
  type CopyData,
  type CopyDone,
  type CopyResponse,
  decodeCopyData,
  decodeCopyDone,
  decodeCopyResponse,
  encodeCopyData,
  encodeCopyResponse,
} from "./copy.ts";
import type { Frame } from "./deframer.ts";
import {
  decodeNegotiateProtocolVersion,
  encodeNegotiateProtocolVersion,
  type NegotiateProtocolVersion,
} from "./negotiate.ts";
import {
  decodeErrorResponse,
  decodeNoticeResponse,
  encodeErrorResponse,
  encodeNoticeResponse,
  type ErrorResponse,
  type NoticeResponse,
} from "./notice.ts";
import {
  type BackendKeyData,
  decodeBackendKeyData,
  decodeNotificationResponse,
  decodeParameterStatus,
  decodeReadyForQuery,
  encodeBackendKeyData,
  encodeNotificationResponse,
  encodeParameterStatus,
  encodeReadyForQuery,
  type NotificationResponse,
  type ParameterStatus,
  type ReadyForQuery,
} from "./parameters.ts";
import {
  type CommandComplete,
  decodeCommandComplete,
  decodeEmptyQueryResponse,
  type EmptyQueryResponse,
  encodeCommandComplete,
} from "./query.ts";
import {
  type DataRow,
  decodeDataRow,
  decodeRowDescription,
  encodeDataRow,
  encodeRowDescription,
  type RowDescription,
} from "./rows.ts";
import { decodeText } from "./text.ts";

/** What a server sends until the session ends, as far as the simple query protocol goes. */
export type BackendMessage =
  | AuthenticationMessage
  | NegotiateProtocolVersion
  | ParameterStatus
  | BackendKeyData
  | ReadyForQuery
  | ErrorResponse
  | NoticeResponse
  | NotificationResponse
  | RowDescription
  | DataRow
  | CommandComplete
  | EmptyQueryResponse
  | CopyResponse
  | CopyData
  | CopyDone;

/**
 * Reads a message of the server.
 *
 * @param frame A whole message; an error in the form of protocol 2 becomes an ErrorResponse with a message only.
 * @throws {MessageFormatError} If the octets are not what the type octet promises.
 * @throws {ProtocolError} If nobody knows the type octet, or it belongs to the extended query protocol.
 */
export function decodeBackend(frame: Frame): BackendMessage {
  const { type, body } = frame;
  if (frame.legacy) {
    return { type: "ErrorResponse", fields: { message: decodeText(body).trim() } };
  }
  switch (type) {
    case BACKEND.DataRow:
      return decodeDataRow(body);
    case BACKEND.AuthenticationRequest:
      return decodeAuthentication(body);
    case BACKEND.NegotiateProtocolVersion:
      return decodeNegotiateProtocolVersion(body);
    case BACKEND.ParameterStatus:
      return decodeParameterStatus(body);
    case BACKEND.BackendKeyData:
      return decodeBackendKeyData(body);
    case BACKEND.ReadyForQuery:
      return decodeReadyForQuery(body);
    case BACKEND.ErrorResponse:
      return decodeErrorResponse(body);
    case BACKEND.NoticeResponse:
      return decodeNoticeResponse(body);
    case BACKEND.NotificationResponse:
      return decodeNotificationResponse(body);
    case BACKEND.RowDescription:
      return decodeRowDescription(body);
    case BACKEND.CommandComplete:
      return decodeCommandComplete(body);
    case BACKEND.EmptyQueryResponse:
      return decodeEmptyQueryResponse(body);
    case BACKEND.CopyInResponse:
      return decodeCopyResponse(body, "CopyInResponse");
    case BACKEND.CopyOutResponse:
      return decodeCopyResponse(body, "CopyOutResponse");
    case BACKEND.CopyBothResponse:
      return decodeCopyResponse(body, "CopyBothResponse");
    case BACKEND.CopyData:
      return decodeCopyData(body);
    case BACKEND.CopyDone:
      return decodeCopyDone(body);
    default:
      throw new ProtocolError(
        `Cannot read a message of the server: its type is ${showType(type)}, which is not known`,
        { phase: "negotiate" },
      );
  }
}

/**
 * Writes a message of the server.
 *
 * @returns The whole message, with type octet and length word.
 * @throws {UsageError} If the message cannot be expressed; see the encoder of its type.
 */
export function encodeBackend(message: BackendMessage): Uint8Array {
  const out = new ByteWriter();
  out.begin(typeOctet(message));
  encodeBody(message, out);
  out.end();
  return out.finish();
}

function typeOctet(message: BackendMessage): number {
  const octets: Readonly<Record<string, number>> = BACKEND;
  return octets[message.type] ?? BACKEND.AuthenticationRequest;
}

function encodeBody(message: BackendMessage, out: ByteWriter): void {
  switch (message.type) {
    case "NegotiateProtocolVersion":
      return encodeNegotiateProtocolVersion(message, out);
    case "ParameterStatus":
      return encodeParameterStatus(message, out);
    case "BackendKeyData":
      return encodeBackendKeyData(message, out);
    case "ReadyForQuery":
      return encodeReadyForQuery(message, out);
    case "ErrorResponse":
      return encodeErrorResponse(message, out);
    case "NoticeResponse":
      return encodeNoticeResponse(message, out);
    case "NotificationResponse":
      return encodeNotificationResponse(message, out);
    case "RowDescription":
      return encodeRowDescription(message, out);
    case "DataRow":
      return encodeDataRow(message, out);
    case "CommandComplete":
      return encodeCommandComplete(message, out);
    case "CopyInResponse":
    case "CopyOutResponse":
    case "CopyBothResponse":
      return encodeCopyResponse(message, out);
    case "CopyData":
      return encodeCopyData(message, out);
    case "EmptyQueryResponse":
    case "CopyDone":
      return;
    default:
      return encodeAuthentication(message, out);
  }
}
