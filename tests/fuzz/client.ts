/** Start-ups with servers that send anything, in any order, cut anywhere; the caller errs at times as well. */
import assert from "node:assert/strict";
import type { Admission, AuthPolicy } from "../../src/auth/gate.ts";
import { ConfigError, type ErrorCode, UsageError } from "../../src/errors.ts";
import { ClientHandshake } from "../../src/handshake/client.ts";
import type { SessionStart } from "../../src/handshake/client_state.ts";
import type { HandshakeEvent, Step } from "../../src/handshake/step.ts";
import { answerTo, GSS_CHANNEL } from "../handshake/converse.ts";
import { clientConfig } from "../handshake/vector_case.ts";
import { join, toHex } from "../support/vectors.ts";
import { clientInput, type Input, KEY, PASSWORD } from "./client_input.ts";
import { fuzz, type Report, type Target, withoutPieces } from "./fuzz.ts";
import { assertHides, assertPeerError, assertPrintHides, needlesOf, pieces } from "./parts.ts";

/** Everything that shows of a conversation. */
interface Played {
  readonly end: string;
  readonly error: unknown;
  readonly result: SessionStart | undefined;
  readonly sent: Uint8Array;
  /** Whether TLS or GSSAPI encryption was in use at the end. */
  readonly secured: boolean;
  readonly events: readonly HandshakeEvent[];
  readonly unread: Uint8Array;
}

/** What a server, whatever it sends, may make of a start-up. */
const DECLARED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "malformed-message",
  "protocol-violation",
  "not-postgresql",
  "protocol-version",
  "auth-forbidden",
  "auth-unsupported",
  "cleartext-forbidden",
  "channel-binding",
  "server-not-verified",
  "scram-limit",
  "password-missing",
  "connection-lost",
  "tls-refused",
  "gss-refused",
  "gss-failed",
  "alpn-missing",
  "certificate-name",
  "certificate-untrusted",
  "token-missing",
  "token-unavailable",
  "issuer-mismatch",
  "server-error",
]);

const SPARE_STEPS = 16;

const TARGET: Target<Input> = {
  name: "client",
  generate: clientInput,
  check(input) {
    const made = machineOf(input);
    if (made === undefined) return "invalid-setting";
    const whole = play(made, input, input.flights);
    judge(whole, input);
    const other = machineOf(input);
    assert.ok(other !== undefined);
    // What comes behind the answer to SSLRequest or GSSENCRequest depends on what stands between: there no cut may be made.
    const kept = answersBefore(input);
    const cut = [
      ...input.flights.slice(0, kept),
      ...pieces(join(...input.flights.slice(kept)), input.cut),
    ];
    const inPieces = play(other, { ...input, mistakes: [] }, cut);
    assert.deepEqual(facts(inPieces), facts(whole), "the cut matters");
    return whole.end;
  },
  show: ({ config, script, flights, cut, mistakes }) =>
    JSON.stringify({ config, tls: script.secured, flights: flights.map(toHex), cut, mistakes }),
  *smaller(input) {
    for (const fewer of withoutPieces(input.flights)) yield { ...input, flights: fewer };
    if (input.mistakes.length > 0) yield { ...input, mistakes: [] };
  },
};

const HIDDEN = needlesOf(PASSWORD);
const HIDDEN_KEY = needlesOf(KEY);

/** Plays start-ups. */
export function run(seed: number, cases: number): Report {
  return fuzz(TARGET, seed, cases);
}

