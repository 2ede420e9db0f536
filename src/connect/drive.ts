import type { ChannelFacts } from "../auth/channel.ts";
import { wipeScramKeys } from "../auth/scram_keys.ts";
import {
  ConnectionError,
  type ErrorCode,
  locate,
  PgHandshakeError,
  type Phase,
  ProtocolError,
} from "../errors.ts";
import type { Answer, AnswerRequest, HandshakeEvent, Machine, Step } from "../handshake/step.ts";
import type { TlsRequest, Transport } from "../transport/transport.ts";
import type { Clock } from "./clock.ts";
import type { GssSecured } from "./start_gss.ts";

/** What a transport fails with that does not know how far the conversation has come. */
const OF_THE_TRANSPORT: ReadonlySet<ErrorCode> = new Set(["connection-lost", "gss-failed"]);

/** What a drive needs besides machine and transport. */
export interface DriveOptions {
  readonly tls: TlsRequest | undefined;
  readonly clock: Clock;
  /** How far the machine has come, for errors of the socket. */
  phase(): Phase;
  /** Sets GSSAPI encryption up; gives the encrypted transport and its facts. */
  startGss(transport: Transport): Promise<GssSecured>;
  /** Prepares for what the machine will ask for, while the server's next message is on its way. */
  foresee?(soon: "scram-keys"): void;
  /** Fills what the machine asks for. */
  answer(request: AnswerRequest): Promise<Answer>;
  /** Takes what the machine reports. */
  report(
    event: HandshakeEvent | { readonly type: "secured"; readonly channel: ChannelFacts },
  ): void;
}

/**
 * Runs a machine over a transport until it finishes or fails; from `start-gss` on over the encrypted one. The one place where protocol and sockets meet.
 *
 * @throws {PgHandshakeError} What the machine failed with, what the socket failed with, or the clock's error.
 */
export async function drive<Result>(
  machine: Machine<Result>,
  plain: Transport,
  options: DriveOptions,
): Promise<Result> {
  const { clock } = options;
  let transport = plain;
  const release = clock.onExpire(() => transport.close());
  try {
    if (clock.expired) throw clock.error(options.phase());
    let step = machine.start();
    for (;;) {
      for (const event of step.events) options.report(event);
      if (step.send.length > 0) await write(machine, transport, step.send);
      const { next } = step;
      switch (next.do) {
        case "read":
          if (next.soon !== undefined) options.foresee?.(next.soon);
          step = await read(machine, transport);
          break;
        case "start-tls":
          step = machine.secured(await startTls(transport, options));
          break;
        case "start-gss": {
          const secured = await options.startGss(transport);
          transport = secured.transport;
          options.report({ type: "secured", channel: secured.channel });
          step = machine.secured(secured.channel);
          break;
        }
        case "answer":
          step = answered(machine, await options.answer(next.request));
          break;
        case "finish":
          // A callback may have fired the signal over the last messages; the socket is closed then.
          if (clock.expired) throw clock.error(options.phase());
          return next.result;
        case "fail":
          throw next.error;
      }
    }
  } catch (error) {
    // Whatever broke when the clock closed the socket, the clock is the reason.
    if (clock.expired) throw clock.error(options.phase());
    if (error instanceof ConnectionError && OF_THE_TRANSPORT.has(error.code)) {
      throw located(error, options.phase());
    }
    // A packet that is none, of an encrypted stream; the machine's own errors are located already.
    if (error instanceof ProtocolError) locate(error, options.phase());
    throw error;
  } finally {
    release();
  }
}

/** The machine copies what it needs, so secrets are wiped as soon as it has them. */
function answered<Result>(machine: Machine<Result>, answer: Answer): Step<Result> {
  try {
    return machine.answer(answer);
  } finally {
    if (answer.kind === "password") answer.password.fill(0);
    if (answer.kind === "bearer-token") answer.token?.fill(0);
    if (answer.kind === "scram-keys") wipeScramKeys(answer.keys);
    if (answer.kind === "gss-token") answer.token.fill(0);
  }
}

async function read<Result>(machine: Machine<Result>, transport: Transport): Promise<Step<Result>> {
  const octets = await transport.read();
  return octets === undefined ? machine.receiveEnd() : machine.receive(octets);
}

/**
 * Writes a flight. A server that refused us may have closed before it arrived: then its last word, which is still
 * in our socket, says more than the broken pipe.
 */
async function write<Result>(
  machine: Machine<Result>,
  transport: Transport,
  flight: Uint8Array,
): Promise<void> {
  try {
    await transport.write(flight);
  } catch (failure) {
    throw await lastWord(machine, transport) ?? failure;
  } finally {
    // It may hold a password or its proof.
    flight.fill(0);
  }
}

async function lastWord<Result>(
  machine: Machine<Result>,
  transport: Transport,
): Promise<PgHandshakeError | undefined> {
  try {
    for (;;) {
      const { next } = await read(machine, transport);
      if (next.do === "fail") {
        return next.error.code === "connection-lost" ? undefined : next.error;
      }
      if (next.do !== "read") return undefined;
    }
  } catch (error) {
    // The caller has the failure of the write, which came first; this one adds nothing to it.
    if (error instanceof PgHandshakeError) return undefined;
    throw error;
  }
}

async function startTls(transport: Transport, options: DriveOptions): Promise<ChannelFacts> {
  const { tls } = options;
  if (tls === undefined) throw new TypeError("A plan with TLS was made without a TLS request");
  const facts = await transport.startTls(tls);
  const channel: ChannelFacts = { kind: "tls", local: transport.endpoint.local, tls: facts };
  options.report({ type: "secured", channel });
  return channel;
}

function located(error: ConnectionError, phase: Phase): ConnectionError {
  if (error.phase === phase) return error;
  const { code, message, cause } = error;
  return new ConnectionError(code as "connection-lost", message, { phase, cause });
}
