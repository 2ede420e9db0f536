import { PgHandshakeError, PolicyError } from "../errors.ts";
import type { Answer, AnswerRequest } from "../handshake/step.ts";
import type { Secret } from "../settings/secret.ts";
import type { Clock } from "./clock.ts";
import { deriveScramKeys } from "./derive.ts";
import type { PasswordContext, PasswordSource } from "./options.ts";

/** Where secrets come from and whom a password callback is asked for. */
export interface SecretSources {
  readonly password: PasswordSource | Secret | undefined;
  readonly scramClientKey: Secret | undefined;
  readonly scramServerKey: Secret | undefined;
  readonly context: Omit<PasswordContext, "method" | "signal">;
}

/**
 * Fills what the machine asks for. The password is fetched only now.
 *
 * @throws {PolicyError} `password-missing` if there is none, `password-unavailable` if the callback failed.
 * @throws {ConnectionError} If a bound of the clock is reached meanwhile.
 */
export async function answerFor(
  request: AnswerRequest,
  sources: SecretSources,
  clock: Clock,
): Promise<Answer> {
  if (request.want === "scram-keys") {
    const { scramClientKey, scramServerKey } = sources;
    if (scramClientKey !== undefined && scramServerKey !== undefined) {
      return {
        kind: "scram-keys",
        keys: {
          clientKey: scramClientKey.revealOctets(),
          serverKey: scramServerKey.revealOctets(),
        },
      };
    }
  }
  const password = await passwordFor(request.method, sources, clock);
  if (request.want === "password") return { kind: "password", password };
  const keys = await clock.race(
    deriveScramKeys(password, request.salt, request.iterations),
    "authenticate",
  );
  return { kind: "scram-keys", keys };
}

async function passwordFor(
  method: PasswordContext["method"],
  sources: SecretSources,
  clock: Clock,
): Promise<Uint8Array> {
  const { password: source, context } = sources;
  const given = typeof source === "function"
    ? await clock.race(asked(source, { ...context, method, signal: clock.signal }), "authenticate")
    : source;
  const octets = asOctets(given);
  if (octets.length > 0) return octets;
  throw new PolicyError(
    "password-missing",
    `no password supplied: the server asks user "${context.user}" for one (${METHOD_TEXT[method]})`,
    {
      hint: 'Give it in the target, by the option "password", or change the method in pg_hba.conf',
    },
  );
}

const METHOD_TEXT: Readonly<Record<PasswordContext["method"], string>> = {
  "password": "AuthenticationCleartextPassword",
  "md5": "AuthenticationMD5Password",
  "scram-sha-256": "AuthenticationSASL, SCRAM-SHA-256",
};

async function asked(
  source: Extract<PasswordSource, (...args: never[]) => unknown>,
  context: PasswordContext,
): Promise<string | Uint8Array> {
  try {
    return await source(context);
  } catch (error) {
    if (error instanceof PgHandshakeError) throw error;
    throw new PolicyError("password-unavailable", "Cannot get the password: the callback failed", {
      cause: error,
    });
  }
}

function asOctets(given: string | Uint8Array | Secret | undefined): Uint8Array {
  if (given === undefined) return new Uint8Array(0);
  if (given instanceof Uint8Array) return given;
  return typeof given === "string" ? passwordOctets(given) : given.revealOctets();
}

function passwordOctets(text: string): Uint8Array {
  if (text.includes("\0")) {
    throw new PolicyError(
      "password-unavailable",
      "Cannot use the password: it holds a zero octet, which no PostgreSQL password can",
    );
  }
  if (!text.isWellFormed()) {
    throw new PolicyError(
      "password-unavailable",
      "Cannot use the password: it holds half of a surrogate pair; give octets for passwords that are not Unicode text",
    );
  }
  return new TextEncoder().encode(text);
}
