import type { TlsFacts } from "../auth/channel.ts";
import { ConnectionError, UsageError } from "../errors.ts";
import type { DenoConn, DenoNet } from "./deno_api.ts";
import { endpointOf } from "./endpoint.ts";
import { abortedFailure, lostFailure, tlsFailure } from "./failures.ts";
import type { Lender } from "./lender.ts";
import { type Failure, madeOnce, Pending } from "./pending.ts";
import { checkTlsRequest } from "./requests.ts";
import type {
  Abilities,
  Address,
  Endpoint,
  Feed,
  Sink,
  TlsRequest,
  Transport,
} from "./transport.ts";

/** A reading starts with room for this many octets, and grows while it is filled. */
const MIN_READ_OCTETS = 4096;
const MAX_READ_OCTETS = 65_536;

interface Late {
  readonly done: (octets: Uint8Array | undefined) => void;
  readonly fail: (error: Error) => void;
}

/** A `Deno.Conn`, later the `Deno.TlsConn` that took it over. */
export class DenoTransport implements Transport, Lender {
  readonly endpoint: Endpoint;
  readonly #deno: DenoNet;
  readonly #abilities: Abilities;
  readonly #address: Address;
  readonly #pending = new Pending();
  #conn: DenoConn;
  #state: "plain" | "handshake" | "tls" = "plain";
  #reading = false;
  #sink: Sink | undefined;
  /** Whether Deno reads for the sink, which cannot be stopped. */
  #pulling = false;
  /** What it gives, once the sink was taken away meanwhile: it is for the next reading. */
  #late: Promise<Uint8Array | undefined> | undefined;
  #onLate: Late | undefined;
  #writeClosed = false;
  #room = MIN_READ_OCTETS;

