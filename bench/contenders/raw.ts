/**
 * The floor: the fewest round trips and the least work a handshake can have on this runtime. It checks nothing, which
 * is why it is no library.
 */
import { md5 } from "@noble/hashes/legacy.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { type Contender, DATABASE, FIRST_QUERY, type Opened, type Place } from "./contender.ts";
import { openRawSocket, type RawSocket } from "./raw_socket.ts";
import {
  clientFinal,
  clientFirst,
  deriveKeys,
  type RawKeys,
  readServerFirst,
} from "./raw_scram.ts";

/** Knows nothing of earlier connections. */
export const raw: Contender = { open: (place) => connect(place, undefined, false) };

/** Keeps SCRAM keys, and sends what the server is known to ask for in one flight. */
export const rawRepeat: Contender = {
  open: (place) => connect(place, memory, false),
  openWithQuery: (place) => connect(place, memory, true),
  forget: () => memory.clear(),
};

/** Derivations by user and salt, those under way among them. */
type Memory = Map<string, Promise<RawKeys>>;
const memory: Memory = new Map();

const TERMINATE: Uint8Array = Uint8Array.of(0x58, 0, 0, 0, 4);
const SSL_REQUEST: Uint8Array = Uint8Array.of(0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f);
const READY = 0x5a;
const AUTHENTICATION = 0x52;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

async function connect(
  place: Place,
  memory: Memory | undefined,
  withQuery: boolean,
): Promise<Opened> {
  let socket = await openRawSocket(place.port);
  if (place.encryption === "ssl-request") {
    socket.write(SSL_REQUEST);
    await socket.read();
  }
  if (place.encryption !== "plain") socket = await socket.secure(place.roots);
  await startUp(socket, place, memory, withQuery ? query(FIRST_QUERY) : new Uint8Array(0));
  return {
    close() {
      socket.write(TERMINATE);
      socket.destroy();
    },
  };
}

async function startUp(
  socket: RawSocket,
  place: Place,
  memory: Memory | undefined,
  query: Uint8Array,
): Promise<void> {
  const { user, password = "" } = place;
  const isKnown = memory !== undefined && [...memory.keys()].some((key) => key.startsWith(user));
  const first = clientFirst();
  const initial = message(0x70, join(encoder.encode("SCRAM-SHA-256\0"), sized(first.message)));
  const startup = startupMessage(user);
  // Where no password is given, trust is what is asked for.
  const isTrusted = place.password === undefined;
  socket.write(isTrusted ? join(startup, query) : isKnown ? join(startup, initial) : startup);
  let ready = query.length > 0 ? 2 : 1;
  let rest: Uint8Array = new Uint8Array(0);
  for (;;) {
    const read = await socket.read();
    // A message may come in two pieces.
    let octets = rest.length === 0 ? read : join(rest, read);
    for (; isWhole(octets); octets = octets.subarray(1 + u32(octets, 1))) {
      const body = octets.subarray(5, 1 + u32(octets, 1));
      if (octets[0] === 0x45) throw new Error(decoder.decode(body));
      if (octets[0] === READY && --ready === 0) return;
      if (octets[0] !== AUTHENTICATION) continue;
      switch (u32(body, 0)) {
        case 5: {
          const inner = bytesToHex(md5(encoder.encode(password + user)));
          const salted = join(encoder.encode(inner), body.subarray(4));
          const answer = message(0x70, encoder.encode(`md5${bytesToHex(md5(salted))}\0`));
          socket.write(join(answer, query));
          break;
        }
        case 10:
          if (!isKnown) socket.write(initial);
          break;
        case 11: {
          const server = readServerFirst(decoder.decode(body.subarray(4)));
          const id = `${user} ${server.salt}`;
          const keys = memory?.get(id) ?? deriveKeys(password, server);
          memory?.set(id, keys);
          const final = clientFinal(first, server, await keys);
          socket.write(join(message(0x70, encoder.encode(final)), query));
          break;
        }
      }
    }
    rest = octets.slice();
  }
}

function isWhole(octets: Uint8Array): boolean {
  return octets.length >= 5 && octets.length > u32(octets, 1);
}

function startupMessage(user: string): Uint8Array {
  const parameters = encoder.encode(`\0\x03\0\0user\0${user}\0database\0${DATABASE}\0\0`);
  return sized(parameters, 4);
}

function query(text: string): Uint8Array {
  return message(0x51, encoder.encode(`${text}\0`));
}

function message(type: number, body: Uint8Array): Uint8Array {
  return join(Uint8Array.of(type), sized(body, 4));
}

/** A length word in front, which counts itself as `own` octets. */
function sized(body: Uint8Array | string, own = 0): Uint8Array {
  const octets = typeof body === "string" ? encoder.encode(body) : body;
  const length = octets.length + own;
  return join(Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length), octets);
}

function u32(octets: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = octets.subarray(at, at + 4);
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
