/** Messages of both roles made of chance: every one can be written, and reads as itself. */
import type { BackendMessage } from "../../src/wire/backend.ts";
import type { FrontendMessage, PasswordContext } from "../../src/wire/frontend.ts";
import type { NoticeFields } from "../../src/wire/notice.ts";
import type { StartupPacket } from "../../src/wire/startup.ts";
import type { Prng } from "../support/prng.ts";
import { edge, list, NEEDLE, octets, text } from "./parts.ts";

const FIELDS = [
  "severity",
  "severityUntranslated",
  "sqlState",
  "message",
  "detail",
  "hint",
  "position",
  "internalPosition",
  "internalQuery",
  "where",
  "schema",
  "table",
  "column",
  "dataType",
  "constraint",
  "file",
  "line",
  "routine",
] as const;

const I16 = [-0x8000, 0x7fff] as const;
const I32 = [-0x8000_0000, 0x7fff_ffff] as const;
const U32 = [0, 0xffff_ffff] as const;

type Maker = (prng: Prng) => BackendMessage;

/** A maker for each type: a type that is added to the union is missing here until one is written. */
const BACKEND: { readonly [Type in BackendMessage["type"]]: Maker } = {
  AuthenticationOk: () => ({ type: "AuthenticationOk" }),
  AuthenticationKerberosV4: () => ({ type: "AuthenticationKerberosV4" }),
  AuthenticationKerberosV5: () => ({ type: "AuthenticationKerberosV5" }),
  AuthenticationCleartextPassword: () => ({ type: "AuthenticationCleartextPassword" }),
  AuthenticationSCMCredential: () => ({ type: "AuthenticationSCMCredential" }),
  AuthenticationGSS: () => ({ type: "AuthenticationGSS" }),
  AuthenticationSSPI: () => ({ type: "AuthenticationSSPI" }),
  EmptyQueryResponse: () => ({ type: "EmptyQueryResponse" }),
  CopyDone: () => ({ type: "CopyDone" }),
  AuthenticationCryptPassword: (prng) => ({
    type: "AuthenticationCryptPassword",
    salt: prng.octets(2),
  }),
  AuthenticationMD5Password: (prng) => ({
    type: "AuthenticationMD5Password",
    salt: prng.octets(4),
  }),
  AuthenticationGSSContinue: (prng) => ({
    type: "AuthenticationGSSContinue",
    data: octets(prng, 60),
  }),
  AuthenticationSASLContinue: (prng) => ({
    type: "AuthenticationSASLContinue",
    data: octets(prng, 60),
  }),
  AuthenticationSASLFinal: (prng) => ({ type: "AuthenticationSASLFinal", data: octets(prng, 60) }),
  AuthenticationSASL: (prng) => ({
    type: "AuthenticationSASL",
    mechanisms: list(prng, 3, () => prng.pick(["SCRAM-SHA-256", `x${text(prng)}`])),
  }),
  AuthenticationUnknown: (prng) => ({
    type: "AuthenticationUnknown",
    code: edge(prng, 13, U32[1]),
    data: octets(prng, 20),
  }),
  NegotiateProtocolVersion: (prng) => ({
    type: "NegotiateProtocolVersion",
    version: edge(prng, ...U32),
    unrecognized: list(prng, 3, () => text(prng)),
  }),
  ParameterStatus: (prng) => ({ type: "ParameterStatus", name: text(prng), value: text(prng) }),
  BackendKeyData: (prng) => ({
    type: "BackendKeyData",
    processId: edge(prng, ...I32),
    secretKey: prng.pick([NEEDLE, prng.octets(4), prng.octets(256)]),
  }),
  ReadyForQuery: (prng) => ({ type: "ReadyForQuery", status: prng.pick(["I", "T", "E"]) }),
  ErrorResponse: (prng) => ({ type: "ErrorResponse", fields: fields(prng) }),
  NoticeResponse: (prng) => ({ type: "NoticeResponse", fields: fields(prng) }),
  NotificationResponse: (prng) => ({
    type: "NotificationResponse",
    processId: edge(prng, ...I32),
    channel: text(prng),
    payload: text(prng),
  }),
  RowDescription: (prng) => ({
    type: "RowDescription",
    columns: list(prng, 4, () => ({
      name: text(prng),
      tableId: edge(prng, ...U32),
      columnNumber: edge(prng, ...I16),
      typeId: edge(prng, ...U32),
      typeSize: edge(prng, ...I16),
      typeModifier: edge(prng, ...I32),
      format: prng.below(2),
    })),
  }),
  DataRow: (prng) => ({
    type: "DataRow",
    values: list(prng, 5, () => prng.below(4) === 0 ? null : text(prng)),
  }),
  CommandComplete: (prng) => ({ type: "CommandComplete", tag: text(prng) }),
  CopyInResponse: (prng) => ({ type: "CopyInResponse", ...copy(prng) }),
  CopyOutResponse: (prng) => ({ type: "CopyOutResponse", ...copy(prng) }),
  CopyBothResponse: (prng) => ({ type: "CopyBothResponse", ...copy(prng) }),
  CopyData: (prng) => ({ type: "CopyData", data: octets(prng, 60) }),
};