  /**
   * @param conn What was dialed; belongs to this transport.
   * @param address Where to.
   * @param on What it runs on: the runtime, and what this adapter can do there.
   */
  constructor(
    conn: DenoConn,
    address: Address,
    on: { readonly deno: DenoNet; readonly abilities: Abilities },
  ) {
    this.#deno = on.deno;
    this.#abilities = on.abilities;
    this.#conn = conn;
    this.#address = address;
    this.endpoint = endpointOf(address, conn.remoteAddr.hostname);
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#reading) throw new UsageError("Cannot read: another read is still pending");
    this.#reading = true;
    try {
      return await (this.#takeLate() ?? this.#run(() => this.#readOnce()));
    } finally {
      this.#reading = false;
    }
  }

  async write(octets: Uint8Array): Promise<void> {
    if (this.#pending.failure === undefined && this.#writeClosed) {
      throw new UsageError("Cannot write: this side is closed");
    }
    await this.#run(() => this.#writeAll(octets));
  }

  async closeWrite(): Promise<void> {
    if (this.#pending.failure === undefined && this.#writeClosed) return;
    this.#writeClosed = true;
    await this.#run(() => this.#conn.closeWrite());
  }

  async startTls(request: TlsRequest): Promise<TlsFacts> {
    checkTlsRequest("deno", this.#abilities, request);
    const hostname = request.host;
    const { serverName } = request;
    if (hostname === undefined || (serverName !== undefined && serverName !== hostname)) {
      throw new UsageError('Cannot start TLS: "host" must be given, and "serverName" equal to it');
    }
    if (this.#address.kind === "unix") {
      // Deno.startTls takes TCP connections only; libpq never uses TLS here either.
      throw new UsageError("Cannot start TLS: Deno has none for Unix sockets");
    }
    if (this.#pending.failure === undefined && this.#state !== "plain") {
      throw new UsageError("Cannot start TLS: this connection has started it before");
    }
    if (this.#reading || this.#late !== undefined) {
      throw new UsageError("Cannot start TLS: a read is still pending");
    }
    this.#state = "handshake";
    return await this.#pending.run<TlsFacts>((done, fail) => {
      this.#handshake(hostname, request.alpn).then((facts) => {
        this.#state = "tls";
        done(facts);
      }, (error) => {
        if (this.#pending.failure !== undefined) return;
        const failure = tlsFailure(this.#address, error);
        fail(failure);
        this.#break(failure);
      });
    });
  }

  close(): void {
    // A sink hears nothing of it.
    this.#sink = undefined;
    this.#break(madeOnce(() => abortedFailure(this.#address, "transport")));
  }

  feed(sink: Sink): Feed {
    if (this.#reading) throw new UsageError("Cannot read into a sink: somebody else reads already");
    this.#reading = true;
    this.#sink = sink;
    const late = this.#takeLate();
    // Nobody expects to be called before a call that sets up things has returned.
    if (this.#pending.ended) queueMicrotask(() => this.resumeLent());
    else if (late === undefined) this.#pull();
    // What Deno is reading at this moment comes to the sink by itself.
    else if (this.#pulling) this.#onLate?.done(undefined);
    else this.#expect(late);
    return {
      resume: () => this.resumeLent(),
      write: (octets, done) => {
        if (this.#pending.failure !== undefined) return done(this.#pending.failure);
        this.#writeAll(octets).then(() => done(), (error) => {
          done(this.#pending.failure ?? lostFailure(this.#address, error));
        });
      },
    };
  }

  lend(sink: Sink): void {
    if (this.#reading || this.#late !== undefined) {
      throw new UsageError("Cannot read into a sink: somebody else reads already");
    }
    this.#reading = true;
    this.#sink = sink;
  }

  resumeLent(): void {
    if (this.#sink === undefined || this.#pulling) return;
    if (this.#pending.ended) this.#tellEnded();
    else this.#pull();
  }

  takeBack(): void {
    if (this.#sink === undefined) return;
    this.#sink = undefined;
    this.#reading = false;
    if (!this.#pulling) return;
    this.#late = this.#pending.run<Uint8Array | undefined>((done, fail) => {
      this.#onLate = { done, fail };
    });
    // Whoever reads on hears of it; nobody may.
    this.#late.catch(() => undefined);
  }

  unref(): void {
    this.#conn.unref?.();
  }

  ref(): void {
    this.#conn.ref?.();
  }

  async #handshake(hostname: string, alpn: readonly string[]): Promise<TlsFacts> {
    const conn = await this.#deno.startTls(this.#conn, { hostname, alpnProtocols: [...alpn] });
    this.#conn = conn;
    if (this.#pending.failure !== undefined) {
      // Closed in the meantime, when there was nothing to close.
      release(conn);
      throw this.#pending.failure;
    }
    // startTls() itself reports nothing: a bad certificate comes out here.
    const { alpnProtocol } = await conn.handshake();
    return {
      protocol: undefined,
      cipher: undefined,
      alpn: alpnProtocol ?? undefined,
      verified: "full",
      serverCertificate: undefined,
    };
  }

  async #writeAll(octets: Uint8Array): Promise<void> {
    let sent = await this.#conn.write(octets);
    while (sent < octets.length) sent += await this.#conn.write(octets.subarray(sent));
  }

  async #readOnce(): Promise<Uint8Array | undefined> {
    const octets = new Uint8Array(this.#room);
    try {
      return this.#filled(octets, await this.#conn.read(octets));
    } catch (error) {
      if (isUnannouncedEnd(error)) return undefined;
      throw error;
    }
  }

  /** What was read for a sink that was taken away is for this one. */
  #expect(late: Promise<Uint8Array | undefined>): void {
    this.#pulling = true;
    late.then((octets) => this.#pulled(octets), (error) => this.#pullFailed(error));
  }

  /** The same for the sink, again and again as long as it wants. Callbacks, as an idle session waits here. */
  #pull(): void {
    this.#pulling = true;
    const octets = new Uint8Array(this.#room);
    this.#conn.read(octets).then(
      (count) => this.#pulled(this.#filled(octets, count)),
      (error) => {
        if (isUnannouncedEnd(error)) this.#pulled(undefined);
        else this.#pullFailed(error);
      },
    );
  }

  #pulled(octets: Uint8Array | undefined): void {
    this.#pulling = false;
    const sink = this.#sink;
    if (sink === undefined) this.#onLate?.done(octets);
    else if (this.#pending.ended) return;
    else if (octets === undefined) sink.end(undefined);
    else if (sink.data(octets)) this.resumeLent();
  }

  #pullFailed(error: unknown): void {
    this.#pulling = false;
    if (this.#pending.ended) return;
    if (this.#sink === undefined) this.#onLate?.fail(this.#lost(error));
    else this.#sink.end(this.#lost(error));
  }

  /** The transport ended before there was a sink. */
  #tellEnded(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.end(this.#pending.failure);
  }

  #takeLate(): Promise<Uint8Array | undefined> | undefined {
    const late = this.#late;
    this.#late = undefined;
    return late;
  }

  #filled(octets: Uint8Array, count: number | null): Uint8Array | undefined {
    if (count === null) return undefined;
    this.#room = count === octets.length
      ? Math.min(octets.length * 4, MAX_READ_OCTETS)
      : Math.max(MIN_READ_OCTETS, Math.min(octets.length, count * 2));
    return octets.subarray(0, count);
  }

  #lost(error: unknown): ConnectionError {
    return error instanceof ConnectionError ? error : lostFailure(this.#address, error);
  }

  /** Runs one call of Deno. A write that fails leaves what the server said before to be read. */
  #run<T>(call: () => Promise<T>): Promise<T> {
    return this.#pending.run((done, fail) => {
      call().then(done, (error) => fail(lostFailure(this.#address, error)));
    });
  }

  #break(failure: Failure): void {
    this.#pending.end(failure);
    release(this.#conn);
  }
}

/** A TLS peer that closed without saying so; PostgreSQL's messages show for themselves if one was cut. */
function isUnannouncedEnd(error: unknown): boolean {
  return (error as { name?: unknown }).name === "UnexpectedEof";
}

function release(conn: DenoConn): void {
  try {
    conn.close();
  } catch (error) {
    // Closed before, or taken over by a startTls() that is under way.
    if ((error as { name?: unknown }).name !== "BadResource") throw error;
  }
}
