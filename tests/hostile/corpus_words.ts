/** Conversations of the model's words, told by a server to connect(). */
import type { ReadingPlace } from "../../src/handshake/phases.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { MESSAGES } from "../handshake/places.ts";
import { RFC7677_KEYS } from "../handshake/converse.ts";
import { flight, octets } from "../handshake/vector_case.ts";
import { Buffer } from "node:buffer";
import {
  type Flight,
  GENERATED,
  type HostileCase,
  type HostileOutcome,
  type ServerStep,
} from "./corpus_case.ts";
import {
  beforehand,
  BEGINNING,
  type Gs2,
  judge,
  type Verdict,
  type Word,
  type World,
} from "./corpus_model.ts";
import { toHex } from "../support/vectors.ts";
import { encodeBackend } from "../../src/wire/backend.ts";

/** The words that lead to a state. A state that PHASES has and this has not does not compile. */
export const WAYS: Readonly<Record<ReadingPlace, readonly (readonly Word[])[]>> = {
  "await-authentication": [[]],
  "await-verdict": [["AuthenticationMD5Password"], ["AuthenticationCleartextPassword"]],
  "sasl-continue": [["AuthenticationSASL"], ["AuthenticationSASL with PLUS"]],
  "sasl-final": [
    ["AuthenticationSASL", "AuthenticationSASLContinue"],
    ["AuthenticationSASL with PLUS", "AuthenticationSASLContinue"],
  ],
  "sasl-complete": [
    ["AuthenticationSASL", "AuthenticationSASLContinue", "AuthenticationSASLFinal"],
    ["AuthenticationSASL with PLUS", "AuthenticationSASLContinue", "AuthenticationSASLFinal"],
  ],
  "bearer-discovery": [["AuthenticationSASL with OAUTHBEARER"]],
  "bearer-found": [["AuthenticationSASL with OAUTHBEARER", "a token status"]],
  "bearer-sent": [["AuthenticationSASL with OAUTHBEARER"]],
  "bearer-refused": [["AuthenticationSASL with OAUTHBEARER", "a token status"]],
  "gss-continue": [["AuthenticationGSS"], ["AuthenticationSSPI"]],
  "gss-complete": [
    ["AuthenticationGSS", "AuthenticationGSSContinue"],
    ["AuthenticationSSPI", "AuthenticationGSSContinue"],
  ],
  "prepare": [["AuthenticationOk"], ["AuthenticationMD5Password", "AuthenticationOk"]],
};

const VARIANTS: readonly Word[] = [
  "AuthenticationSASL with PLUS",
  "AuthenticationSASL with OAUTHBEARER",
  "a token status",
  "a token status of another issuer",
  "a token status twice over",
  "a wrong server signature",
  "an error in server-final",
  "an empty server-final",
  "server-final in AuthenticationSASLContinue",
  "the end of the stream",
  "silence",
];

/** Everything a server can say in a state: each message of the protocol, the variants, and nothing. */
export const WORDS: readonly Word[] = [
  ...Object.keys(MESSAGES) as BackendMessage["type"][],
  ...VARIANTS,
];

/** What lets a client in that can be let in. */
const TAIL: readonly Word[] = ["ParameterStatus", "BackendKeyData", "ReadyForQuery"];
const WELCOME: readonly Word[] = ["AuthenticationOk", ...TAIL];

const STATUS = new TextDecoder().decode(flight("token-status").slice(9));

function tokenStatus(text: string): Uint8Array {
  return encodeBackend({ type: "AuthenticationSASLContinue", data: octets(`text:${text}`) });
}

/** A word as the server writes it; the final ones fit what client-first said. */
export function octetsOf(word: Word, gs2: Gs2): Uint8Array {
  const final = (text: string): Uint8Array =>
    encodeBackend({ type: "AuthenticationSASLFinal", data: octets(`text:${text}`) });
  switch (word) {
    case "AuthenticationSASL with PLUS":
      return flight("ask-plus");
    case "AuthenticationSASL with OAUTHBEARER":
      return flight("ask-token");
    case "a token status":
      return flight("token-status");
    case "a token status of another issuer":
      return tokenStatus(STATUS.replace("issuer.test", "issuer.evil"));
    case "a token status twice over":
      return tokenStatus(STATUS + STATUS);
    case "AuthenticationSASLFinal":
      return flight(`final-${gs2}`);
    case "a wrong server signature":
      return final(`v=${"A".repeat(43)}=`);
    case "an error in server-final":
      return final("e=invalid-proof");
    case "an empty server-final":
      return final("");
    case "server-final in AuthenticationSASLContinue": {
      const data = flight(`final-${gs2}`).slice(9);
      return encodeBackend({ type: "AuthenticationSASLContinue", data });
    }
    case "the end of the stream":
    case "silence":
      throw new Error(`"${word}" is no message`);
    default:
      return encodeBackend(MESSAGES[word]);
  }
}

/** How the words reach the client: each in answer to its last, or all that are messages at once. */
export type Manner = "in turn" | "at once";

/**
 * The case of a server that goes a way, says one word in the state it leads to, and then tries to let the client in.
 * What must come of it is the model's word.
 */
