/**
 * Octets, codes and limits of the protocol. Values: PostgreSQL manual, "Message Formats", and
 * src/include/libpq/protocol.h and pqcomm.h; each limit names its own source.
 */

/** Type octets of messages from the server. */
export const BACKEND = {
  NotificationResponse: 0x41, // A
  CommandComplete: 0x43, // C
  DataRow: 0x44, // D
  ErrorResponse: 0x45, // E
  CopyInResponse: 0x47, // G
  CopyOutResponse: 0x48, // H
  EmptyQueryResponse: 0x49, // I
  BackendKeyData: 0x4b, // K
  NoticeResponse: 0x4e, // N
  AuthenticationRequest: 0x52, // R
  ParameterStatus: 0x53, // S
  RowDescription: 0x54, // T
  FunctionCallResponse: 0x56, // V
  CopyBothResponse: 0x57, // W
  ReadyForQuery: 0x5a, // Z
  CopyDone: 0x63, // c
  CopyData: 0x64, // d
  ParameterDescription: 0x74, // t
  NegotiateProtocolVersion: 0x76, // v
} as const;

/** Type octets of messages from the client. */
export const FRONTEND = {
  Query: 0x51, // Q
  Terminate: 0x58, // X
  CopyDone: 0x63, // c
  CopyData: 0x64, // d
  CopyFail: 0x66, // f
  /** PasswordMessage, SASLInitialResponse, SASLResponse and GSSResponse; the context tells which. */
  PasswordFamily: 0x70, // p
} as const;

/** The code of an AuthenticationRequest, and what it asks for. */
export const AUTHENTICATION = {
  Ok: 0,
  /** Until 8.0. */
  KerberosV4: 1,
  /** Until 9.3. */
  KerberosV5: 2,
  CleartextPassword: 3,
  /** Until 8.3. */
  CryptPassword: 4,
  MD5Password: 5,
  /** Until 9.0, Unix sockets. */
  SCMCredential: 6,
  GSS: 7,
  GSSContinue: 8,
  SSPI: 9,
  SASL: 10,
  SASLContinue: 11,
  SASLFinal: 12,
} as const;

/** Code of a CancelRequest: 1234 << 16 | 5678. */
export const CANCEL_REQUEST_CODE = 0x04d2162e;
/** Code of an SSLRequest: 1234 << 16 | 5679. */
export const SSL_REQUEST_CODE = 0x04d2162f;
/** Code of a GSSENCRequest: 1234 << 16 | 5680. */
export const GSSENC_REQUEST_CODE = 0x04d21630;

/** Protocol 3.0, spoken by every server since 7.4. */
export const PROTOCOL_3_0 = 0x00030000;
/** Protocol 3.2 (PostgreSQL 18): as 3.0, with cancel keys of 4 to 256 octets. */
export const PROTOCOL_3_2 = 0x00030002;

/** `S`: the server is willing to speak TLS. */
export const SSL_ACCEPTED = 0x53;
/** `G`: the server is willing to encrypt by GSSAPI. */
export const GSSENC_ACCEPTED = 0x47;
/** `N`: the server refuses the encryption that was asked for. */
export const ENCRYPTION_REFUSED = 0x4e;

/** The least length word: it counts itself. */
export const MIN_LENGTH = 4;
/** The greatest number a length word may hold: it is a signed 32-bit integer (CVE-2024-27304). */
export const MAX_LENGTH_WORD = 0x7fff_ffff;

/** Greatest body of a start-up packet (pqcomm.h, MAX_STARTUP_PACKET_LENGTH). */
export const MAX_STARTUP_BODY = 10_000;
/** Length words of start-up packets (backend_startup.c, ProcessStartupPacket). */
export const MIN_STARTUP_LENGTH = 8;
/** {@link MAX_STARTUP_BODY} and the length word itself. */
export const MAX_STARTUP_LENGTH: number = MAX_STARTUP_BODY + 4;

