/**
 * What must come of a conversation, by a model of its own: written from `protocol.md` 7.1, 7.2 and design.md section 5,
 * not from the gate. It knows no octets, only names of messages.
 */
import type { ErrorCode, Phase } from "../../src/errors.ts";
import type { ReadingPlace } from "../../src/handshake/phases.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";

/** A message of the server, one of its variants, or no message. */
export type Word =
  | BackendMessage["type"]
  | "AuthenticationSASL with PLUS"
  | "AuthenticationSASL with OAUTHBEARER"
  | "a token status"
  | "a token status of another issuer"
  | "a token status twice over"
  | "a wrong server signature"
  | "an error in server-final"
  | "an empty server-final"
  | "server-final in AuthenticationSASLContinue"
  | "the end of the stream"
  | "silence";

/** The policies a conversation is judged by. */
export interface World {
  readonly requireAuth: string | undefined;
  readonly binding: "disable" | "prefer" | "require";
  readonly tls: boolean;
  /** Whether the caller has no bearer tokens, has one, or asks first and then has none. */
  readonly token: "none" | "given" | "asked";
}

/** What client-first says about channel binding. */
export type Gs2 = "n" | "y" | "p";

/** Where the client stands. */
export interface Standing {
  readonly at: ReadingPlace;
  readonly method: "none" | "password" | "md5" | "gss" | "sspi" | "scram-sha-256" | "oauth";
  readonly gs2: Gs2;
  /** Whether a cancel key or a protocol version came, which come once. */
  readonly once: boolean;
}

/** What a word leads to. */
export type Verdict =
  | { readonly kind: "goes on"; readonly standing: Standing; readonly sends?: string }
  | { readonly kind: "fails"; readonly code: ErrorCode; readonly phase: Phase }
  | { readonly kind: "session"; readonly method: Standing["method"]; readonly bound: boolean };

/** `require_auth` by protocol.md 7.1: the methods left, and whether a server must ask at all. */
const REQUIRE_AUTH: Readonly<Record<string, { readonly left: string; readonly must: boolean }>> = {
  "unset": { left: "password md5 gss sspi scram-sha-256 oauth", must: false },
  "scram-sha-256": { left: "scram-sha-256", must: true },
  "none": { left: "", must: false },
  "!none": { left: "password md5 gss sspi scram-sha-256 oauth", must: true },
  "!password": { left: "md5 gss sspi scram-sha-256 oauth", must: false },
};

/** The values of `require_auth` the model knows; undefined leaves it unset. */
export const REQUIRE_AUTH_VALUES: readonly (string | undefined)[] = Object.keys(REQUIRE_AUTH).map(
  (value) => value === "unset" ? undefined : value,
);

/** How far the connection has come where the client waits. */
const PHASE_AT: Readonly<Record<ReadingPlace, Phase>> = {
  "await-authentication": "start-up",
  "await-verdict": "authenticate",
  "sasl-continue": "authenticate",
  "sasl-final": "authenticate",
  "sasl-complete": "authenticate",
  "bearer-discovery": "authenticate",
  "bearer-found": "authenticate",
  "bearer-sent": "authenticate",
  "bearer-refused": "authenticate",
  "gss-continue": "authenticate",
  "gss-complete": "authenticate",
  "prepare": "prepare",
};

/** Where every conversation begins. */
export const BEGINNING: Standing = {
  at: "await-authentication",
  method: "none",
  gs2: "n",
  once: false,
};

function fails(code: ErrorCode, phase: Phase): Verdict {
  return { kind: "fails", code, phase };
}

function allows(world: World, method: string): boolean {
  return rules(world).left.split(" ").includes(method);
}

function rules({ requireAuth }: World): { readonly left: string; readonly must: boolean } {
  const found = REQUIRE_AUTH[requireAuth ?? "unset"];
  if (found === undefined) throw new Error(`The model does not know require_auth "${requireAuth}"`);
  return found;
}