export function caseOf(
  world: World,
  way: readonly Word[],
  word: Word,
  manner: Manner,
): HostileCase {
  const early = beforehand(world);
  const dialed = early?.code !== "invalid-setting";
  const begun = world.tls ? ["SSLRequest", "TLS", "StartupMessage"] : ["StartupMessage"];
  const answer: readonly ServerStep[] = world.tls ? ["<SSLRequest", [{ octets: "53" }]] : [];
  const { verdict, sends, steps } = converse(world, way, word, manner);
  const bye = verdict.kind === "session" ? ["Terminate"] : [];
  return {
    name: `${word} after ${way.join(", ") || "StartupMessage"}, ${manner}, ${worldText(world)}`,
    source: "protocol.md 7.1, 7.2; corpus_model.ts",
    attack: GENERATED,
    gss: true,
    settings: {
      ...SECRETS,
      sslmode: world.tls ? "require" : "disable",
      channel_binding: world.binding,
      require_auth: world.requireAuth ?? null,
      ...(world.token === "none" ? {} : { oauth_issuer: "https://issuer.test" }),
      connect_timeout: word === "silence" ? "7" : null,
    },
    ...(world.token === "none"
      ? {}
      : { options: { bearerToken: world.token === "given" ? "tok" : null } }),
    tls: { alpn: "postgresql", certificate: "EC256/SHA-256", verified: "ca" },
    server: early === undefined ? [[...answer, "<StartupMessage", ...steps]] : dialed ? [[]] : [],
    outcome: outcomeOf(early ?? verdict),
    sent: early === undefined ? [[...begun, ...sends, ...bye]] : dialed ? [[]] : [],
    ...(sends.includes("PasswordMessage") && world.tls ? { clearAllowed: true } : {}),
  };
}

/**
 * Where a way leads, if it is open to the end; one that is refused says the same whatever was to come behind it.
 */
export function reached(world: World, way: readonly Word[]): ReadingPlace | undefined {
  if (beforehand(world) !== undefined) return undefined;
  let standing = BEGINNING;
  for (const word of way) {
    const verdict = judge(world, standing, word);
    if (verdict.kind !== "goes on") return undefined;
    standing = verdict.standing;
  }
  return standing.at;
}

/** The password's own keys: thousands of conversations need not derive them. */
const SECRETS: Readonly<Record<string, string>> = {
  scram_client_key: Buffer.from(RFC7677_KEYS.clientKey).toString("base64"),
  scram_server_key: Buffer.from(RFC7677_KEYS.serverKey).toString("base64"),
};

function worldText({ requireAuth, binding, tls, token }: World): string {
  return `token ${token} require_auth=${requireAuth ?? ""} channel_binding=${binding} ${
    tls ? "TLS" : "plaintext"
  }`;
}

/** A conversation by the model: how it ends, what the client sends in it, what the server does. */
interface Told {
  readonly verdict: Exclude<Verdict, { kind: "goes on" }>;
  readonly sends: readonly string[];
  readonly steps: readonly ServerStep[];
}

function converse(world: World, way: readonly Word[], last: Word, manner: Manner): Told {
  const told: { readonly flight: Flight; readonly take?: string }[] = [];
  const words = [...way, last];
  let standing = BEGINNING;
  let verdict: Verdict | undefined;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as Word;
    const isMessage = word !== "silence" && word !== "the end of the stream";
    const { gs2 } = standing;
    if (verdict === undefined || verdict.kind === "goes on") {
      verdict = judge(world, standing, word);
      if (verdict.kind === "goes on") standing = verdict.standing;
    }
    const take = verdict.kind === "goes on" ? verdict.sends : undefined;
    if (isMessage) {
      const flight = [{ octets: toHex(octetsOf(word, gs2)) }];
      told.push(take === undefined ? { flight } : { flight, take });
    }
    // Whatever the client makes of the last word, the server now tries to let it in.
    if (at === words.length - 1 && word === last && isMessage && words.length === way.length + 1) {
      words.push(...(standing.at === "prepare" ? TAIL : WELCOME));
    }
  }
  if (verdict === undefined || verdict.kind === "goes on") {
    throw new Error(`${worldText(world)}: ${words.join(", ")} leads nowhere`);
  }
  return { verdict, ...stepsOf(told, last, manner) };
}

function stepsOf(
  told: readonly { readonly flight: Flight; readonly take?: string }[],
  last: Word,
  manner: Manner,
): Pick<Told, "sends" | "steps"> {
  const sends = told.flatMap(({ take }) => take === undefined ? [] : [take]);
  // A client that waits for more than it gets learns that there is no more.
  const end = last === "silence" ? "silence" : "end";
  const steps: readonly ServerStep[] = manner === "at once"
    ? [told.flatMap(({ flight }) => flight), ...sends.map((name) => `<${name}`)]
    : told.flatMap(({ flight, take }): ServerStep[] =>
      take === undefined ? [flight] : [flight, `<${take}`]
    );
  return { sends, steps: [...steps.filter((step) => step.length > 0), end] };
}

function outcomeOf(verdict: Told["verdict"]): HostileOutcome {
  return verdict.kind === "fails"
    ? { fail: verdict.code, phase: verdict.phase }
    : { session: { method: verdict.method, channelBound: verdict.bound } };
}
