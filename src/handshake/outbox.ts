import type { BackendMessage } from "../wire/backend.ts";
import { encodeFrontend, type FrontendMessage } from "../wire/frontend.ts";
import { joinOctets } from "../wire/join.ts";
import { describeBackend, describeFrontend } from "./describe.ts";
import type { HandshakeEvent, Next, Step } from "./step.ts";

/** Gathers what one call of a machine sends and reports, until `step()` hands it out. */
export class Outbox {
  readonly #traced: boolean;
  #send: Uint8Array[] = [];
  /** Encoded here, and of no use once they are in the flight: there may be a password among them. */
  #encoded: Uint8Array[] = [];
  #events: HandshakeEvent[] = [];

  /** @param traced Whether messages are reported by name; if not, describing them costs nothing. */
  constructor(traced: boolean) {
    this.#traced = traced;
  }

  /** Puts a message into the flight. */
  send(message: FrontendMessage): void {
    const octets = encodeFrontend(message);
    this.#encoded.push(octets);
    this.sendEncoded(octets, message);
  }

  /** Puts octets into the flight that are the encoding of `message`, whose secret parts may be left out. */
  sendEncoded(octets: Uint8Array, message: FrontendMessage): void {
    this.#send.push(octets);
    if (this.#traced) {
      this.#events.push({
        type: "message",
        direction: "sent",
        name: message.type,
        octets: octets.length,
        detail: describeFrontend(message),
      });
    }
  }

  /** Puts the one octet into the flight that carries the kernel's credentials; it belongs to no message. */
  sendCredentials(): void {
    this.#send.push(new Uint8Array(1));
    if (this.#traced) {
      this.#events.push({
        type: "message",
        direction: "sent",
        name: "SCMCredential",
        octets: 1,
        detail: {},
      });
    }
  }

  /** Notes a message that came. `octets` is its length on the wire. */
  received(message: BackendMessage, octets: number): void {
    if (this.#traced) {
      this.#events.push({
        type: "message",
        direction: "received",
        name: message.type,
        octets,
        detail: describeBackend(message),
      });
    }
  }

  /** Notes the one octet that answers SSLRequest or GSSENCRequest. */
  receivedAnswer(
    answer: "S" | "G" | "N",
    name: "SSLResponse" | "GSSENCResponse" = "SSLResponse",
  ): void {
    if (this.#traced) {
      this.#events.push({
        type: "message",
        direction: "received",
        name,
        octets: 1,
        detail: { answer },
      });
    }
  }

  /** Notes something the caller is told whether it traces or not. */
  report(event: HandshakeEvent): void {
    this.#events.push(event);
  }

  /** All of it as one step; the outbox is empty afterwards. */
  step<Result>(next: Next<Result>): Step<Result> {
    const step = { send: joinOctets(this.#send), events: this.#events, next };
    for (const octets of this.#encoded) octets.fill(0);
    this.#encoded = [];
    this.#send = [];
    this.#events = [];
    return step;
  }
}
