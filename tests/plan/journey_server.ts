/** Servers of a journey: each address does what the vectors say, in memory. */
import { ConnectionError } from "../../src/errors.ts";
import { dialFailure, lostFailure, nameFailure } from "../../src/transport/failures.ts";
import type { Address, TlsRequest } from "../../src/transport/transport.ts";
import type { TlsFacts } from "../../src/auth/channel.ts";
import { never } from "../connect/deferred.ts";
import { errorResponse, type FakeServer, fakeServer, goodTls } from "../connect/fake_server.ts";
import type { Peer } from "../connect/peer.ts";
import { ScramServer } from "../connect/scram_server.ts";
import { answerTo, factsOf } from "./journey_states.ts";

/** What a server answers to SSLRequest, and to StartupMessage on either channel. */
export interface Answers {
  readonly ssl?: string;
  readonly tls?: string;
  readonly plain?: string;
}

/** What a server does with a connection; a list has one entry a connection, the last for all further ones. */
export type Behaviour = "refused" | "silence" | Answers | readonly Behaviour[];

/** A server of many addresses, and what it knows beyond what it was sent. */
export interface JourneyServer extends FakeServer {
  /** The client's parts of all SCRAM nonces. */
  readonly nonces: readonly string[];
}

/** The password of every method that asks for one. */
export const PASSWORD = "pencil";
/** The process of connection n is this and n; the parameter of that connection carries it too. */
export const FIRST_PROCESS = 1000;

/** How a TLS handshake ends that does not end well. */
const HANDSHAKES: Readonly<Record<string, (address: Address) => Promise<TlsFacts>>> = {
  broken: () =>
    Promise.reject(new ConnectionError("tls-failed", "handshake failure", { phase: "tls" })),
  untrusted: () =>
    Promise.reject(
      new ConnectionError("certificate-untrusted", "unknown issuer", { phase: "tls" }),
    ),
  reset: (address) => Promise.reject(lostFailure(address, { code: "ECONNRESET" })),
  never: () => never(),
};

/**
 * Starts servers.
 *
 * @param servers By IP address or socket path.
 * @param names The addresses of names; other names do not resolve.
 * @param onSilence Called when a server will not say what is awaited.
 */
export function journeyServer(
  servers: Readonly<Record<string, Behaviour>>,
  names: Readonly<Record<string, readonly string[]>>,
  onSilence: () => void,
): JourneyServer {
  const counts = new Map<string, number>();
  const made: { readonly address: Address; readonly answers: Answers }[] = [];
  const nonces: string[] = [];
  const server = fakeServer((peer, connection) => {
    const { answers } = made[connection] ?? { answers: {} };
    return play(peer, connection, answers, { nonces, onSilence });
  }, {
    resolve(host) {
      const addresses = names[host] ?? [];
      if (addresses.length > 0) return Promise.resolve(addresses);
      return Promise.reject(nameFailure(host, { code: "ENOTFOUND" }));
    },
    onDial(address, _dial, signal) {
      const behaviour = take(servers, counts, nameOf(address));
      if (behaviour === "refused") throw dialFailure(address, { code: "ECONNREFUSED" });
      if (behaviour !== "silence") return void made.push({ address, answers: behaviour });
      onSilence();
      return new Promise<void>((_, reject) => {
        signal?.addEventListener("abort", () => reject(dialFailure(address, signal.reason)));
      });
    },
    tls(request: TlsRequest, connection: number) {
      const { address, answers } = made[connection] ?? {};
      const ends = HANDSHAKES[answers?.ssl ?? ""];
      if (ends === undefined || address === undefined) return goodTls(request);
      if (answers?.ssl === "never") onSilence();
      return ends(address);
    },
  });
  return { ...server, nonces };
}

function take(
  servers: Readonly<Record<string, Behaviour>>,
  counts: Map<string, number>,
  name: string,
): Exclude<Behaviour, readonly Behaviour[]> {
  const behaviour = servers[name];
  if (behaviour === undefined) throw new Error(`Cannot dial "${name}": the vector has no server`);
  if (!isList(behaviour)) return behaviour;
  const count = counts.get(name) ?? 0;
  counts.set(name, count + 1);
  const now = behaviour[Math.min(count, behaviour.length - 1)] ?? "refused";
  if (isList(now)) throw new Error(`Cannot use the server at "${name}": a list in a list`);
  return now;
}

function isList(behaviour: Behaviour): behaviour is readonly Behaviour[] {
  return Array.isArray(behaviour);
}

function nameOf(address: Address): string {
  return address.kind === "unix" ? address.path : address.host;
}

