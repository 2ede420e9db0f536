import { encodeBase64 } from "../auth/base64.ts";
import type { ChannelFacts } from "../auth/channel.ts";
import type { AuthPolicy } from "../auth/gate.ts";
import {
  ConfigError,
  ConnectionError,
  type Encryption,
  PgHandshakeError,
  type Phase,
} from "../errors.ts";
import { ClientHandshake } from "../handshake/client.ts";
import type { SessionStart } from "../handshake/client_state.ts";
import type { HandshakeEvent } from "../handshake/step.ts";
import type { AttemptTarget, Outcome } from "../plan/attempts.ts";
import { socketPath } from "../settings/hosts.ts";
import type { Settings } from "../settings/resolve.ts";
import type { Adapter, Address, TlsRequest, Transport } from "../transport/transport.ts";
import { answerFor, type SecretSources } from "./answers.ts";
import type { Clock } from "./clock.ts";
import { drive } from "./drive.ts";
import type { ConnectEventKind, ConnectOptions, PasswordSource } from "./options.ts";
import { type TlsPolicy, tlsRequestFor } from "./tls_request.ts";

/** Everything that stays the same over all attempts of one `connect()`. */
export interface Circumstances {
  readonly settings: Settings;
  readonly options: ConnectOptions;
  readonly adapter: Adapter;
  /** What TLS must do; undefined if no attempt may use it. */
  readonly tls: TlsPolicy | undefined;
  /** Takes events; undefined if nobody listens. */
  readonly emit: ((event: ConnectEventKind) => void) | undefined;
}

/** How a session can be reached again, for a cancel. */
export interface Route {
  readonly address: Address;
  readonly encryption: Encryption;
  readonly tls: TlsRequest | undefined;
  readonly policy: AuthPolicy;
  readonly adapter: Adapter;
}

/** A session that was established, before it has an owner. */
export interface Established {
  readonly transport: Transport;
  readonly start: SessionStart;
  readonly route: Route;
}

/** An attempt that failed, and what the plan must know of it. */
export interface Failure {
  readonly error: PgHandshakeError;
  readonly outcome: Outcome;
}

/** Where an attempt dials. */
export function addressOf(target: AttemptTarget): Address {
  const { host, address } = target;
  return host.kind === "unix"
    ? { kind: "unix", path: socketPath(host) }
    : { kind: "tcp", host: address ?? host.host, port: host.port };
}

/**
 * Makes one attempt: dial, negotiate, authenticate, up to ReadyForQuery. Leaves no socket behind when it fails.
 *
 * @throws Only what is no error of this package, hence a defect of ours or of a callback.
 */
export async function establish(
  target: AttemptTarget,
  circumstances: Circumstances,
  clock: Clock,
): Promise<Established | Failure> {
  const { settings, options, adapter, emit } = circumstances;
  const address = addressOf(target);
  const policy = policyFor(target, circumstances);
  const tls = target.encryption === "plain" || circumstances.tls === undefined
    ? undefined
    : tlsRequestFor(circumstances.tls, target.host, settings);
  let transport: Transport | undefined;
  let machine: ClientHandshake | undefined;
  let credentialsSent = false;
  let tlsInUse = false;
  try {
    transport = await dial(adapter, address, clock);
    const { endpoint } = transport;
    emit?.({ type: "dialed", remoteAddress: endpoint.remoteAddress });
    const running = machine = new ClientHandshake({
      encryption: target.encryption,
      plaintextAfterRefusal: target.plaintextAfterRefusal,
      startup: settings.startup,
      protocolVersion: settings.protocolVersion,
      minProtocolVersion: settings.minProtocolVersion,
      policy,
      channel: { kind: "plain", local: endpoint.local },
      clientNonce: encodeBase64(crypto.getRandomValues(new Uint8Array(18))),
      traced: emit !== undefined,
    });
    const secrets = secretsFor(target, settings, options.password);
    const start = await drive(running, transport, {
      tls,
      clock,
      phase: () => running.phase,
      answer: async (request) => {
        emit?.({ type: "password-requested", method: request.method });
        const answer = await answerFor(request, secrets, clock);
        credentialsSent = true;
        return answer;
      },
      report: (event) => {
        if (event.type === "secured") {
          tlsInUse = true;
          emit?.(event);
        } else deliver(event, options, emit);
      },
    });
    const route = { address, encryption: routeEncryption(target, start), tls, policy, adapter };
    return { transport, start: { ...start, channel: proved(start.channel, policy) }, route };
  } catch (error) {
    transport?.close();
    if (!(error instanceof PgHandshakeError)) throw error;
    const sawAuthRequest = machine?.phase === "authenticate" || credentialsSent;
    return { error, outcome: outcomeOf(error, { tlsInUse, credentialsSent, sawAuthRequest }) };
  }
}

