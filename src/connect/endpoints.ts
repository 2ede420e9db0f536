import type { ChannelFacts } from "../auth/channel.ts";
import type { Admission } from "../auth/gate.ts";
import type { Encryption } from "../errors.ts";
import type { SessionStart } from "../handshake/client_state.ts";
import { readServerVersion, type ServerVersion } from "../handshake/server_version.ts";
import { printable } from "../printable.ts";
import { LruMap } from "./lru.ts";

/** Who logs in where, and how the connection begins: what a server's answer depends on. */
export interface EndpointName {
  /** The host as the settings name it; a directory or "@name" for Unix sockets. */
  readonly host: string;
  /** The address dialed: an IP address, a name, or a socket's path. */
  readonly address: string;
  /** The port; for Unix sockets the number in the name of the socket. */
  readonly port: number;
  /** The role. */
  readonly user: string;
  /** The database. */
  readonly database: string;
  /** How the connection begins. */
  readonly encryption: Encryption;
}

/** What was learned of an endpoint when it last let us in. */
export interface LearnedEndpoint extends EndpointName {
  /** What the connection became. */
  readonly channel: ChannelFacts["kind"];
  /** How it asked us to authenticate. */
  readonly method: Admission["method"];
  /** Whether that was bound to the channel (SCRAM-SHA-256-PLUS). */
  readonly channelBound: boolean;
  /** The SCRAM mechanisms it offered. */
  readonly mechanisms: readonly string[];
  /** The server's version. */
  readonly serverVersion: ServerVersion;
}

/** More places than any program connects to at a time. */
const LIMIT = 256;

/** The mechanisms worth remembering; what else a server offers is text of its own, of any length. */
const MECHANISMS: readonly string[] = ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];

/** Remembers what worked, endpoint by endpoint. Holds no secret. */
export class EndpointMemory {
  readonly #limit: number;
  readonly #learned: LruMap<LearnedEndpoint>;

  /** @param limit The most endpoints it remembers; 0 remembers none. */
  constructor(limit: number = LIMIT) {
    this.#limit = limit;
    this.#learned = new LruMap(limit);
  }

  /** What was learned of an endpoint; undefined if nothing is known. */
  find(name: EndpointName): LearnedEndpoint | undefined {
    return this.#limit === 0 ? undefined : this.#learned.get(keyOf(name));
  }

  /** Remembers how a start-up went. */
  learn(name: EndpointName, start: SessionStart): void {
    if (this.#limit === 0) return;
    const { authentication, channel, offered, parameters } = start;
    const key = keyOf(name);
    const known = this.#learned.get(key);
    if (known !== undefined && isAsKnown(known, start)) return;
    this.#learned.set(key, {
      ...name,
      channel: channel.kind,
      method: authentication.method,
      channelBound: authentication.channelBound,
      mechanisms: MECHANISMS.filter((mechanism) => offered.includes(mechanism)),
      serverVersion: shortened(readServerVersion(parameters.get("server_version"))),
    });
  }

  /** Forgets an endpoint that did something else. */
  forget(name: EndpointName): void {
    this.#learned.delete(keyOf(name));
  }

  clear(): void {
    this.#learned.clear();
  }

  /** All that is known, the endpoint used last at the end. */
  list(): readonly LearnedEndpoint[] {
    return this.#learned.values();
  }
}

/** The usual case, which is cheaper to see than to write down anew. */
function isAsKnown(known: LearnedEndpoint, start: SessionStart): boolean {
  const { authentication, channel, offered, parameters } = start;
  return known.channel === channel.kind && known.method === authentication.method &&
    known.channelBound === authentication.channelBound &&
    known.serverVersion.text === (parameters.get("server_version") ?? "") &&
    MECHANISMS.every((one) => offered.includes(one) === known.mechanisms.includes(one));
}

/** What a server calls itself may be of any length. */
function shortened({ text, number }: ServerVersion): ServerVersion {
  return { text: printable(text, { keepLines: false, max: 100 }), number };
}

/** No name of any of them holds a zero octet: it would end there in StartupMessage. */
function keyOf({ host, address, port, user, database, encryption }: EndpointName): string {
  return `${host}\0${address}\0${port}\0${user}\0${database}\0${encryption}`;
}
