/** The server of a case: plays its steps, whole flights or cut into pieces, and watches what the client holds. */
import { Buffer } from "node:buffer";
import type { TlsFacts } from "../../src/auth/channel.ts";
import { ConnectionError, PgHandshakeError } from "../../src/errors.ts";
import type { PasswordContext } from "../../src/wire/frontend.ts";
import { Deframer } from "../../src/wire/deframer.ts";
import { type Deferred, settled } from "../connect/deferred.ts";
import { type FakeServer, fakeServer, forwarding, type Play } from "../connect/fake_server.ts";
import type { Peer } from "../connect/peer.ts";
import { CLIENT_NONCE, securedBy } from "../handshake/vector_case.ts";
import { fixNonce } from "../support/fixed_nonce.ts";
import { split } from "../support/vectors.ts";
import { type HostileTls, octetsOfFlight, type ServerStep } from "./corpus_case.ts";

/** What a `p` is, by the name a script gives it. */
const CONTEXTS: Readonly<Record<string, PasswordContext>> = {
  PasswordMessage: "password",
  SASLInitialResponse: "sasl-initial",
  SASLResponse: "sasl",
  GSSResponse: "gss",
};

/** Packets without a type octet. */
const PACKETS: readonly string[] = ["SSLRequest", "StartupMessage"];

/** A server that plays a script, and what the client took from it. */
export interface HostileServer extends FakeServer {
  /** Octets the client has read from all its sockets. */
  readonly taken: number;
}

/** How a script is played. */
export interface PlayOptions {
  /** How flights are cut; Infinity sends them whole. */
  readonly pieceOctets: number;
  /** Settled once the script is silent. */
  readonly silence: Deferred;
  readonly tls?: HostileTls;
}

/** Makes a server that plays one list of steps on each connection. */
export function hostileServer(
  connections: readonly (readonly ServerStep[])[],
  options: PlayOptions,
): HostileServer {
  let taken = 0;
  const play: Play = async (peer, connection) => {
    const steps = connections[connection];
    if (steps === undefined) throw new Error(`Nobody expects connection ${connection}`);
    await playSteps(peer, steps, options);
  };
  const server = fakeServer(play, {
    tls: (_request, connection) => {
      server.peers[connection]?.sent.push("TLS");
      return tlsFacts(options.tls ?? { alpn: "postgresql", verified: "ca" });
    },
    wrap: (transport) => ({
      ...forwarding(transport),
      async read() {
        const octets = await transport.read();
        taken += octets?.length ?? 0;
        return octets;
      },
    }),
  });
  return {
    ...server,
    get taken() {
      return taken;
    },
  };
}

function tlsFacts(tls: HostileTls): TlsFacts {
  if ("breaks" in tls) {
    throw new ConnectionError(tls.breaks, "the handshake failed", { phase: "tls" });
  }
  const channel = securedBy(tls);
  if (channel.kind !== "tls") throw new Error("securedBy() must tell of TLS");
  return channel.tls;
}

async function playSteps(
  peer: Peer,
  steps: readonly ServerStep[],
  options: PlayOptions,
): Promise<void> {
  try {
    for (const step of steps) await playStep(peer, step, options);
  } catch (error) {
    // The client has closed while the server still speaks, which is what most cases want.
    if (!(error instanceof PgHandshakeError && error.code === "connection-lost")) throw error;
  }
}

async function playStep(peer: Peer, step: ServerStep, options: PlayOptions): Promise<void> {
  if (typeof step !== "string") {
    const octets = octetsOfFlight(step);
    // All pieces at once: a client that has read the first finds the others waiting.
    const pieces = split(octets, Math.min(options.pieceOctets, Math.max(1, octets.length)));
    await Promise.all(pieces.map((piece) => peer.send(piece)));
    return;
  }
  if (step.startsWith("<")) return await takeMessage(peer, step.slice(1));
  // What was sent before is read before the stream breaks.
  await settled(1);
  switch (step) {
    case "end":
      return await peer.end();
    case "break":
      return peer.break();
    case "silence":
      return options.silence.resolve();
    default:
      throw new Error(`Cannot play step "${step}"`);
  }
}

/** Takes the next message of the client. */
async function takeMessage(peer: Peer, name: string): Promise<void> {
  const taken = PACKETS.includes(name)
    ? await peer.packet()
    : await peer.message(CONTEXTS[name] ?? "none");
  if (taken.type !== name) throw new Error(`The client sent ${taken.type} in place of ${name}`);
}

/** How much the client holds; made before it runs, restored after. */
export interface HeldWatch {
  /** The most octets any deframer held. */
  readonly most: number;
  restore(): void;
}

/** Watches every Deframer of this process. */
export function watchHeld(): HeldWatch {
  const { prototype } = Deframer;
  const { push } = prototype;
  let most = 0;
  prototype.push = function (this: Deframer, octets: Uint8Array): void {
    push.call(this, octets);
    most = Math.max(most, this.held);
  };
  return {
    get most() {
      return most;
    },
    restore: () => void (prototype.push = push),
  };
}

/** Makes every client nonce that of RFC 5802, so that scripts can hold whole SCRAM exchanges; returns what undoes it. */
export function fixedNonce(): () => void {
  return fixNonce(Buffer.from(CLIENT_NONCE, "base64"));
}
