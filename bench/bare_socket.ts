/**
 * The floor under a trust connect: a socket of the runtime's own, a StartupMessage, a look for ReadyForQuery, a
 * Terminate. Checks nothing, which is why it is no library.
 */
import { connect as connectNode } from "node:net";

const TERMINATE: Uint8Array = Uint8Array.of(0x58, 0, 0, 0, 4);
const READY: Uint8Array = Uint8Array.of(0x5a, 0, 0, 0, 5, 0x49);

/** Ends the session that {@link openBare} has opened. */
export type CloseBare = () => void | Promise<void>;

/** The parts of the runtimes used here. */
interface DenoNet {
  connect(options: { hostname: string; port: number }): Promise<DenoConn>;
}
interface DenoConn {
  setNoDelay(): void;
  read(into: Uint8Array): Promise<number | null>;
  write(octets: Uint8Array): Promise<number>;
  close(): void;
}
interface BunNet {
  connect(options: {
    hostname: string;
    port: number;
    socket: {
      open(socket: BunSocket): void;
      data(socket: BunSocket, octets: Uint8Array): void;
      error(socket: BunSocket, error: Error): void;
    };
  }): Promise<BunSocket>;
}
interface BunSocket {
  write(octets: Uint8Array): number;
  end(): void;
}

const { Deno, Bun } = globalThis as unknown as { Deno?: DenoNet; Bun?: BunNet };

/** Opens a session of a user the server trusts, on 127.0.0.1. */
export function openBare(port: number, user: string, database: string): Promise<CloseBare> {
  const startup = startupMessage(user, database);
  if (Deno !== undefined) return openDeno(Deno, port, startup);
  if (Bun !== undefined) return openBun(Bun, port, startup);
  return openNode(port, startup);
}

function startupMessage(user: string, database: string): Uint8Array {
  const parameters = new TextEncoder().encode(`user\0${user}\0database\0${database}\0\0`);
  const message = new Uint8Array(8 + parameters.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length);
  view.setUint32(4, 0x00030000);
  message.set(parameters, 8);
  return message;
}

/** The server says nothing behind ReadyForQuery unasked, so it is at the end of what has arrived. */
function isReady(octets: Uint8Array): boolean {
  const from = octets.length - READY.length;
  return from >= 0 && READY.every((octet, at) => octets[from + at] === octet);
}

async function openDeno(net: DenoNet, port: number, startup: Uint8Array): Promise<CloseBare> {
  const conn = await net.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay();
  await conn.write(startup);
  const buffer = new Uint8Array(4096);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) throw new Error("The server closed the bare socket");
    if (isReady(buffer.subarray(0, count))) break;
  }
  return async () => {
    await conn.write(TERMINATE);
    conn.close();
  };
}

async function openBun(net: BunNet, port: number, startup: Uint8Array): Promise<CloseBare> {
  return await new Promise<CloseBare>((resolve, reject) => {
    net.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => void socket.write(startup),
        data(socket, octets) {
          if (!isReady(octets)) return;
          resolve(() => {
            socket.write(TERMINATE);
            socket.end();
          });
        },
        error: (_socket, error) => reject(error),
      },
    }).catch(reject);
  });
}

async function openNode(port: number, startup: Uint8Array): Promise<CloseBare> {
  return await new Promise<CloseBare>((resolve, reject) => {
    const socket = connectNode({ host: "127.0.0.1", port, noDelay: true });
    socket.on("error", reject);
    socket.on("connect", () => socket.write(startup));
    socket.on("data", (octets: Uint8Array) => {
      if (!isReady(octets)) return;
      resolve(() => {
        socket.write(TERMINATE, () => socket.destroy());
      });
    });
  });
}
