/** One contract case and what it starts: servers and their sockets, all stopped when it is over. */
import { createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import type { Address } from "../../src/transport/transport.ts";

/** A test that several adapters share. */
export interface Case {
  readonly title: string;
  readonly run: (lab: Lab) => Promise<void>;
}

/** The far side of a connection, by whatever it is made. It reads nothing until asked. */
export interface Peer {
  /** Exactly so many octets. */
  read(count: number): Promise<Uint8Array>;
  /** Settles once the peer was told of our end. */
  readEnd(): Promise<void>;
  /** Settles when the octets are out of its hands. */
  write(octets: Uint8Array): Promise<void>;
  /** Closes its side. */
  end(): void;
}

/** A {@link Peer} by `node:net`. */
export class SocketPeer implements Peer {
  readonly socket: Socket;
  /** Settles when the connection is gone. */
  readonly closed: Promise<void>;
  #chunks: Uint8Array[] = [];
  #ended = false;
  #started = false;
  #wake: () => void = () => {};

  readonly #onStart: () => void;

  /**
   * @param socket The far side.
   * @param onStart Called before the first read, where more than a listener is needed to begin.
   */
  constructor(socket: Socket, onStart: () => void = () => {}) {
    this.socket = socket;
    this.#onStart = onStart;
    socket.on("error", () => {});
    this.closed = new Promise((done) => {
      socket.once("close", () => {
        this.#ended = true;
        this.#wake();
        done();
      });
    });
  }

  async read(count: number): Promise<Uint8Array> {
    const octets = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const chunk = await this.#next();
      if (chunk === undefined) throw new Error(`the end came after ${filled} of ${count} octets`);
      const part = chunk.subarray(0, count - filled);
      octets.set(part, filled);
      filled += part.length;
      if (part.length < chunk.length) this.#chunks.unshift(chunk.subarray(part.length));
    }
    return octets;
  }

  async readEnd(): Promise<void> {
    while (await this.#next() !== undefined);
  }

  write(octets: Uint8Array): Promise<void> {
    return new Promise((done, fail) => {
      this.socket.write(octets, (error) => error ? fail(error) : done());
    });
  }

  end(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (!this.#started) {
      this.#started = true;
      this.#onStart();
      this.socket.on("data", (chunk: Uint8Array) => {
        this.#chunks.push(chunk);
        this.#wake();
      });
      this.socket.on("end", () => {
        this.#ended = true;
        this.#wake();
      });
    }
    while (this.#chunks.length === 0 && !this.#ended) {
      await new Promise<void>((done) => {
        this.#wake = done;
      });
    }
    return this.#chunks.shift();
  }
}

/** Where a case starts things. */
export class Lab {
  readonly #undo: (() => unknown)[] = [];

  /** Has something undone at the end, in reverse order. */
  defer(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  /** Anything with `close()` is closed at the end. */
  use<T extends { close(): void }>(thing: T): T {
    this.defer(() => thing.close());
    return thing;
  }

  /** A server on loopback, or on the path given; each connection is handed on with reading not begun. */
  async listen(
    onPeer: (peer: SocketPeer) => void,
    where: { host?: string; path?: string } = {},
  ): Promise<Address> {
    const server: Server = createServer({ allowHalfOpen: true });
    server.on("connection", (socket) => {
      const peer = new SocketPeer(socket);
      this.defer(() => socket.destroy());
      onPeer(peer);
    });
    const { host = "127.0.0.1", path } = where;
    if (path === undefined) server.listen(0, host);
    else server.listen(path.startsWith("@") ? `\0${path.slice(1)}` : path);
    await once(server, "listening");
    this.defer(() => server.close());
    if (path !== undefined) return { kind: "unix", path };
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("the server has no port");
    return { kind: "tcp", host, port: bound.port };
  }

  /** A server for one connection, and that connection. */
  async accept(
    where: { host?: string; path?: string } = {},
  ): Promise<{ address: Address; peer: Promise<SocketPeer> }> {
    let arrived: (peer: SocketPeer) => void = () => {};
    const peer = new Promise<SocketPeer>((done) => {
      arrived = done;
    });
    return { address: await this.listen((one) => arrived(one), where), peer };
  }

  /**
   * Lets everything happen that can happen by itself: fifty round trips through a server of our own. Stands in for
   * a pause of so and so many milliseconds, which would be too short on a slow machine.
   */
  async settle(): Promise<void> {
    const { createConnection } = await import("node:net");
    const address = await this.listen((peer) => {
      peer.socket.on("data", (chunk: Uint8Array) => peer.socket.write(chunk));
      peer.socket.resume();
    });
    if (address.kind !== "tcp") throw new Error("not a TCP server");
    const socket = createConnection({ host: address.host, port: address.port });
    this.defer(() => socket.destroy());
    const client = new SocketPeer(socket);
    for (let round = 0; round < 50; round++) {
      await client.write(Uint8Array.of(round));
      await client.read(1);
    }
    socket.destroy();
  }

  async close(): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) await undo();
  }
}

/** Runs a case and stops what it started. */
export async function runCase(one: Case): Promise<void> {
  const lab = new Lab();
  try {
    await one.run(lab);
  } finally {
    await lab.close();
  }
}

/** Whether a promise has settled, without waiting for it. */
export function watch(promise: Promise<unknown>): { settled: boolean } {
  const state = { settled: false };
  const note = (): void => {
    state.settled = true;
  };
  promise.then(note, note);
  return state;
}