/** Hands what the server said to whom it concerns. */
export function deliver(
  event: HandshakeEvent,
  options: Pick<ConnectOptions, "onNotice" | "onNotification" | "onParameter">,
  emit: ((event: ConnectEventKind) => void) | undefined,
): void {
  switch (event.type) {
    case "notice":
      options.onNotice?.(event.notice);
      return;
    case "notification": {
      const { processId, channel, payload } = event;
      options.onNotification?.({ processId, channel, payload });
      return;
    }
    case "parameter":
      options.onParameter?.(event.name, event.value);
      return;
    case "message":
      emit?.(event);
      return;
  }
}

async function dial(adapter: Adapter, address: Address, clock: Clock): Promise<Transport> {
  if (clock.signal.aborted) throw clock.error("dial");
  try {
    return await adapter.dial(address, clock.signal);
  } catch (error) {
    if (clock.signal.aborted) throw clock.error("dial");
    throw error;
  }
}

function policyFor(target: AttemptTarget, circumstances: Circumstances): AuthPolicy {
  const { settings, options, tls } = circumstances;
  const { requireAuth } = settings;
  return {
    allowed: requireAuth.allowed,
    required: requireAuth.required,
    requireAuthText: requireAuth.text,
    channelBinding: settings.channelBinding,
    allowCleartextPassword: options.allowCleartextPassword ?? false,
    maxScramIterations: options.maxScramIterations ?? DEFAULT_MAX_SCRAM_ITERATIONS,
    minScramIterations: options.minScramIterations ?? 1,
    tls: tls === undefined || target.encryption === "plain" ? undefined : {
      verify: tls.verify,
      host: target.host.host,
      requireAlpn: target.encryption === "direct-tls",
    },
    serverName: target.host.host,
  };
}

/** Above it a server could keep this processor busy for as long as it likes (CVE-2026-42198 elsewhere). */
const DEFAULT_MAX_SCRAM_ITERATIONS = 100_000;

function secretsFor(
  target: AttemptTarget,
  settings: Settings,
  password: PasswordSource | undefined,
): SecretSources {
  return {
    password: password ?? settings.password,
    scramClientKey: settings.scramClientKey,
    scramServerKey: settings.scramServerKey,
    context: {
      host: target.host.host,
      port: target.host.port,
      user: settings.user,
      database: settings.dbname,
    },
  };
}

/** The transport verified the chain, the gate the name: together that is `full`. */
function proved(channel: ChannelFacts, policy: AuthPolicy): ChannelFacts {
  return channel.kind === "tls" && policy.tls?.verify === "full"
    ? { ...channel, tls: { ...channel.tls, verified: "full" } }
    : channel;
}

/** A session that went on in plaintext after `N` is cancelled in plaintext too. */
function routeEncryption(target: AttemptTarget, start: SessionStart): Encryption {
  return start.channel.kind === "plain" ? "plain" : target.encryption;
}

function outcomeOf(
  error: PgHandshakeError,
  facts: Pick<Outcome, "tlsInUse" | "credentialsSent" | "sawAuthRequest">,
): Outcome {
  const known = { phase: error.phase as Phase, ...facts };
  if (error.code === "server-error") {
    return { ...known, error: "server", sqlState: error.sqlState };
  }
  if (error instanceof ConfigError || !(error instanceof ConnectionError)) {
    return { ...known, error: "other" };
  }
  switch (error.code) {
    case "name-not-found":
      return { ...known, error: "resolve" };
    case "dial-failed":
      return { ...known, error: "dial" };
    case "timeout":
      return { ...known, error: "timeout" };
    case "tls-failed":
      return { ...known, error: "tls-failed" };
    case "connection-lost":
      return { ...known, error: "closed" };
    // `tls-refused` among them: under prefer `N` goes on on the same socket, so what ends here is an error in place of
    // an answer, after which libpq does not try plaintext either.
    default:
      return { ...known, error: "other" };
  }
}