/** What fails before the first word of the server; undefined if nothing does. */
export function beforehand(world: World): Extract<Verdict, { kind: "fails" }> | undefined {
  if (world.binding !== "require") return undefined;
  if (!allows(world, "scram-sha-256")) {
    return { kind: "fails", code: "invalid-setting", phase: "settings" };
  }
  return world.tls ? undefined : { kind: "fails", code: "channel-binding", phase: "negotiate" };
}

/** What one word of the server leads to. */
export function judge(world: World, standing: Standing, word: Word): Verdict {
  const phase = PHASE_AT[standing.at];
  // What the connection was made for is known: how it ends does not matter.
  if (
    standing.at === "bearer-found" && (word === "ErrorResponse" || word === "the end of the stream")
  ) return fails("token-missing", phase);
  if (word === "the end of the stream") return fails("connection-lost", phase);
  if (word === "silence") return fails("timeout", phase);
  if (word === "ErrorResponse") return fails("server-error", phase);
  switch (standing.at) {
    case "await-authentication":
      return judgeFirst(world, standing, word);
    case "await-verdict":
    case "gss-complete":
    case "sasl-complete":
      return word === "AuthenticationOk"
        ? { kind: "goes on", standing: { ...standing, at: "prepare" } }
        : fails("protocol-violation", phase);
    case "sasl-continue":
      // Base64 and all: server-final in its place is no server-first.
      if (word === "server-final in AuthenticationSASLContinue" || isTokenStatus(word)) {
        return fails("malformed-message", phase);
      }
      return word === "AuthenticationSASLContinue"
        ? { kind: "goes on", standing: { ...standing, at: "sasl-final" }, sends: "SASLResponse" }
        : fails("protocol-violation", phase);
    case "bearer-sent":
      return word === "AuthenticationOk"
        ? { kind: "goes on", standing: { ...standing, at: "prepare" } }
        : judgeStatus(standing, word);
    case "bearer-discovery":
      return judgeStatus(standing, word);
    case "bearer-found":
    case "bearer-refused":
      return fails("protocol-violation", phase);
    case "gss-continue":
      // One token of the server completes the context of the provider in these cases.
      return word === "AuthenticationGSSContinue"
        ? { kind: "goes on", standing: { ...standing, at: "gss-complete" } }
        : fails("protocol-violation", phase);
    case "sasl-final":
      return judgeFinal(standing, word);
    case "prepare":
      return judgePrepare(standing, word);
  }
}

function isTokenStatus(word: Word): boolean {
  return word.startsWith("a token status");
}

/** RFC 7628 section 3.2.2, and libpq's rules for what it names. */
function judgeStatus(standing: Standing, word: Word): Verdict {
  const asked = standing.at === "bearer-discovery";
  switch (word) {
    case "a token status of another issuer":
      if (asked) return fails("issuer-mismatch", "authenticate");
      return {
        kind: "goes on",
        standing: { ...standing, at: "bearer-refused" },
        sends: "SASLResponse",
      };
    case "a token status": {
      const at = asked ? "bearer-found" : "bearer-refused";
      return { kind: "goes on", standing: { ...standing, at }, sends: "SASLResponse" };
    }
    case "a token status twice over":
    case "AuthenticationSASLContinue":
    case "server-final in AuthenticationSASLContinue":
      return fails("malformed-message", "authenticate");
    default:
      return fails("protocol-violation", "authenticate");
  }
}