interface Notes {
  readonly nonces: string[];
  readonly onSilence: () => void;
}

async function play(
  peer: Peer,
  connection: number,
  answers: Answers,
  notes: Notes,
): Promise<void> {
  let packet = await peer.packet();
  let start = answers.plain ?? "trust";
  if (packet.type === "SSLRequest") {
    const ssl = answers.ssl ?? "N";
    if (!await answerSslRequest(peer, ssl, notes)) return;
    if (ssl === "S") start = answers.tls ?? "trust";
    packet = await peer.packet();
  }
  const named = packet.type === "StartupMessage" &&
    packet.parameters.some(([name]) => name === "application_name");
  await answerStart(peer, connection, start === "nameless" ? old(named) : start, notes);
}

/** A server that does not know application_name. */
function old(named: boolean): string {
  return named ? "ok 42704" : "trust";
}

/** @returns Whether a StartupMessage can follow. */
async function answerSslRequest(peer: Peer, ssl: string, notes: Notes): Promise<boolean> {
  switch (ssl) {
    case "S":
    case "N":
      await peer.send(new TextEncoder().encode(ssl));
      return true;
    case "E":
      await peer.send(errorResponse("53300", "sorry, too many clients already"));
      return false;
    case "junk":
      await peer.send(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
      return false;
    case "surplus":
      await peer.send(new TextEncoder().encode("SN"));
      return false;
    case "end":
      await peer.end();
      return false;
    case "silence":
      notes.onSilence();
      return false;
    default:
      if (HANDSHAKES[ssl] === undefined) throw new Error(`Cannot answer SSLRequest by "${ssl}"`);
      await peer.send(new TextEncoder().encode("S"));
      return false;
  }
}

async function answerStart(
  peer: Peer,
  connection: number,
  start: string,
  notes: Notes,
): Promise<void> {
  const [method = "", then = ""] = start.split(" ");
  switch (method) {
    case "md5":
    case "cleartext":
      await peer.send(
        method === "md5"
          ? { type: "AuthenticationMD5Password", salt: Uint8Array.of(1, 2, 3, connection) }
          : { type: "AuthenticationCleartextPassword" },
      );
      await peer.message("password");
      return await conclude(peer, connection, then, notes);
    case "scram": {
      const scram = new ScramServer(peer, { password: PASSWORD });
      await scram.first();
      const final = await scram.proof();
      notes.nonces.push(nonceOf(peer));
      if (then !== "") return await conclude(peer, connection, then, notes);
      await peer.send({ type: "AuthenticationSASLFinal", data: final });
      return await greet(peer, connection, "trust", notes);
    }
    case "ok":
      await peer.send({ type: "AuthenticationOk" }, ...factsOf(connection, "trust"));
      return await conclude(peer, connection, then, notes);
    default:
      return await conclude(peer, connection, start, notes);
  }
}

async function conclude(
  peer: Peer,
  connection: number,
  how: string,
  notes: Notes,
): Promise<void> {
  if (/^[0-9][0-9A-Z]{4}$/.test(how)) {
    await peer.send(errorResponse(how, `refused with ${how} on connection ${connection}`));
    return await peer.end();
  }
  switch (how) {
    case "silence":
      return notes.onSilence();
    case "end":
      return await peer.end();
    case "junk":
      return await peer.send(new TextEncoder().encode("SSH-2.0-OpenSSH_9.2p1\r\n"));
    default:
      return await greet(peer, connection, how === "" ? "trust" : how, notes);
  }
}

async function greet(
  peer: Peer,
  connection: number,
  state: string,
  notes: Notes,
): Promise<void> {
  await peer.send(
    { type: "AuthenticationOk" },
    ...factsOf(connection, state),
    {
      type: "BackendKeyData",
      processId: FIRST_PROCESS + connection,
      secretKey: Uint8Array.of(0, 0, 0, connection),
    },
    { type: "ReadyForQuery", status: "I" },
  );
  const query = await peer.message();
  if (query.type !== "Query") return;
  if (state === "probe is not answered") return notes.onSilence();
  if (state === "probe ends") return await peer.end();
  await peer.send(...answerTo(query.text, state), { type: "ReadyForQuery", status: "I" });
}

/** The client's half of the nonce, from all it has written. */
function nonceOf(peer: Peer): string {
  const text = peer.octets.map((octets) => new TextDecoder("latin1").decode(octets)).join("");
  return /,r=([^,]{10,}?)(?=[^\x21-\x7e]|,|$)/.exec(text)?.[1] ?? "";
}
