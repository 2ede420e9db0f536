import { ProtocolError } from "../errors.ts";
import { ByteWriter } from "./byte_writer.ts";
import { FRONTEND, showType } from "./codes.ts";
import {
  type CopyData,
  type CopyDone,
  type CopyFail,
  decodeCopyData,
  decodeCopyDone,
  decodeCopyFail,
  encodeCopyData,
  encodeCopyFail,
} from "./copy.ts";
import type { Frame } from "./deframer.ts";
import { decodeQuery, decodeTerminate, encodeQuery, type Query, type Terminate } from "./query.ts";
import {
  decodeGSSResponse,
  decodePasswordMessage,
  decodeSASLInitialResponse,
  decodeSASLResponse,
  encodeGSSResponse,
  encodePasswordMessage,
  encodeSASLInitialResponse,
  encodeSASLResponse,
  type GSSResponse,
  type PasswordMessage,
  type SASLInitialResponse,
  type SASLResponse,
} from "./sasl.ts";
import { encodeStartupPacket, type StartupPacket } from "./startup.ts";

/** Messages of the client that have a type octet, as far as the simple query protocol goes. */
export type TypedFrontendMessage =
  | PasswordMessage
  | SASLInitialResponse
  | SASLResponse
  | GSSResponse
  | Query
  | Terminate
  | CopyData
  | CopyDone
  | CopyFail;

/** What a client sends, start-up packets included. */
export type FrontendMessage = TypedFrontendMessage | StartupPacket;

/** What a message of type `p` is: the server's last request decides. `none`: no such message may come. */
export type PasswordContext = "password" | "sasl-initial" | "sasl" | "gss" | "none";

/**
 * Writes a message of the client.
 *
 * @returns The whole message, with its type octet if it has one, and its length word.
 * @throws {UsageError} If the message cannot be expressed, or a server would refuse it unread; see the encoder
 *   of its type.
 */
export function encodeFrontend(message: FrontendMessage): Uint8Array {
  switch (message.type) {
    case "StartupMessage":
    case "SSLRequest":
    case "GSSENCRequest":
    case "CancelRequest":
    case "UnknownStartupPacket":
      return encodeStartupPacket(message);
    case "Terminate":
    case "CopyDone":
      // No body: the names are those of the type octets.
      return Uint8Array.of(FRONTEND[message.type], 0, 0, 0, 4);
  }
  const out = new ByteWriter();
  switch (message.type) {
    case "PasswordMessage":
      out.begin(FRONTEND.PasswordFamily);
      encodePasswordMessage(message, out);
      break;
    case "SASLInitialResponse":
      out.begin(FRONTEND.PasswordFamily);
      encodeSASLInitialResponse(message, out);
      break;
    case "SASLResponse":
      out.begin(FRONTEND.PasswordFamily);
      encodeSASLResponse(message, out);
      break;
    case "GSSResponse":
      out.begin(FRONTEND.PasswordFamily);
      encodeGSSResponse(message, out);
      break;
    case "Query":
      out.begin(FRONTEND.Query);
      encodeQuery(message, out);
      break;
    case "CopyData":
      out.begin(FRONTEND.CopyData);
      encodeCopyData(message, out);
      break;
    case "CopyFail":
      out.begin(FRONTEND.CopyFail);
      encodeCopyFail(message, out);
      break;
  }
  out.end();
  return out.finish();
}

/**
 * Reads a message of the client that has a type octet; start-up packets are for `decodeStartupPacket`.
 *
 * @param frame A whole message.
 * @param expect What a message of type `p` is.
 * @throws {MessageFormatError} If the octets are not what the type octet promises.
 * @throws {ProtocolError} If the type octet is not known, or a `p` comes where none may.
 */
export function decodeFrontend(frame: Frame, expect: PasswordContext): TypedFrontendMessage {
  const { type, body } = frame;
  switch (type) {
    case FRONTEND.PasswordFamily:
      return decodePasswordFamily(body, expect);
    case FRONTEND.Query:
      return decodeQuery(body);
    case FRONTEND.Terminate:
      return decodeTerminate(body);
    case FRONTEND.CopyData:
      return decodeCopyData(body);
    case FRONTEND.CopyDone:
      return decodeCopyDone(body);
    case FRONTEND.CopyFail:
      return decodeCopyFail(body);
    default:
      throw new ProtocolError(
        `Cannot read a message of the client: its type is ${showType(type)}, which is not known`,
        { phase: "negotiate" },
      );
  }
}

function decodePasswordFamily(body: Uint8Array, expect: PasswordContext): TypedFrontendMessage {
  switch (expect) {
    case "password":
      return decodePasswordMessage(body);
    case "sasl-initial":
      return decodeSASLInitialResponse(body);
    case "sasl":
      return decodeSASLResponse(body);
    case "gss":
      return decodeGSSResponse(body);
    default:
      throw new ProtocolError(
        `Cannot read a message of the client: its type is "p", but nothing asked for one`,
        { phase: "authenticate" },
      );
  }
}
