import type { BearerTokenContext } from "../connect/options.ts";
import type { Secret } from "../settings/secret.ts";
import { type DevicePrompt, type IssuedToken, runDeviceFlow } from "./device_flow.ts";
import { httpClient } from "./http.ts";

/** How to log in by the device flow. */
export interface DeviceFlowOptions {
  /**
   * Shows page and code to whoever logs in; asking for the token begins when it is done. What it throws ends the
   * connect.
   */
  readonly onPrompt: (prompt: DevicePrompt) => void | Promise<void>;
  /**
   * Roots that certify the issuer, and no others: PEM, or the path of such a file. Unless given, what the runtime
   * trusts.
   */
  readonly caFile?: string;
}

/** A source of bearer tokens for the option `bearerToken`. */
export interface DeviceFlow {
  /** Called by `connect()`. */
  (context: BearerTokenContext): Promise<string | undefined>;
  /** Forgets every token, for example after a server has refused one. */
  forget(): void;
}

/** So long before its end a token is no longer given out: it has to reach the server. */
const MARGIN_S = 30;
/** Timers of JavaScript end at once beyond 24 days; to ask again sooner than the issuer wants does no harm by then. */
const MAX_WAIT_S = 86_400;

/**
 * Logs in by the device flow (RFC 8628): somebody opens a page, on any device, and types a code. Needs `oauth_issuer` and
 * `oauth_client_id` in the target. A token is used again while the issuer says that it is good.
 *
 * @param options How to show page and code.
 *
 * @example
 * ```ts
 * import { connect } from "pg-handshake";
 * import { deviceFlow } from "pg-handshake/oauth";
 *
 * const bearerToken = deviceFlow({
 *   onPrompt: ({ verificationUri, userCode }) => alert(`Open ${verificationUri} and type ${userCode}`),
 * });
 * await using session = await connect(
 *   "postgres://app@db.example/app?sslmode=verify-full&sslrootcert=system" +
 *     "&oauth_issuer=https://login.example&oauth_client_id=app",
 *   { bearerToken },
 * );
 * ```
 */
export function deviceFlow(options: DeviceFlowOptions): DeviceFlow {
  const known = new Map<string, { readonly token: Secret<string>; readonly endsAt: number }>();
  const provide = async (context: BearerTokenContext): Promise<string | undefined> => {
    const name = nameOf(context);
    if (!context.discovered) {
      const found = known.get(name);
      if (found !== undefined && now() < found.endsAt) return found.token.reveal();
      known.delete(name);
      // Logging in takes longer than a server waits: it is asked first, and let go.
      return undefined;
    }
    const http = await httpClient(options.caFile);
    const issued = await runDeviceFlow(context, { http, wait, now, onPrompt: options.onPrompt });
    remember(name, issued);
    return issued.token.reveal();
  };
  const remember = (name: string, { token, expiresInS }: IssuedToken): void => {
    // What is not said to last is not kept.
    if (expiresInS !== undefined) known.set(name, { token, endsAt: now() + expiresInS - MARGIN_S });
  };
  return Object.assign(provide, { forget: (): void => known.clear() });
}

/** Tokens are for one server, one login, one client, and one scope, which is known before the server says one. */
function nameOf(context: BearerTokenContext): string {
  const { host, port, user, database, issuer, clientId, requestedScope } = context;
  return JSON.stringify([host, port, user, database, issuer, clientId, requestedScope ?? null]);
}

function now(): number {
  return performance.now() / 1000;
}

function wait(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, Math.min(seconds, MAX_WAIT_S) * 1000);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
