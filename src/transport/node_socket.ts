import type { Socket } from "node:net";
import type { SocketOptions } from "./transport.ts";

/** Who hears a socket. */
export interface Hearer {
  /** Whether it is still the one; what a socket says once another has taken its place reaches nobody. */
  isHeard(socket: Socket): boolean;
  /** Octets came. */
  onData(chunk: Uint8Array): void;
  /** The peer closed its side. */
  onEnd(): void;
  /** It broke. */
  onError(error: Error): void;
  /** It is closed. */
  onClose(): void;
}

const HEARER: unique symbol = Symbol("node_socket.ts");

type HeardSocket = Socket & { [HEARER]?: Hearer };

/**
 * Lets somebody hear a socket. The listeners are the same functions for all sockets, so that an idle one holds none of
 * its own.
 *
 * @param options Whether octets come by events.
 */
export function listen(
  socket: HeardSocket,
  hearer: Hearer,
  options: { readonly toData: boolean },
): void {
  socket[HEARER] = hearer;
  if (options.toData) socket.on("data", onData);
  socket.on("end", onEnd);
  // Never removed: Node reports errors also after destroy(), and an unheard one ends the process.
  socket.on("error", onError);
  socket.on("close", onClose);
}

function onData(this: Socket, chunk: Uint8Array): void {
  hearerOf(this)?.onData(chunk);
}

function onEnd(this: Socket): void {
  hearerOf(this)?.onEnd();
}

function onError(this: Socket, error: Error): void {
  hearerOf(this)?.onError(error);
}

function onClose(this: Socket): void {
  hearerOf(this)?.onClose();
}

function hearerOf(socket: HeardSocket): Hearer | undefined {
  const hearer = socket[HEARER];
  return hearer?.isHeard(socket) ? hearer : undefined;
}

/** The part of newer Nodes that the type package of this project may not know yet. */
interface FullKeepAlive {
  setKeepAlive(enable: boolean, delayMs?: number, intervalMs?: number, count?: number): unknown;
}

/** What Linux takes unless it is told otherwise (tcp(7)). */
const SYSTEM = { idleS: 7_200, intervalS: 75, count: 9 } as const;

/** Tells a TCP socket what there is to tell. */
export function tune(socket: Socket & FullKeepAlive, options: SocketOptions | undefined): void {
  // Without it a message written in two parts waits 40 ms for a delayed acknowledgement.
  socket.setNoDelay(true);
  const keepAlive = options?.keepAlive;
  if (keepAlive === undefined) return;
  if (Object.values(keepAlive).every((one) => one === undefined)) {
    socket.setKeepAlive(true);
    return;
  }
  // Node sets all three or none, and in place of what is not given numbers of its own: a second, ten times.
  const { idleS = SYSTEM.idleS, intervalS = SYSTEM.intervalS, count = SYSTEM.count } = keepAlive;
  socket.setKeepAlive(true, idleS * 1000, intervalS * 1000, count);
}

/** Two turns: the check phase of this one comes before the next poll. */
export async function polled(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((done) => setImmediate(done));
}
