import type { AuthPolicy } from "../auth/gate.ts";
import { type Encryption, PgHandshakeError } from "../errors.ts";
import type { SessionStart } from "../handshake/client_state.ts";
import { TokenWanted } from "../handshake/token_wanted.ts";
import type { AttemptTarget } from "../plan/targets.ts";
import type { GssMode, Outcome } from "../plan/moves.ts";
import type { Adapter, Address, TlsRequest, Transport } from "../transport/transport.ts";
import { Attempt } from "./attempt.ts";
import type { BearerTokens } from "./bearer.ts";
import type { Clock } from "./clock.ts";
import type { DialFailure } from "./dial.ts";
import type { Memory } from "./memory.ts";
import type { ConnectEventKind, ConnectOptions } from "./options.ts";
import type { Settled } from "./settled.ts";
import type { GssSetup } from "./start_gss.ts";

/** Everything that stays the same over all attempts of one `connect()`. */
export interface Circumstances extends Settled {
  readonly options: ConnectOptions;
  /** What connections before this one learned. */
  readonly memory: Memory;
  /** Where bearer tokens come from. */
  readonly tokens: BearerTokens;
  /** Whether attempts begin with GSSENCRequest. */
  readonly gss: GssMode;
  /** Takes events; undefined if nobody listens. */
  readonly emit: ((event: ConnectEventKind) => void) | undefined;
}

/** How a session can be reached again, for a cancel. */
export interface Route {
  readonly address: Address;
  readonly encryption: Encryption;
  readonly tls: TlsRequest | undefined;
  /** How GSSAPI encryption is set up; undefined if the session has none. */
  readonly gss: GssSetup | undefined;
  readonly policy: AuthPolicy;
  readonly adapter: Adapter;
}

/** A session that was established, before it has an owner. */
export interface Established {
  readonly transport: Transport;
  readonly start: SessionStart;
  readonly route: Route;
  /** Whether SCRAM keys were there, or on their way, already. */
  readonly keysReused: boolean;
  /** Addresses that were dialed before the one that answered. */
  readonly undialed: readonly DialFailure[];
}

/** An attempt that failed, and what the plan must know of it. */
export interface Failure {
  readonly error: PgHandshakeError;
  readonly outcome: Outcome;
  /** The address that answered; undefined if none did. */
  readonly address: Address | undefined;
  /** Addresses that did not answer. */
  readonly undialed: readonly DialFailure[];
}

/**
 * Makes one attempt: dial, negotiate, authenticate, up to ReadyForQuery of a session that is what was wanted. Leaves
 * no socket behind when it fails.
 *
 * @throws Only what is no error of this package, hence a defect of ours or of a callback.
 */
export async function establish(
  target: AttemptTarget,
  circumstances: Circumstances,
  clock: Clock,
): Promise<Established | Failure> {
  const attempt = new Attempt(target, circumstances, clock);
  try {
    return await attempt.run();
  } catch (error) {
    attempt.abandon();
    if (!(error instanceof PgHandshakeError)) throw error;
    return attempt.failure(error instanceof TokenWanted ? await attempt.fetchToken(error) : error);
  }
}
