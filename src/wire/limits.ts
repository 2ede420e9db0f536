import {
  BACKEND,
  FRONTEND,
  MAX_AUTHENTICATION_LENGTH,
  MAX_ERROR_LENGTH,
  MAX_KEY_DATA_LENGTH,
  MAX_LONG_LENGTH,
  MAX_PREPARE_LENGTH,
  MAX_SESSION_NOTICE_LENGTH,
  MAX_SHORT_FRONTEND_LENGTH,
  MAX_SHORT_LENGTH,
  MAX_TEXT_LENGTH,
  MAX_TOKEN_LENGTH,
  MIN_BEFORE_OK_LENGTH,
  MIN_LENGTH,
} from "./codes.ts";

/** The length words that are legal in a phase. */
export interface FrameLimits {
  /** The least legal length word for this type octet; 4, the word itself, unless given. */
  minLength?(type: number): number;
  /** The greatest legal length word for this type octet. */
  maxLength(type: number): number;
  /** Length words from here to `alwaysTo` are legal for every type octet, so that nearly no message needs a look at its own. */
  readonly alwaysFrom: number;
  /** The last of them. */
  readonly alwaysTo: number;
  /** Whether `E` with an impossible length word is an error in the form of protocol 2. */
  readonly legacyErrors: boolean;
}

/** From the first octet of the server until AuthenticationOk. GSS tokens ride in R, within its limit. */
export const BEFORE_OK_LIMITS: FrameLimits = {
  minLength(type: number): number {
    switch (type) {
      case BACKEND.AuthenticationRequest:
      case BACKEND.NegotiateProtocolVersion:
      case BACKEND.ErrorResponse:
        return MIN_BEFORE_OK_LENGTH;
      default:
        return MIN_LENGTH;
    }
  },
  maxLength(type: number): number {
    switch (type) {
      case BACKEND.AuthenticationRequest:
      case BACKEND.NegotiateProtocolVersion:
        return MAX_AUTHENTICATION_LENGTH;
      case BACKEND.ErrorResponse:
        return MAX_ERROR_LENGTH;
      default:
        return MAX_SHORT_LENGTH;
    }
  },
  alwaysFrom: MIN_BEFORE_OK_LENGTH,
  alwaysTo: MAX_AUTHENTICATION_LENGTH,
  legacyErrors: true,
};

/** From AuthenticationOk until ReadyForQuery. */
export const PREPARE_LIMITS: FrameLimits = {
  maxLength(type: number): number {
    switch (type) {
      case BACKEND.ErrorResponse:
      case BACKEND.NoticeResponse:
      case BACKEND.NotificationResponse:
        return MAX_PREPARE_LENGTH;
      case BACKEND.BackendKeyData:
        return MAX_KEY_DATA_LENGTH;
      default:
        return MAX_SHORT_LENGTH;
    }
  },
  alwaysFrom: MIN_LENGTH,
  alwaysTo: MAX_KEY_DATA_LENGTH,
  legacyErrors: false,
};

/**
 * After ReadyForQuery. Data somebody asked for may be long (libpq: VALID_LONG_MESSAGE_TYPE, fe-protocol3.c), what a server
 * says on its own is bounded: by its kind where libpq takes a gigabyte.
 */
export const SESSION_LIMITS: FrameLimits = {
  maxLength(type: number): number {
    switch (type) {
      case BACKEND.CopyData:
        return MAX_LONG_LENGTH;
      case BACKEND.DataRow:
        return MAX_TEXT_LENGTH;
      case BACKEND.ErrorResponse:
      case BACKEND.NoticeResponse:
      case BACKEND.NotificationResponse:
        return MAX_SESSION_NOTICE_LENGTH;
      // 1664 columns with names of 63 octets have 137 kB.
      case BACKEND.RowDescription:
        return MAX_PREPARE_LENGTH;
      default:
        return MAX_SHORT_LENGTH;
    }
  },
  alwaysFrom: MIN_LENGTH,
  alwaysTo: MAX_SHORT_LENGTH,
  legacyErrors: false,
};

/** For the server role: what a client may send after its start-up packet (postgres.c, SocketBackend). */
export const FRONTEND_LIMITS: FrameLimits = {
  maxLength(type: number): number {
    switch (type) {
      case FRONTEND.PasswordFamily:
        return MAX_TOKEN_LENGTH;
      case FRONTEND.Query:
        return MAX_TEXT_LENGTH;
      case FRONTEND.CopyData:
        return MAX_LONG_LENGTH;
      default:
        return MAX_SHORT_FRONTEND_LENGTH;
    }
  },
  alwaysFrom: MIN_LENGTH,
  alwaysTo: MAX_SHORT_FRONTEND_LENGTH,
  legacyErrors: false,
};
