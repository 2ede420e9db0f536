import type { BackendMessage } from "../wire/backend.ts";
import { versionText } from "../wire/codes.ts";
import type { FrontendMessage } from "../wire/frontend.ts";
import { printable } from "../printable.ts";
import type { MessageEvent } from "./step.ts";

type Detail = MessageEvent["detail"];

const NOT_SHOWN = "(not shown)";
const MAX_SHOWN = 200;

function shown(text: string): string {
  return printable(text, { keepLines: false, max: MAX_SHOWN });
}

/** What a message of the client says, for a trace; passwords, proofs, tokens and keys are not shown. */
export function describeFrontend(message: FrontendMessage): Detail {
  switch (message.type) {
    case "StartupMessage":
      return {
        version: versionText(message.version),
        parameters: message.parameters.map(([name, value]) => `${shown(name)}=${shown(value)}`),
      };
    case "SASLInitialResponse":
      return { mechanism: shown(message.mechanism), data: NOT_SHOWN };
    case "PasswordMessage":
      return { password: NOT_SHOWN };
    case "SASLResponse":
    case "GSSResponse":
      return { data: NOT_SHOWN };
    case "CancelRequest":
      return { processId: message.processId, secretKey: NOT_SHOWN };
    case "Query":
      // A statement may hold a secret (ALTER ROLE ... PASSWORD), and nobody can tell from outside.
      return { text: NOT_SHOWN, characters: message.text.length };
    case "CopyData":
      return { octets: message.data.length };
    case "CopyFail":
      return { reason: shown(message.reason) };
    case "UnknownStartupPacket":
      return { version: versionText(message.version), octets: message.data.length };
    case "SSLRequest":
    case "GSSENCRequest":
    case "CopyDone":
    case "Terminate":
      return {};
    default:
      return unknownMessage(message);
  }
}

/** What a message of the server says, for a trace; cancel keys and SASL data are not shown. */
export function describeBackend(message: BackendMessage): Detail {
  switch (message.type) {
    case "AuthenticationSASL":
      return { mechanisms: message.mechanisms.map(shown) };
    case "AuthenticationUnknown":
      return { code: message.code };
    case "AuthenticationSASLContinue":
    case "AuthenticationSASLFinal":
    case "AuthenticationGSSContinue":
      return { data: NOT_SHOWN };
    case "AuthenticationMD5Password":
    case "AuthenticationCryptPassword":
      return { salt: NOT_SHOWN };
    case "ParameterStatus":
      return { name: shown(message.name), value: shown(message.value) };
    case "BackendKeyData":
      return { processId: message.processId, secretKey: NOT_SHOWN };
    case "ReadyForQuery":
      return { status: message.status };
    case "NegotiateProtocolVersion":
      return {
        version: versionText(message.version),
        unrecognized: message.unrecognized.map(shown),
      };
    case "ErrorResponse":
    case "NoticeResponse":
      return Object.fromEntries(
        Object.entries(message.fields).map((
          [name, value]: [string, string],
        ) => [name, shown(value)]),
      );
    case "NotificationResponse":
      return {
        processId: message.processId,
        channel: shown(message.channel),
        payload: shown(message.payload),
      };
    case "RowDescription":
      return { columns: message.columns.map((column) => shown(column.name)) };
    case "DataRow":
      return { values: message.values.length };
    case "CommandComplete":
      return { tag: shown(message.tag) };
    case "CopyInResponse":
    case "CopyOutResponse":
    case "CopyBothResponse":
      return { columns: message.columnFormats.length };
    case "CopyData":
      return { octets: message.data.length };
    case "AuthenticationOk":
    case "AuthenticationKerberosV4":
    case "AuthenticationKerberosV5":
    case "AuthenticationCleartextPassword":
    case "AuthenticationSCMCredential":
    case "AuthenticationGSS":
    case "AuthenticationSSPI":
    case "EmptyQueryResponse":
    case "CopyDone":
      return {};
    default:
      return unknownMessage(message);
  }
}

function unknownMessage(message: never): Detail {
  return { message: String(message) };
}