/** Undefined if the settings contradict each other. */
function machineOf(input: Input): ClientHandshake | undefined {
  try {
    return new ClientHandshake(clientConfig(input.config));
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

function play(machine: ClientHandshake, input: Input, parts: readonly Uint8Array[]): Played {
  const steps: Step<SessionStart>[] = [];
  const waiting = [...parts];
  let step = machine.start();
  for (let count = 0; count <= parts.length + SPARE_STEPS; count++) {
    steps.push(step);
    const { next } = step;
    err(machine, next.do, input.mistakes[count]);
    switch (next.do) {
      case "read": {
        const part = waiting.shift();
        step = part === undefined ? machine.receiveEnd() : machine.receive(part);
        break;
      }
      case "start-tls":
        step = machine.secured(input.script.secured);
        break;
      case "start-gss":
        step = machine.secured(GSS_CHANNEL);
        break;
      case "answer":
        step = machine.answer(answerTo(next.request, input.script));
        break;
      case "finish":
      case "fail": {
        const failed = next.do === "fail" ? next.error : undefined;
        if (failed !== undefined) assertStaysFailed(machine, failed);
        return {
          end: failed?.code ?? "finish",
          error: failed,
          result: next.do === "finish" ? next.result : undefined,
          sent: join(...steps.map((one) => one.send)),
          secured: steps.some(({ next: { do: act } }) =>
            act === "start-tls" || act === "start-gss"
          ),
          events: steps.flatMap((one) => one.events),
          unread: join(...waiting),
        };
      }
    }
  }
  throw new Error("The machine does not end");
}

/** A call that is not the one asked for is refused as our caller's mistake, and changes nothing. */
function err(machine: ClientHandshake, asked: string, mistake: number | undefined): void {
  if (mistake === undefined || asked === "fail") return;
  const calls: readonly (readonly [string, () => unknown])[] = [
    ["start", () => machine.start()],
    ["start-tls", () => machine.secured({ kind: "plain", local: true })],
    ["read", () => machine.receive(Uint8Array.of(0x52))],
    ["read", () => machine.receiveEnd()],
  ];
  const [name, call] = calls[mistake] ?? ["", () => undefined];
  const same = name === asked || (name === "start-tls" && asked === "start-gss");
  if (!same) assert.throws(call, UsageError);
}

function assertStaysFailed(machine: ClientHandshake, error: unknown): void {
  const { next, send } = machine.receive(Uint8Array.of(0x52, 0, 0, 0, 8, 0, 0, 0, 0));
  assert.ok(next.do === "fail" && next.error === error, "it does not stay failed");
  assert.equal(send.length, 0, "it sends after it has failed");
}

function judge(played: Played, input: Input): void {
  const { error, result } = played;
  const policy = clientConfig(input.config).policy;
  if (error instanceof Error) {
    assert.ok(DECLARED.has(played.end as ErrorCode), `${played.end}: ${error.message}`);
    assertPeerError(error as Parameters<typeof assertPeerError>[0]);
  }
  if (result !== undefined) {
    const { method, channelBound } = result.authentication;
    assert.ok(
      isAllowed(method, policy),
      `let in ${method}`,
    );
    if (policy.channelBinding === "require") assert.ok(channelBound, "let in without binding");
    if (policy.tls !== undefined && input.config.plaintextAfterRefusal !== true) {
      assert.equal(result.channel.kind, "tls", "let in without TLS");
    }
  }
  assertNothingBehindAnswer(played, input);
  assertSecretsKept(played, input);
}

/** crypt goes by "password", credentials of the kernel by no word of require_auth. */
function isAllowed(method: Admission["method"], policy: AuthPolicy): boolean {
  switch (method) {
    case "none":
      return !policy.required;
    case "crypt":
      return policy.allowLegacyAuth?.has("crypt") === true && policy.allowed.has("password");
    case "scm":
      return policy.allowLegacyAuth?.has("scm") === true && policy.requireAuthText === undefined;
    default:
      return policy.allowed.has(method);
  }
}

/** How many answers of one octet a server gives before its first message. */
function answersBefore({ config: { encryption, afterGssRefusal } }: Input): number {
  switch (encryption) {
    case "ssl-request":
      return 1;
    case "gss-request":
      return afterGssRefusal === "ssl-request" ? 2 : 1;
    default:
      return 0;
  }
}

/** Octets that come together with the answer to SSLRequest or GSSENCRequest end it all (CVE-2021-23222). */
function assertNothingBehindAnswer(played: Played, input: Input): void {
  const [answer = 0, ...behind] = input.flights[0] ?? [];
  if (answersBefore(input) === 0 || behind.length === 0) return;
  const accepts = input.config.encryption === "gss-request" ? 0x47 : 0x53;
  if (answer !== accepts && answer !== 0x4e) return;
  assert.equal(played.end, "protocol-violation", "octets behind the answer are taken");
  assert.equal(played.sent.length, 8, "more than the request is sent");
}

function assertSecretsKept(played: Played, input: Input): void {
  const latin1 = String.fromCharCode(...played.sent);
  const { config, script } = input;
  const may = config.local === true || config.allowCleartextPassword === true || played.secured;
  if (!may) assert.ok(!latin1.includes(String.fromCharCode(...PASSWORD)), "password in clear");
  const proof = /,p=([A-Za-z0-9+/=]{44})/.exec(latin1)?.[1] ?? "-- no proof --";
  const md5 = /md5[0-9a-f]{32}/.exec(latin1)?.[0] ?? "-- no hash --";
  const said = `${JSON.stringify(played.events)}${
    played.error instanceof Error ? `${played.error.stack}${JSON.stringify(played.error)}` : ""
  }`;
  assertHides(said, [...HIDDEN, ...HIDDEN_KEY, proof, md5], "an event or the error");
  if (!input.prints) return;
  const keys = [...needlesOf(script.keys.clientKey, script.keys.serverKey), ...HIDDEN, proof, md5];
  const values = { events: played.events, error: played.error, result: played.result };
  assertPrintHides(values, keys, "a print");
}

function facts(played: Played): unknown {
  const { error, result, sent, events, unread, end } = played;
  return {
    end,
    text: error instanceof Error ? error.message : undefined,
    phase: (error as { phase?: string } | undefined)?.phase,
    sent: toHex(sent),
    events,
    result: result && {
      parameters: [...result.parameters],
      key: result.cancelKey && toHex(result.cancelKey.request()),
      version: result.protocolVersion,
      authentication: { ...result.authentication },
      status: result.transactionStatus,
      channel: result.channel.kind,
      left: toHex(join(result.leftover, unread)),
    },
  };
}