/** Least length word of R, v and E before AuthenticationOk (fe-connect.c, PQconnectPoll). */
export const MIN_BEFORE_OK_LENGTH = 8;
/** Greatest length word of R and v (fe-connect.c, PQconnectPoll). */
export const MAX_AUTHENTICATION_LENGTH = 2_000;
/** Greatest length word of E before AuthenticationOk (fe-connect.c, MAX_ERRLEN). */
export const MAX_ERROR_LENGTH = 30_000;
/** Greatest length word of a message that is not of the long kinds (fe-protocol3.c, pqParseInput3). */
export const MAX_SHORT_LENGTH = 30_000;
/** Greatest length word of E, N and A between AuthenticationOk and ReadyForQuery; ours, libpq has none. */
export const MAX_PREPARE_LENGTH = 1_048_576;
/** Greatest length word of the long kinds: 1 GiB - 1 (server: MaxAllocSize, memutils.h). */
export const MAX_LONG_LENGTH = 0x3fff_ffff;
/** Greatest length word of a message that becomes text: V8's longest string has 2^29 - 24 characters. */
export const MAX_TEXT_LENGTH = 0x1fff_ffe8;
/**
 * Greatest length word of E, N and A in a session; ours. Nobody asked for them, so they may not make us hold a gigabyte;
 * an error that quotes its query may be megabytes long.
 */
export const MAX_SESSION_NOTICE_LENGTH = 0x0100_0000;
/** Greatest text of an error in the form of protocol 2 (fe-connect.c, MAX_ERRLEN). */
export const MAX_LEGACY_ERROR_TEXT = 30_000;

/** Octets of a cancel key a server may send (manual, BackendKeyData; 3.0 has exactly 4). */
export const MIN_SERVER_KEY = 4;
/** Least octets of a cancel key a server accepts (backend_startup.c, ProcessCancelRequestPacket). */
export const MIN_CANCEL_KEY = 1;
/** Greatest cancel key of protocol 3.2 (manual, BackendKeyData; pqcomm.h, MAX_CANCEL_KEY_LENGTH). */
export const MAX_CANCEL_KEY = 256;
/** Length word of a BackendKeyData with the greatest key. */
export const MAX_KEY_DATA_LENGTH: number = 4 + 4 + MAX_CANCEL_KEY;

/** Greatest length word of PasswordMessage, GSSResponse and OAUTHBEARER (auth.c, PG_MAX_AUTH_TOKEN_LENGTH). */
export const MAX_TOKEN_LENGTH = 65_535;
/** Greatest password: {@link MAX_TOKEN_LENGTH} without length word and terminator. */
export const MAX_PASSWORD: number = MAX_TOKEN_LENGTH - 5;
/** Greatest length word of the answers in SCRAM (libpq/auth-scram.c, PG_MAX_SASL_MESSAGE_LENGTH). */
export const MAX_SCRAM_LENGTH = 1_024;

/** Greatest length word of a short message from a client (libpq.h, PQ_SMALL_MESSAGE_LIMIT). */
export const MAX_SHORT_FRONTEND_LENGTH = 10_000;

/** A protocol version as people write it: "3.0", "3.2". */
export function versionText(version: number): string {
  return `${version >>> 16}.${version & 0xffff}`;
}

/** How a type octet is shown: `"R"` where it is printable ASCII, `0x00` otherwise. */
export function showOctet(octet: number): string {
  return octet > 0x20 && octet < 0x7f
    ? `"${String.fromCharCode(octet)}"`
    : `0x${octet.toString(16).padStart(2, "0")}`;
}

/** A type octet in full: `0x31 ("1")`, or `0x00` where it is not printable. */
export function showType(octet: number): string {
  const hex = `0x${octet.toString(16).padStart(2, "0")}`;
  const shown = showOctet(octet);
  return shown === hex ? hex : `${hex} (${shown})`;
}

/** Whether {@link BACKEND} has this type octet: start-up and the simple protocol know no other. */
export function isBackendType(octet: number): boolean {
  return Object.values(BACKEND).some((type) => type === octet);
}
