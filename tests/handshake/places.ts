/** A message of every type, and the way to every state: tests are generated from both. */
import type { SessionStart, State } from "../../src/handshake/client_state.ts";
import { ClientHandshake } from "../../src/handshake/client.ts";
import type { ReadingPlace } from "../../src/handshake/phases.ts";
import type { Step } from "../../src/handshake/step.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { join } from "../support/vectors.ts";
import { answerTo, type Script } from "./converse.ts";
import { type CaseConfig, clientConfig, flight, octets, scriptOf } from "./vector_case.ts";

/** One message of each type a server may send, made so that nothing is wrong but its place. */
export const MESSAGES: Readonly<{ [Type in BackendMessage["type"]]: MessageOf<Type> }> = {
  AuthenticationOk: { type: "AuthenticationOk" },
  AuthenticationKerberosV4: { type: "AuthenticationKerberosV4" },
  AuthenticationKerberosV5: { type: "AuthenticationKerberosV5" },
  AuthenticationCleartextPassword: { type: "AuthenticationCleartextPassword" },
  AuthenticationCryptPassword: { type: "AuthenticationCryptPassword", salt: octets("6162") },
  AuthenticationMD5Password: { type: "AuthenticationMD5Password", salt: octets("61626364") },
  AuthenticationSCMCredential: { type: "AuthenticationSCMCredential" },
  AuthenticationGSS: { type: "AuthenticationGSS" },
  AuthenticationGSSContinue: { type: "AuthenticationGSSContinue", data: octets("60") },
  AuthenticationSSPI: { type: "AuthenticationSSPI" },
  AuthenticationSASL: { type: "AuthenticationSASL", mechanisms: ["SCRAM-SHA-256"] },
  AuthenticationSASLContinue: {
    type: "AuthenticationSASLContinue",
    data: octets(
      "text:r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7jAAAAAA,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    ),
  },
  AuthenticationSASLFinal: {
    type: "AuthenticationSASLFinal",
    data: octets("text:v=VsuSNccKK9NBbgU/bxxL4i6sfZWE+Frw4jgv1EYMlkQ="),
  },
  AuthenticationUnknown: { type: "AuthenticationUnknown", code: 13, data: octets("") },
  NegotiateProtocolVersion: {
    type: "NegotiateProtocolVersion",
    version: 0x00030000,
    unrecognized: [],
  },
  ParameterStatus: { type: "ParameterStatus", name: "server_version", value: "18.6" },
  BackendKeyData: { type: "BackendKeyData", processId: 7, secretKey: octets("89abcdef") },
  ReadyForQuery: { type: "ReadyForQuery", status: "I" },
  ErrorResponse: {
    type: "ErrorResponse",
    fields: { severity: "FATAL", sqlState: "57P01", message: "terminating connection" },
  },
  NoticeResponse: {
    type: "NoticeResponse",
    fields: { severity: "NOTICE", sqlState: "00000", message: "hello" },
  },
  NotificationResponse: {
    type: "NotificationResponse",
    processId: 7,
    channel: "news",
    payload: "hello",
  },
  RowDescription: { type: "RowDescription", columns: [] },
  DataRow: { type: "DataRow", values: [] },
  CommandComplete: { type: "CommandComplete", tag: "SELECT 1" },
  EmptyQueryResponse: { type: "EmptyQueryResponse" },
  CopyInResponse: { type: "CopyInResponse", format: 0, columnFormats: [] },
  CopyOutResponse: { type: "CopyOutResponse", format: 0, columnFormats: [] },
  CopyBothResponse: { type: "CopyBothResponse", format: 0, columnFormats: [] },
  CopyData: { type: "CopyData", data: octets("61") },
  CopyDone: { type: "CopyDone" },
};

type MessageOf<Type> = Extract<BackendMessage, { readonly type: Type }>;

/** Flights that lead to a state, each in answer to one of ours. */
export interface Way {
  readonly config?: CaseConfig;
  readonly flights: readonly Uint8Array[];
  /** The flights that lead from there to ReadyForQuery. */
  readonly rest: readonly Uint8Array[];
  /** How the rest ends where it is no session. */
  readonly ends?: "fail";
  /** Leaves the last answer to the caller. */
  readonly unanswered?: true;
}

const GSSENC: CaseConfig = { encryption: "gss-request", gss: true };
const SSL: CaseConfig = { encryption: "ssl-request" };
const LOCAL: CaseConfig = { local: true, protocolVersion: "3.2" };
const GSS: CaseConfig = { ...LOCAL, gss: true };
const MD5 = octets("520000000c00000005 61626364");
const BEARER: CaseConfig = { ...LOCAL, oauth: { issuer: "https://issuer.test" }, token: "tok" };
const DISCOVERY: CaseConfig = { ...LOCAL, oauth: { issuer: "https://issuer.test" } };
const ASK_TOKEN = flight("ask-token");
const STATUS = flight("token-status");
const DISMISSED = flight("token-error");
const ASK_GSS = octets("5200000008 00000007");
const SERVER_TOKEN = octets("5200000009 00000008 60");
const ASK = flight("ask-scram");
const FIRST = flight("server-first");
const FINAL = flight("final-n");
const WELCOME = flight("welcome");
const FINAL_AND_WELCOME = join(FINAL, WELCOME);
const READY = octets("5a0000000549");

/** The states that read, as PHASES names them; a new one there is missing here until a way is known. */
export const WAYS_TO_READING: Readonly<Record<ReadingPlace, Way>> = {
  "await-authentication": { config: LOCAL, flights: [], rest: [WELCOME] },
  "await-verdict": { config: LOCAL, flights: [MD5], rest: [WELCOME] },
  "sasl-continue": { config: LOCAL, flights: [ASK], rest: [FIRST, FINAL_AND_WELCOME] },
  "sasl-final": { config: LOCAL, flights: [ASK, FIRST], rest: [FINAL_AND_WELCOME] },
  "sasl-complete": { config: LOCAL, flights: [ASK, FIRST, FINAL], rest: [WELCOME] },
  "bearer-discovery": {
    config: DISCOVERY,
    flights: [ASK_TOKEN],
    rest: [STATUS, DISMISSED],
    ends: "fail",
  },
  "bearer-found": {
    config: DISCOVERY,
    flights: [ASK_TOKEN, STATUS],
    rest: [DISMISSED],
    ends: "fail",
  },
  "bearer-sent": { config: BEARER, flights: [ASK_TOKEN], rest: [WELCOME] },
  "bearer-refused": {
    config: BEARER,
    flights: [ASK_TOKEN, STATUS],
    rest: [DISMISSED],
    ends: "fail",
  },
  "gss-continue": { config: GSS, flights: [ASK_GSS], rest: [join(SERVER_TOKEN, WELCOME)] },
  "gss-complete": { config: GSS, flights: [ASK_GSS, SERVER_TOKEN], rest: [WELCOME] },
  "prepare": { config: LOCAL, flights: [flight("prepared")], rest: [READY] },
};

/** The states of a started machine that do not read messages. */
export type OtherPlace = Exclude<State["at"], ReadingPlace | "idle">;

/** Every other state a started machine can be in. */
export const WAYS_TO_OTHERS: Readonly<Record<OtherPlace, Way>> = {
  "await-ssl-answer": { config: SSL, flights: [], rest: [octets("53"), WELCOME] },
  "await-tls": { config: SSL, flights: [octets("53")], rest: [WELCOME], unanswered: true },
  "await-password": { config: LOCAL, flights: [MD5], rest: [WELCOME], unanswered: true },
  "await-token": { config: BEARER, flights: [ASK_TOKEN], rest: [WELCOME], unanswered: true },
  "await-keys": {
    config: LOCAL,
    flights: [ASK, FIRST],
    rest: [FINAL_AND_WELCOME],
    unanswered: true,
  },
  "await-gss-answer": { config: GSSENC, flights: [], rest: [octets("47"), WELCOME] },
  "await-gss": { config: GSSENC, flights: [octets("47")], rest: [WELCOME], unanswered: true },
  "await-gss-token": {
    config: GSS,
    flights: [ASK_GSS],
    rest: [join(SERVER_TOKEN, WELCOME)],
    unanswered: true,
  },
  "finished": { config: LOCAL, flights: [WELCOME], rest: [] },
  "failed": { config: LOCAL, flights: [octets("4000000004")], rest: [] },
};

/** A machine that has come somewhere, the step that brought it there, and what its user knows. */
export interface Arrived {
  readonly machine: ClientHandshake;
  readonly step: Step<SessionStart>;
  readonly script: Script;
}

/** Brings a new machine to a state. */
export function arrive(way: Way, traced = false): Arrived {
  const script = scriptOf({
    name: "-",
    source: "-",
    server: [],
    ...(way.config === undefined ? {} : { config: way.config }),
    tls: { alpn: "postgresql", verified: "full" },
    outcome: { waits: "negotiate" },
  });
  const machine = new ClientHandshake(clientConfig(way.config, traced));
  let step = machine.start();
  for (const [at, octetsOfFlight] of way.flights.entries()) {
    step = machine.receive(octetsOfFlight);
    if (way.unanswered === true && at === way.flights.length - 1) break;
    if (step.next.do === "answer") step = machine.answer(answerTo(step.next.request, script));
  }
  return { machine, step, script: { ...script, flights: way.rest } };
}
