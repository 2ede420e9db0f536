/** Cancels: any answer, any cut; the key goes nowhere but into one CancelRequest, over TLS where that was asked. */
import assert from "node:assert/strict";
import { ConfigError, UsageError } from "../../src/errors.ts";
import { CancelHandshake } from "../../src/handshake/cancel.ts";
import type { HandshakeEvent } from "../../src/handshake/step.ts";
import { cancelConfig, type CaseConfig, securedBy } from "../handshake/vector_case.ts";
import type { Prng } from "../support/prng.ts";
import { join, toHex } from "../support/vectors.ts";
import { fewerOctets, fuzz, type Report, type Target } from "./fuzz.ts";
import { assertHides, assertPeerError, assertPrintHides, needlesOf, pieces } from "./parts.ts";

interface Input {
  readonly config: CaseConfig;
  readonly tls: Parameters<typeof securedBy>[0];
  readonly answer: Uint8Array;
  readonly behind: Uint8Array;
  readonly cut: number;
  readonly prints: boolean;
}

const KEY = Uint8Array.from({ length: 24 }, (_, at) => 0xb1 + 3 * at);
const HIDDEN = needlesOf(KEY);
const VERIFY = ["none", "ca", "full"] as const;

const TARGET: Target<Input> = {
  name: "cancel",
  generate: (prng) => ({
    config: {
      encryption: prng.pick(["plain", "ssl-request", "ssl-request", "direct-tls"]),
      channelBinding: prng.pick(["disable", "prefer", "require"]),
      verify: prng.pick(VERIFY),
      processId: prng.u32() | 0,
      key: `hex:${toHex(KEY)}`,
    },
    tls: {
      verified: prng.pick(VERIFY),
      ...(prng.below(3) > 0 && { alpn: prng.pick(["postgresql", "postgresql", "h2", "\x1b[1m"]) }),
      ...(prng.below(3) > 0 && { certificate: prng.pick(["server.crt", "Ed25519", "hex:3003"]) }),
    },
    answer: answerOf(prng),
    behind: prng.below(3) === 0 ? prng.octets(prng.below(9)) : new Uint8Array(0),
    cut: prng.pick([1, 2 + prng.below(0xffff_0000)]),
    prints: prng.below(16) === 0,
  }),
  check(input) {
    const whole = play(input, [input.behind]);
    // The answer to SSLRequest comes alone, or what is behind it is surplus: there no cut may be made.
    if (input.config.encryption !== "ssl-request" || input.answer.length > 0) {
      const first = play(input, pieces(input.behind, input.cut));
      // The message counts the octets that came at once.
      assert.equal(first.code, whole.code, "the cut matters");
      assert.equal(toHex(first.sent), toHex(whole.sent), "the cut matters");
    }
    judge(whole, input);
    return whole.code;
  },
  show: (input) =>
    JSON.stringify({ ...input, answer: toHex(input.answer), behind: toHex(input.behind) }),
  *smaller(input) {
    for (const behind of fewerOctets(input.behind)) yield { ...input, behind };
    for (const answer of fewerOctets(input.answer)) yield { ...input, answer };
  },
};

interface Played {
  readonly code: string;
  readonly error: unknown;
  readonly sent: Uint8Array;
  /** How many octets were sent before TLS stood. */
  readonly before: number;
  readonly events: readonly HandshakeEvent[];
}

/** Plays cancels. */
export function run(seed: number, cases: number): Report {
  return fuzz(TARGET, seed, cases);
}

function answerOf(prng: Prng): Uint8Array {
  const octet = prng.pick([0x53, 0x53, 0x53, 0x4e, 0x45, 0x47, prng.below(256)]);
  return prng.below(6) === 0 ? new Uint8Array(0) : Uint8Array.of(octet);
}

function play(input: Input, behind: readonly Uint8Array[]): Played {
  let machine: CancelHandshake;
  try {
    machine = new CancelHandshake(cancelConfig(input.config));
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return { code: error.code, error, sent: new Uint8Array(0), before: 0, events: [] };
  }
  const waiting = input.config.encryption === "ssl-request" ? [input.answer, ...behind] : behind;
  const sent: Uint8Array[] = [];
  const events: HandshakeEvent[] = [];
  let before = Infinity;
  let step = machine.start();
  let at = 0;
  for (let count = 0; count < waiting.length + 8; count++) {
    sent.push(step.send);
    events.push(...step.events);
    const { next } = step;
    switch (next.do) {
      case "read": {
        const part = waiting[at++];
        step = part === undefined ? machine.receiveEnd() : machine.receive(part);
        break;
      }
      case "start-tls":
        before = join(...sent).length;
        step = machine.secured(securedBy(input.tls));
        break;
      case "answer":
        throw new Error("A cancel asks for an answer");
      case "finish":
        assert.throws(() => machine.start(), UsageError);
        return { code: "finish", error: undefined, sent: join(...sent), before, events };
      case "fail": {
        const { error } = next;
        assert.deepEqual(machine.receive(Uint8Array.of(1)).next, { do: "fail", error });
        assertPeerError(error);
        return { code: error.code, error, sent: join(...sent), before, events };
      }
    }
  }
  throw new Error("The cancel does not end");
}

function judge(played: Played, input: Input): void {
  const hex = toHex(played.sent);
  const at = hex.indexOf(toHex(KEY));
  assert.equal(hex.indexOf(toHex(KEY), at + 1), -1, "the key is sent twice");
  if (input.config.encryption !== "plain" && at >= 0) {
    assert.ok(at / 2 >= played.before, "the key is sent before TLS");
  }
  if (played.code === "finish") assert.ok(at >= 0, "it finishes without its request");
  const { error, events } = played;
  const said = error instanceof Error ? `${error.stack}${JSON.stringify(error)}` : "";
  assertHides(`${said}${JSON.stringify(events)}`, HIDDEN, "an event or the error");
  if (input.prints) assertPrintHides({ error, events }, HIDDEN, "a print");
}