const BACKEND_TYPES = Object.keys(BACKEND) as readonly BackendMessage["type"][];

/** A message of a server. */
export function backendMessage(prng: Prng): BackendMessage {
  return BACKEND[prng.pick(BACKEND_TYPES)](prng);
}

/** A message of a server, of one of these types. */
export function backendMessageOf<Type extends BackendMessage["type"]>(
  prng: Prng,
  types: readonly Type[],
): BackendMessage {
  return BACKEND[prng.pick(types)](prng);
}

function fields(prng: Prng): NoticeFields {
  const few = list(prng, 5, () => [prng.pick(FIELDS), text(prng)] as const);
  return Object.fromEntries(few);
}

function copy(prng: Prng): { readonly format: number; readonly columnFormats: readonly number[] } {
  return { format: prng.below(2), columnFormats: list(prng, 4, () => prng.below(2)) };
}

/** A message of a client that has a type octet, where a `p` is what the context says. */
export function frontendMessage(prng: Prng, expect: PasswordContext): FrontendMessage {
  const data = prng.pick([NEEDLE, octets(prng, 60)]);
  if (expect !== "none" && prng.below(2) === 0) return passwordFamily(prng, expect, data);
  switch (prng.below(5)) {
    case 0:
      return { type: "Query", text: text(prng, 40) };
    case 1:
      return { type: "Terminate" };
    case 2:
      return { type: "CopyData", data };
    case 3:
      return { type: "CopyDone" };
    default:
      return { type: "CopyFail", reason: text(prng) };
  }
}

function passwordFamily(
  prng: Prng,
  expect: Exclude<PasswordContext, "none">,
  data: Uint8Array,
): FrontendMessage {
  switch (expect) {
    case "password":
      return { type: "PasswordMessage", password: data.map((octet) => octet === 0 ? 1 : octet) };
    case "sasl-initial":
      return {
        type: "SASLInitialResponse",
        mechanism: prng.pick(["SCRAM-SHA-256", "OAUTHBEARER", "x"]),
        data: prng.below(3) === 0 ? undefined : data,
      };
    case "sasl":
      return { type: "SASLResponse", data };
    case "gss":
      return { type: "GSSResponse", data };
  }
}

/** A start-up packet of a client. */
export function startupPacket(prng: Prng): StartupPacket {
  switch (prng.below(6)) {
    case 0:
      return { type: "SSLRequest" };
    case 1:
      return { type: "GSSENCRequest" };
    case 2: {
      const secretKey = prng.pick([NEEDLE, prng.octets(1), prng.octets(256)]);
      return { type: "CancelRequest", processId: edge(prng, ...I32), secretKey };
    }
    case 3: {
      const version = prng.pick([0, 0x0002_0000, 0x0004_0000, 0xffff_ffff, 0x04d2_1631]);
      return { type: "UnknownStartupPacket", version, data: octets(prng, 30) };
    }
    default: {
      const further = list(prng, 4, () => [`n${text(prng)}`, text(prng)] as const);
      const parameters = [...new Map([["user", `u${text(prng)}`] as const, ...further])];
      return { type: "StartupMessage", version: edge(prng, 0x0003_0000, 0x0003_ffff), parameters };
    }
  }
}
