/** An adapter whose sockets lead to plays of a test, in memory: no runtime, no clock, no chance. */
import "./own_environment.ts";
import { endpointOf } from "../../src/transport/endpoint.ts";
import { abortedFailure } from "../../src/transport/failures.ts";
import { createMemoryPair } from "../../src/transport/memory.ts";
import type {
  Abilities,
  Adapter,
  Address,
  TlsRequest,
  Transport,
} from "../../src/transport/transport.ts";
import type { TlsFacts } from "../../src/auth/channel.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { certificateDer } from "../support/certificates.ts";
import { settled } from "./deferred.ts";
import { ClientClosed, Peer } from "./peer.ts";

/** What the server does with one connection, counted from 0. */
export type Play = (peer: Peer, connection: number) => Promise<void>;

/** What a fake server is like, besides what it says. */
export interface FakeOptions {
  readonly abilities?: Partial<Abilities>;
  /** How TLS handshakes end; facts of a good one unless said. Throws to fail it. */
  readonly tls?: (request: TlsRequest, connection: number) => TlsFacts | Promise<TlsFacts>;
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** Called before a connection is made; throws to fail the dialing. */
  readonly onDial?: (address: Address, dial: number, signal?: AbortSignal) => void | Promise<void>;
  /** What the client's end of a connection is wrapped in. */
  readonly wrap?: (transport: Transport) => Transport;
}

/** A fake server and what it has seen. */
export interface FakeServer {
  readonly adapter: Adapter;
  /** What was dialed, in order. */
  readonly dials: readonly Address[];
  readonly peers: readonly Peer[];
  readonly tlsRequests: readonly TlsRequest[];
  /** The names of the messages of every connection. */
  sent(): readonly (readonly string[])[];
  /** Waits for every client to close and every play to be over; throws what a play threw, or if one does not close. */
  done(): Promise<void>;
}

export const ALL_ABILITIES: Abilities = {
  unix: true,
  abstractUnix: true,
  serverCertificate: true,
  verify: ["none", "ca", "full"],
  exclusiveRoots: true,
  clientCertificate: true,
  versionBounds: ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
  withoutSni: true,
};

/** A transport that does what another one does, to replace a method of it. */
export function forwarding(transport: Transport): Transport {
  return {
    endpoint: transport.endpoint,
    read: () => transport.read(),
    write: (octets) => transport.write(octets),
    closeWrite: () => transport.closeWrite(),
    startTls: (request) => transport.startTls(request),
    close: () => transport.close(),
  };
}

/** The facts of a handshake that did what was asked. */
export function goodTls(request: TlsRequest): TlsFacts {
  return {
    protocol: "TLSv1.3",
    cipher: "TLS_AES_256_GCM_SHA384",
    alpn: "postgresql",
    verified: request.verify === "none" ? "none" : "ca",
    serverCertificate: certificateDer("server.crt"),
  };
}

/** Far more turns of the event loop than a client needs that has been told to close. */
const MAX_TURNS = 500;

function sentBy(peer: Peer): readonly string[] {
  return [...peer.sent];
}

/** Makes a server that plays `play` on every connection. */
export function fakeServer(play: Play, options: FakeOptions = {}): FakeServer {
  const dials: Address[] = [];
  const peers: Peer[] = [];
  const tlsRequests: TlsRequest[] = [];
  const plays: Promise<void>[] = [];
  const { tls = goodTls, wrap = (transport) => transport } = options;
  const adapter: Adapter = {
    name: "fake",
    abilities: { ...ALL_ABILITIES, ...options.abilities },
    ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
    async dial(address, signal) {
      const dial = dials.push(address) - 1;
      if (signal?.aborted) throw abortedFailure(address, "dial", signal.reason);
      await options.onDial?.(address, dial, signal);
      const number = peers.length;
      const [near, far] = createMemoryPair({
        endpoint: endpointOf(address, address.kind === "tcp" ? address.host : undefined),
        tls: (request) => {
          tlsRequests.push(request);
          return tls(request, number);
        },
      });
      const peer = new Peer(far);
      peers.push(peer);
      plays.push(perform(play, peer, number));
      return wrap(near);
    },
  };
  return {
    adapter,
    dials,
    peers,
    tlsRequests,
    sent: () => peers.map(sentBy),
    async done() {
      let over = false;
      const all = Promise.all(plays).then(() => over = true);
      for (let turn = 0; turn < MAX_TURNS && !over; turn++) await Promise.race([all, settled(1)]);
      if (!over) {
        throw new Error(`Cannot end: after ${JSON.stringify(peers.map(sentBy))} a client is open`);
      }
    },
  };
}

async function perform(play: Play, peer: Peer, number: number): Promise<void> {
  try {
    await play(peer, number);
  } catch (error) {
    if (!(error instanceof ClientClosed)) throw error;
  }
  await peer.untilClosed();
}

/** What a server says that lets a client in: AuthenticationOk to ReadyForQuery. */
export const GREETING: readonly BackendMessage[] = [
  { type: "AuthenticationOk" },
  { type: "ParameterStatus", name: "server_version", value: "18.6" },
  { type: "BackendKeyData", processId: 4711, secretKey: Uint8Array.of(0xca, 0xfe, 0xba, 0xbe) },
  { type: "ReadyForQuery", status: "I" },
];

/** An ErrorResponse as PostgreSQL sends it. */
export function errorResponse(
  sqlState: string,
  message: string,
  severity: "ERROR" | "FATAL" = "FATAL",
): BackendMessage {
  const fields = { severity, severityUntranslated: severity, sqlState, message };
  return { type: "ErrorResponse", fields };
}

/** Lets every client in who sends a StartupMessage. */
export const trust: Play = async (peer) => {
  await peer.packet();
  await peer.send(...GREETING);
};

/** A target that needs nothing of the machine. */
export const TARGET: { readonly host: string; readonly user: string; readonly dbname: string } = {
  host: "192.0.2.1",
  user: "app",
  dbname: "shop",
};

/** The same on this machine. */
export const LOCAL: typeof TARGET = { ...TARGET, host: "127.0.0.1" };
