import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import { ConnectionError } from "../errors.ts";
import { feedOf } from "../transport/feed.ts";
import type { Feed } from "../transport/transport.ts";
import { joinOctets } from "../wire/join.ts";
import { FirstPacket, type Wish } from "./first_packet.ts";
import type { Handover, Source } from "./source.ts";

type Done = (error?: Error | null) => void;

/** Where a connection of a driver stands. */
type State =
  /** Waits for the packet that says what this connection is for. */
  | { readonly at: "first"; readonly packet: FirstPacket }
  /** A session is being opened; what the driver writes meanwhile waits. */
  | { readonly at: "opening"; readonly abort: AbortController; held: Held | undefined }
  /** A CancelRequest is under way. */
  | { readonly at: "cancelling"; readonly abort: AbortController }
  /** Octets pass both ways. */
  | { readonly at: "open"; readonly handover: Handover; readonly feed: Feed }
  /** The server closed its side. */
  | { readonly at: "ended" };

interface Held {
  readonly octets: Uint8Array;
  readonly done: Done;
}

const TERMINATE = 0x58;

/**
 * What a driver takes for a `net.Socket`. Nothing is dialed before the driver has sent its first packet, which decides:
 * a session, or a cancel.
 */
export class BridgeStream extends Duplex {
  readonly #source: Source;
  #state: State;
  /** Whether the driver believes to be connected. */
  #connected: boolean;
  #referenced = true;
  /** Whether the driver asked for more since the last octets. */
  #wanted = false;
  /** A write that failed while the server's last word may still be on its way. */
  #failed: { readonly error: Error; readonly done: Done } | undefined;

