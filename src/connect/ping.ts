import { ConfigError, type PgHandshakeError } from "../errors.ts";
import { circumstancesOf } from "./connect.ts";
import { establish, type Failure } from "./establish.ts";
import { Journey } from "./journey.ts";
import type { ConnectOptions, Target } from "./options.ts";

/**
 * What libpq's PQping answers: `ok` the server accepts connections, `reject` it is there but starting up, shutting
 * down or recovering, `no-response` nothing that speaks the protocol answered, `no-attempt` the settings are wrong and
 * nothing was tried.
 */
export type PingStatus = "ok" | "reject" | "no-response" | "no-attempt";

/** "the database system is starting up", and its like. */
const CANNOT_CONNECT_NOW = "57P03";

/**
 * Asks whether a server accepts connections, without credentials: it goes until the server asks for some, or refuses
 * (libpq, PQping). No password is sent even if the target has one.
 *
 * @param target As for `connect()`.
 * @param options A signal bounds it; `connect_timeout` in the target does too.
 * @throws {ConnectionError} `aborted` or `timeout`, if the signal fires.
 */
export async function ping(
  target?: Target,
  options: Pick<ConnectOptions, "signal" | "resolve" | "adapter" | "onEvent"> = {},
): Promise<PingStatus> {
  try {
    const circumstances = await circumstancesOf(target, options, performance.now());
    const settings = {
      ...circumstances.settings,
      password: undefined,
      scramClientKey: undefined,
      scramServerKey: undefined,
      targetSessionAttrs: "any" as const,
    };
    const result = await new Journey({
      ...circumstances,
      settings,
      // An empty password is answered with an error of ours, never with a message.
      options: { ...options, password: "" },
    }, establish).run();
    if (!("error" in result)) {
      result.transport.close();
      return "ok";
    }
    if (options.signal?.aborted === true) throw result.error;
    if (result.last?.error instanceof ConfigError) return "no-attempt";
    return result.last === undefined ? "no-response" : statusOf(result.last);
  } catch (error) {
    if (error instanceof ConfigError) return "no-attempt";
    throw error;
  }
}

function statusOf(failure: Failure): PingStatus {
  const { code, sqlState, phase }: PgHandshakeError = failure.error;
  // AuthenticationOk, too, says that the server is there for us.
  if (failure.outcome.sawAuthRequest || phase === "prepare" || phase === "ready") return "ok";
  if (code !== "server-error") return "no-response";
  return sqlState === CANNOT_CONNECT_NOW ? "reject" : "ok";
}