function judgeFirst(world: World, standing: Standing, word: Word): Verdict {
  const bound = world.binding === "require";
  const refuse = (method: string | undefined, otherwise: Verdict): Verdict => {
    if (method !== undefined && !allows(world, method)) {
      return fails("auth-forbidden", "authenticate");
    }
    return bound ? fails("channel-binding", "authenticate") : otherwise;
  };
  const unsupported = fails("auth-unsupported", "authenticate");
  const answer = (method: "password" | "md5"): Verdict => ({
    kind: "goes on",
    standing: { ...standing, at: "await-verdict", method },
    sends: "PasswordMessage",
  });
  const token = (method: "gss" | "sspi"): Verdict => ({
    kind: "goes on",
    standing: { ...standing, at: "gss-continue", method },
    sends: "GSSResponse",
  });
  switch (word) {
    case "AuthenticationOk":
      if (rules(world).must) return fails("auth-forbidden", "authenticate");
      return refuse(undefined, { kind: "goes on", standing: { ...standing, at: "prepare" } });
    case "AuthenticationCleartextPassword":
      return refuse(
        "password",
        world.tls ? answer("password") : fails("cleartext-forbidden", "authenticate"),
      );
    case "AuthenticationMD5Password":
      return refuse("md5", answer("md5"));
    case "AuthenticationGSS":
      return refuse("gss", token("gss"));
    case "AuthenticationSSPI":
      return refuse("sspi", token("sspi"));
    case "AuthenticationKerberosV4":
    case "AuthenticationKerberosV5":
    case "AuthenticationCryptPassword":
    case "AuthenticationSCMCredential":
    case "AuthenticationUnknown":
      return refuse(undefined, unsupported);
    case "AuthenticationSASL":
    case "AuthenticationSASL with PLUS":
      return judgeSasl(world, standing, word === "AuthenticationSASL with PLUS");
    case "AuthenticationSASL with OAUTHBEARER":
      return judgeBearer(world, standing);
    case "NegotiateProtocolVersion":
      // 3.0 after 3.0 was asked for: it changes nothing, so it has no reason to come.
      return fails("protocol-version", "start-up");
    default:
      return fails("protocol-violation", "start-up");
  }
}

function judgeSasl(world: World, standing: Standing, plus: boolean): Verdict {
  if (!allows(world, "scram-sha-256")) return fails("auth-forbidden", "authenticate");
  if (plus && !world.tls) return fails("channel-binding", "authenticate");
  const able = world.tls && world.binding !== "disable";
  if (world.binding === "require" && !plus) return fails("channel-binding", "authenticate");
  const gs2 = able ? plus ? "p" : "y" : "n";
  return {
    kind: "goes on",
    standing: { ...standing, at: "sasl-continue", method: "scram-sha-256", gs2 },
    sends: "SASLInitialResponse",
  };
}

/** A mechanism nobody has tokens for is none; it cannot be bound; and its token goes where a password in clear may go. */
function judgeBearer(world: World, standing: Standing): Verdict {
  if (!allows(world, "oauth")) return fails("auth-forbidden", "authenticate");
  if (world.binding === "require") return fails("channel-binding", "authenticate");
  if (world.token === "none") return fails("auth-unsupported", "authenticate");
  if (!world.tls) return fails("cleartext-forbidden", "authenticate");
  const at = world.token === "given" ? "bearer-sent" : "bearer-discovery";
  return {
    kind: "goes on",
    standing: { ...standing, at, method: "oauth" },
    sends: "SASLInitialResponse",
  };
}

function judgeFinal(standing: Standing, word: Word): Verdict {
  switch (word) {
    case "AuthenticationSASLFinal":
      return { kind: "goes on", standing: { ...standing, at: "sasl-complete" } };
    case "a wrong server signature":
    case "an error in server-final":
      return fails("server-not-verified", "authenticate");
    case "an empty server-final":
      return fails("malformed-message", "authenticate");
    default:
      return fails("protocol-violation", "authenticate");
  }
}

function judgePrepare(standing: Standing, word: Word): Verdict {
  switch (word) {
    case "ParameterStatus":
    case "NoticeResponse":
    case "NotificationResponse":
      return { kind: "goes on", standing };
    case "BackendKeyData":
      return standing.once
        ? fails("protocol-violation", "prepare")
        : { kind: "goes on", standing: { ...standing, once: true } };
    case "ReadyForQuery":
      return { kind: "session", method: standing.method, bound: standing.gs2 === "p" };
    default:
      return fails("protocol-violation", "prepare");
  }
}