  /**
   * @param source Where the session comes from.
   * @param connected False for drivers that call `connect()` and wait for its event.
   */
  constructor(source: Source, connected: boolean) {
    // 'close' is emitted here, as net.Socket does: with whether there was an error.
    super({ allowHalfOpen: false, emitClose: false });
    this.#source = source;
    this.#connected = connected;
    this.#state = {
      at: "first",
      packet: new FirstPacket((asked) => source.ownTls(asked)),
    };
  }

  /** As of `net.Socket`. */
  get readyState(): "opening" | "open" | "readOnly" | "writeOnly" | "closed" {
    if (this.destroyed) return "closed";
    if (!this.#connected) return "opening";
    if (this.readable) return this.writable ? "open" : "readOnly";
    return this.writable ? "writeOnly" : "closed";
  }

  /** As of `net.Socket`. */
  get connecting(): boolean {
    return !this.#connected && !this.destroyed;
  }

  /** Where the driver thinks it connects to does not matter: the target says it. */
  connect(..._where: readonly unknown[]): this {
    queueMicrotask(() => {
      if (this.destroyed || this.#connected) return;
      this.#connected = true;
      this.emit("connect");
      this.emit("ready");
    });
    return this;
  }

  /** Nagle's algorithm is off anyway. */
  setNoDelay(_noDelay?: boolean): this {
    return this;
  }

  /** Keepalives are the target's business; they are on unless it says otherwise. */
  setKeepAlive(_enable?: boolean, _initialDelayMs?: number): this {
    return this;
  }

  /** Keeps the process alive while the session is open; so it is from the beginning. */
  ref(): this {
    return this.#setReferenced(true);
  }

  /** Lets the process end although the session is open, where the runtime can. */
  unref(): this {
    return this.#setReferenced(false);
  }

  /** The driver wants more. */
  override _read(): void {
    this.#wanted = true;
    if (this.#state.at === "open") this.#state.feed.resume();
  }

  /** Octets of the driver. */
  override _write(chunk: Uint8Array, _encoding: string, done: Done): void {
    const state = this.#state;
    switch (state.at) {
      case "first":
        return this.#onFirst(state.packet, chunk, done);
      case "opening":
        if (chunk[0] === TERMINATE) this.#giveUp(done);
        else state.held = { octets: chunk, done };
        return;
      case "open":
        state.feed.write(chunk, (error) => {
          if (error === undefined) done();
          else this.#onWriteFailed(error, done);
        });
        return;
      case "cancelling":
        // A server does not look at what follows a CancelRequest.
        return done();
      case "ended":
        return done(lost());
    }
  }

  /** What was written while the last octets were on their way: mostly small messages of one query. */
  override _writev(
    chunks: readonly { readonly chunk: Uint8Array; readonly encoding: string }[],
    done: Done,
  ): void {
    this._write(joinOctets(chunks.map(({ chunk }) => chunk)), "buffer", done);
  }

  /** The driver has said all. */
  override _final(done: Done): void {
    const state = this.#state;
    if (state.at === "open") {
      // A transport that is lost has nothing to close; that nobody is there any more is what the driver wanted.
      state.handover.transport.closeWrite().then(() => done(), () => done());
      // Left in the middle of a result that nobody will read: the end would never be seen behind it.
      if (this.isPaused() && this.listenerCount("data") === 0) this.destroy();
    } else if (state.at === "first" || state.at === "opening") this.#giveUp(done);
    else done();
  }

  /** Releases everything. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const state = this.#state;
    this.#state = { at: "ended" };
    if (state.at === "opening" || state.at === "cancelling") state.abort.abort();
    else if (state.at === "open") state.handover.close();
    this.#endFailed();
    done(error);
    // Behind the event 'error': drivers drop their listeners now.
    setImmediate(() => this.emit("close", error !== null));
  }

  #onFirst(packet: FirstPacket, octets: Uint8Array, done: Done): void {
    let wish: Wish | undefined;
    try {
      wish = packet.push(octets);
    } catch (error) {
      return done(error as Error);
    }
    if (wish === undefined) return done();
    const abort = new AbortController();
    switch (wish.type) {
      case "Terminate":
        return this.#giveUp(done);
      case "CancelRequest":
        this.#state = { at: "cancelling", abort };
        void this.#cancel(wish, abort.signal);
        return done();
      case "StartupMessage": {
        const rest = packet.rest();
        this.#state = { at: "opening", abort, held: undefined };
        void this.#open(wish, abort.signal);
        return rest.length > 0 ? this._write(rest, "buffer", done) : done();
      }
    }
  }

  async #open(
    startup: Extract<Wish, { type: "StartupMessage" }>,
    signal: AbortSignal,
  ): Promise<void> {
    let handover: Handover;
    try {
      handover = await this.#source.open(startup, signal);
    } catch (error) {
      // Nothing happens if the driver gave up before.
      this.destroy(error as Error);
      return;
    }
    const state = this.#state;
    if (state.at !== "opening") return handover.close();
    const { transport, welcome } = handover;
    if (!this.#referenced) transport.unref?.();
    this.push(Buffer.from(welcome.buffer, welcome.byteOffset, welcome.byteLength));
    const feed = feedOf(transport, {
      data: (octets) => this.#onData(octets),
      end: (error) => this.#onEnd(error),
    });
    this.#state = { at: "open", handover, feed };
    if (state.held !== undefined) this._write(state.held.octets, "buffer", state.held.done);
  }

  async #cancel(
    { processId, secretKey }: Extract<Wish, { type: "CancelRequest" }>,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#source.cancel(processId, secretKey, signal);
      this.push(null);
      this.resume();
      this.destroy();
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #onData(octets: Uint8Array): boolean {
    this.#wanted = false;
    // The same octets, as drivers want a Buffer.
    const more = this.push(Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength));
    return more || this.#wanted;
  }

  #onEnd(error: Error | undefined): void {
    const state = this.#state;
    if (state.at !== "open") return;
    this.#state = { at: "ended" };
    state.handover.close();
    this.#endFailed();
    // After the driver's farewell a server need not be polite.
    if (error === undefined || this.writableEnded) this.push(null);
    else this.destroy(error);
  }

  /** The server's last word goes before the error, unless the driver does not listen. */
  #onWriteFailed(error: Error, done: Done): void {
    if (this.#state.at !== "open" || this.isPaused()) done(error);
    else this.#failed = { error, done };
  }

  #endFailed(): void {
    const failed = this.#failed;
    this.#failed = undefined;
    failed?.done(failed.error);
  }

  #giveUp(done: Done): void {
    done();
    this.destroy();
  }

  #setReferenced(referenced: boolean): this {
    this.#referenced = referenced;
    if (this.#state.at === "open") {
      const { transport } = this.#state.handover;
      if (referenced) transport.ref?.();
      else transport.unref?.();
    }
    return this;
  }
}

function lost(): ConnectionError {
  return new ConnectionError("connection-lost", "Cannot write: the server closed the connection", {
    phase: "ready",
  });
}
