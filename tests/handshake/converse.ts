/** Plays the server's side of a script against a machine, as a driver without sockets would. */
import type { ChannelFacts } from "../../src/auth/channel.ts";
import type { ScramKeys } from "../../src/auth/scram.ts";
import type { PgHandshakeError, Phase } from "../../src/errors.ts";
import type { Answer, AnswerRequest, Machine, Step } from "../../src/handshake/step.ts";
import { hex, join, split } from "../support/vectors.ts";

/** What the other side does, and what the caller of the machine knows. */
export interface Script {
  /** What the server sends in answer to each of our flights; "end" closes the stream. */
  readonly flights: readonly (Uint8Array | "end")[];
  /** What the TLS layer reports once it is asked for. */
  readonly secured: ChannelFacts;
  readonly password: Uint8Array;
  /** The bearer token; undefined asks the server where to get one. */
  readonly token?: Uint8Array | undefined;
  readonly keys: ScramKeys;
  /** What the GSSAPI provider answers in turn; the last one stays. */
  readonly gssAnswers?: readonly Omit<Extract<Answer, { kind: "gss-token" }>, "kind">[];
}

/** How a conversation went. */
export interface Conversation<Result> {
  readonly steps: readonly Step<Result>[];
  /** Everything the machine sent. */
  readonly sent: Uint8Array;
  readonly end:
    | { readonly kind: "finish"; readonly result: Result; readonly unread: Uint8Array }
    | { readonly kind: "fail"; readonly error: PgHandshakeError }
    /** The script is over and the machine waits for more. */
    | { readonly kind: "waits" };
}

/** The part of a machine a driver needs to say where a conversation stands. */
export type Playable<Result> = Machine<Result> & { readonly phase: Phase };

/** ClientKey and ServerKey of RFC 7677 section 3: password "pencil", its salt and 4096 iterations. */
export const RFC7677_KEYS: ScramKeys = {
  clientKey: hex("a60fc923d67e8644a92d16b96eda5ef4656b0c725c484374be25535576996e8b"),
  serverKey: hex("c1f3cbc1c13a9d35a14c0990eed97629ea225863e566a4314ab99f3f00e5d9d5"),
};

/** The channel after GSSAPI encryption was set up. */
export const GSS_CHANNEL: ChannelFacts = {
  kind: "gss",
  local: false,
  gss: { service: "postgres@db.test", delegated: false },
};

/** More steps than any script needs: a machine that asks for ever is a failure, not a hang. */
const SPARE_STEPS = 32;

/**
 * Plays a script until the machine ends or the script does.
 *
 * @param machine A machine that has not been started.
 * @param script The other side.
 * @param pieceOctets How the flights are cut; Infinity hands them over whole.
 * @throws {Error} If script and machine do not fit together: that is a mistake of the test.
 */
export function converse<Result>(
  machine: Machine<Result>,
  script: Script,
  pieceOctets: number,
): Conversation<Result> {
  return goOn(machine, machine.start(), script, pieceOctets);
}

/** As {@link converse}, with a machine that has been started and has taken `first`. */
export function goOn<Result>(
  machine: Machine<Result>,
  first: Step<Result>,
  script: Script,
  pieceOctets: number,
): Conversation<Result> {
  const feed = new Feed(script.flights, pieceOctets);
  const steps: Step<Result>[] = [];
  let step = first;
  for (;;) {
    steps.push(step);
    if (steps.length > feed.pieces + SPARE_STEPS) throw new Error("The machine does not end");
    const { next } = step;
    switch (next.do) {
      case "read": {
        const piece = feed.next();
        if (piece === undefined) return { steps, sent: sentIn(steps), end: { kind: "waits" } };
        step = piece === "end" ? machine.receiveEnd() : machine.receive(piece);
        break;
      }
      case "start-tls":
        feed.mustStandBetweenFlights();
        step = machine.secured(script.secured);
        break;
      case "start-gss":
        feed.mustStandBetweenFlights();
        step = machine.secured(GSS_CHANNEL);
        break;
      case "answer":
        step = machine.answer(answerTo(next.request, script));
        break;
      case "finish": {
        const unread = feed.unread();
        return {
          steps,
          sent: sentIn(steps),
          end: { kind: "finish", result: next.result, unread },
        };
      }
      case "fail":
        feed.mustBeTheLastFlight();
        return { steps, sent: sentIn(steps), end: { kind: "fail", error: next.error } };
    }
  }
}

/** Fills a request as the script's user would. */
export function answerTo(request: AnswerRequest, script: Script): Answer {
  switch (request.want) {
    case "password":
      return { kind: "password", password: script.password };
    case "bearer-token":
      return { kind: "bearer-token", token: script.token };
    case "scram-keys":
      return { kind: "scram-keys", keys: script.keys };
    case "gss-token": {
      const answers = script.gssAnswers ?? [];
      const answer = answers[request.token?.[0] ?? 0] ?? answers.at(-1);
      if (answer === undefined) throw new Error("The script has no provider");
      return { kind: "gss-token", ...answer };
    }
  }
}

function sentIn<Result>(steps: readonly Step<Result>[]): Uint8Array {
  return join(...steps.map((step) => step.send));
}

/** The flights of a script, cut into pieces. */
class Feed {
  readonly #flights: readonly (readonly (Uint8Array | "end")[])[];
  #flight = 0;
  #piece = 0;

  constructor(flights: readonly (Uint8Array | "end")[], pieceOctets: number) {
    this.#flights = flights.map((flight) =>
      flight === "end" ? ["end"] : split(flight, Math.min(pieceOctets, Math.max(1, flight.length)))
    );
  }

  /** How many pieces there are in all. */
  get pieces(): number {
    return this.#flights.reduce((sum, flight) => sum + flight.length, 0);
  }

  /** The next piece; undefined once all are taken. */
  next(): Uint8Array | "end" | undefined {
    for (;;) {
      const flight = this.#flights[this.#flight];
      if (flight === undefined) return undefined;
      const piece = flight[this.#piece];
      if (piece !== undefined) {
        this.#piece += 1;
        return piece;
      }
      this.#flight += 1;
      this.#piece = 0;
    }
  }

  /** What is left of this flight, which must be the last. */
  unread(): Uint8Array {
    this.mustBeTheLastFlight();
    const rest = (this.#flights[this.#flight] ?? []).slice(this.#piece);
    if (rest.includes("end")) throw new Error("The script ends a stream nobody reads");
    return join(...(rest as readonly Uint8Array[]));
  }

  mustStandBetweenFlights(): void {
    const flight = this.#flights[this.#flight];
    if (flight !== undefined && this.#piece > 0 && this.#piece < flight.length) {
      throw new Error("The script has octets where TLS begins; such a case is played whole only");
    }
  }

  mustBeTheLastFlight(): void {
    if (this.#flight < this.#flights.length - 1) {
      throw new Error(`The script has flights behind flight ${this.#flight} nobody waits for`);
    }
  }
}
