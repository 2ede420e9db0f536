import { type AuthPolicy, Gate } from "../auth/gate.ts";
import type { ChannelFacts } from "../auth/channel.ts";
import {
  type Encryption,
  locate,
  PgHandshakeError,
  type Phase,
  ProtocolError,
  UsageError,
} from "../errors.ts";
import { Deframer } from "../wire/deframer.ts";
import type { CancelKey } from "./cancel_key.ts";
import { endedInsteadOfAnswer, judgeSslAnswer, tlsRefused } from "./encryption.ts";
import { endedInsteadOfGssAnswer, gssRefused, judgeGssAnswer } from "./gss_encryption.ts";
import { Outbox } from "./outbox.ts";
import { checkSecured } from "./refusals.ts";
import type { Answer, Machine, Next, Step } from "./step.ts";

/** What a cancel needs to know. */
export interface CancelConfig {
  /** How the connection becomes encrypted: as the session's was. */
  readonly encryption: Encryption;
  /** Whether `N` to SSLRequest means going on in plaintext; never for a session that is encrypted. */
  readonly plaintextAfterRefusal: boolean;
  /** Whose query to cancel. */
  readonly key: CancelKey;
  /** What TLS must prove: the policy of the session that is cancelled. */
  readonly policy: AuthPolicy;
  /** The channel before any encryption. */
  readonly channel: ChannelFacts;
  /** Whether messages are reported by name. */
  readonly traced: boolean;
}

type State =
  | { readonly at: "idle" }
  | { readonly at: "await-ssl-answer" }
  | { readonly at: "await-tls" }
  | { readonly at: "await-gss-answer" }
  | { readonly at: "await-gss" }
  | { readonly at: "await-end" }
  | { readonly at: "finished" }
  | { readonly at: "failed"; readonly error: PgHandshakeError };

const READ: Next<never> = { do: "read" };

/**
 * Cancels the query of another session (PostgreSQL manual, 54.2.8): encryption as that session had it,
 * CancelRequest, and the server's close as the only answer. Whether it had an effect, nobody tells.
 */
export class CancelHandshake implements Machine<undefined> {
  readonly #config: CancelConfig;
  readonly #gate: Gate;
  readonly #deframer = new Deframer();
  readonly #outbox: Outbox;
  #state: State = { at: "idle" };

  /**
   * Makes a machine for one cancel.
   *
   * @param config The key and the way to bring it.
   */
  constructor(config: CancelConfig) {
    this.#config = config;
    this.#gate = new Gate(config.policy);
    this.#outbox = new Outbox(config.traced);
  }

  /** How far it has come: `negotiate` and `tls` as in start-up, then `cancel`. */
  get phase(): Phase {
    return phaseOf(this.#state);
  }

  start(): Step<undefined> {
    return this.#step("start", ["idle"], () => {
      switch (this.#config.encryption) {
        case "plain":
          return this.#request(this.#config.channel);
        case "ssl-request":
          this.#outbox.send({ type: "SSLRequest" });
          this.#state = { at: "await-ssl-answer" };
          return READ;
        case "direct-tls":
          this.#state = { at: "await-tls" };
          return { do: "start-tls" };
        case "gss-request":
          this.#outbox.send({ type: "GSSENCRequest" });
          this.#state = { at: "await-gss-answer" };
          return READ;
      }
    });
  }

  receive(octets: Uint8Array): Step<undefined> {
    return this.#step("receive", ["await-ssl-answer", "await-gss-answer", "await-end"], () => {
      if (octets.length === 0) return READ;
      if (this.#state.at === "await-end") {
        throw new ProtocolError(
          `Cannot cancel: the server sent ${octets.length} octets where it only closes the connection`,
          { phase: "cancel" },
        );
      }
      this.#deframer.push(octets);
      if (this.#state.at === "await-gss-answer") return this.#onGssAnswer();
      const answer = judgeSslAnswer(this.#deframer);
      if (answer === undefined) return READ;
      this.#outbox.receivedAnswer(answer);
      if (answer === "N") {
        if (!this.#config.plaintextAfterRefusal) throw tlsRefused();
        return this.#request(this.#config.channel);
      }
      this.#state = { at: "await-tls" };
      return { do: "start-tls" };
    });
  }

  receiveEnd(): Step<undefined> {
    return this.#step("receiveEnd", ["await-ssl-answer", "await-gss-answer", "await-end"], () => {
      if (this.#state.at === "await-ssl-answer") throw endedInsteadOfAnswer();
      if (this.#state.at === "await-gss-answer") throw endedInsteadOfGssAnswer();
      this.#state = { at: "finished" };
      return { do: "finish", result: undefined };
    });
  }

  secured(channel: ChannelFacts): Step<undefined> {
    return this.#step("secured", ["await-tls", "await-gss"], () => {
      checkSecured(channel, this.#state.at === "await-gss" ? "await-gss" : "await-tls");
      return this.#request(channel);
    });
  }

  answer(answer: Answer): Step<undefined> {
    return this.#step("answer", [this.#state.at], () => {
      throw new UsageError(
        `Cannot take an answer of kind "${answer.kind}": a cancel asks for none`,
      );
    });
  }

  #onGssAnswer(): Next<undefined> {
    const answer = judgeGssAnswer(this.#deframer);
    if (answer === undefined) return READ;
    this.#outbox.receivedAnswer(answer, "GSSENCResponse");
    if (answer === "N") throw gssRefused();
    this.#state = { at: "await-gss" };
    return { do: "start-gss" };
  }

  #request(channel: ChannelFacts): Next<undefined> {
    this.#gate.judgeChannel(channel);
    const { key } = this.#config;
    this.#outbox.sendEncoded(key.request(), {
      type: "CancelRequest",
      processId: key.processId,
      secretKey: new Uint8Array(0),
    });
    this.#state = { at: "await-end" };
    return READ;
  }

  #step(
    call: string,
    places: readonly State["at"][],
    run: () => Next<undefined>,
  ): Step<undefined> {
    const { at } = this.#state;
    if (this.#state.at === "failed") {
      return this.#outbox.step({ do: "fail", error: this.#state.error });
    }
    if (!places.includes(at)) {
      throw new UsageError(
        `Cannot call ${call}(): the cancel is at "${at}", not at "${places.join('" or "')}"`,
      );
    }
    try {
      return this.#outbox.step(run());
    } catch (error) {
      if (!(error instanceof PgHandshakeError) || error instanceof UsageError) throw error;
      if (error instanceof ProtocolError) locate(error, phaseOf(this.#state));
      this.#state = { at: "failed", error };
      return this.#outbox.step({ do: "fail", error });
    }
  }
}

function phaseOf(state: State): Phase {
  switch (state.at) {
    case "idle":
    case "await-ssl-answer":
    case "await-gss-answer":
      return "negotiate";
    case "await-tls":
      return "tls";
    case "await-gss":
      return "gss";
    case "await-end":
    case "finished":
      return "cancel";
    case "failed":
      return state.error.phase;
  }
}
