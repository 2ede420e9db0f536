/** The cases of `vectors/middleman.json` and how one line of a table is played. */
import { Buffer } from "node:buffer";
import "../connect/own_environment.ts";
import { connect } from "../../src/connect/connect.ts";
import { PgHandshakeError } from "../../src/errors.ts";
import { ConnectError } from "../../src/connect/connect_error.ts";
import { certificatePath } from "../support/certificates.ts";
import type { Middleman, Tampering } from "../support/middleman.ts";
import { SCRAM_PASSWORD } from "../support/postgres.ts";
import type { VectorCase } from "../support/vectors.ts";

/** libpq's values of channel_binding. */
export const BINDINGS = ["disable", "prefer", "require"] as const;
/** libpq's values of sslmode. */
export const SSLMODES = [
  "disable",
  "allow",
  "prefer",
  "require",
  "verify-ca",
  "verify-full",
] as const;

/** One of {@link BINDINGS}. */
export type Binding = typeof BINDINGS[number];

/** A table: what one tampering leads to. */
export interface MiddlemanCase extends VectorCase {
  readonly tampering: Tampering;
  /** sslnegotiation; "postgres" unless said. */
  readonly negotiation?: string;
  /** Which values of sslmode it is about; all that go with the negotiation unless said. */
  readonly sslmodes?: readonly string[];
  /** Further parameters of the target. */
  readonly target?: Readonly<Record<string, string>>;
  /** What comes of it by sslmode, several separated by blanks, then by channel_binding if that matters. */
  readonly expect: Readonly<Record<string, string | Readonly<Record<Binding, string>>>>;
}

/** The values of sslmode a case is about. */
export function modesOf({ sslmodes, negotiation }: MiddlemanCase): readonly string[] {
  return sslmodes ?? (negotiation === "direct" ? SSLMODES.slice(3) : SSLMODES);
}

/** What the table says. */
export function expected({ expect }: MiddlemanCase, sslmode: string, binding: Binding): string {
  const [, said] = Object.entries(expect).find(([modes]) => modes.split(" ").includes(sslmode)) ??
    [];
  if (said === undefined) throw new Error(`Cannot find sslmode "${sslmode}" in the table`);
  return typeof said === "string" ? said : said[binding];
}

/**
 * Connects through a middleman.
 *
 * @returns The session's channel and binding or the error's code, phase and number of attempts; then what of our
 *   secrets the middleman could read.
 */
export async function reach(
  { negotiation = "postgres", target = {} }: MiddlemanCase,
  middleman: Middleman,
  sslmode: string,
  binding: Binding,
): Promise<string> {
  const before = middleman.heard().length;
  const parameters = {
    host: "127.0.0.1",
    port: String(middleman.port),
    user: "scram_user",
    dbname: "app",
    password: SCRAM_PASSWORD,
    sslmode,
    channel_binding: binding,
    sslnegotiation: negotiation,
    // Bounds a defect; nothing here takes that long.
    connect_timeout: "30",
    ...(sslmode.startsWith("verify") ? { sslrootcert: certificatePath("ca.crt") } : {}),
    ...target,
  };
  const outcome = await tried(parameters);
  const heard = middleman.heard().slice(before);
  const read = [...new Set(heard.flatMap((text) => readable(text, parameters.password)))];
  return read.length === 0 ? outcome : `${outcome}; he reads ${read.join(" and ")}`;
}

async function tried(parameters: Readonly<Record<string, string>>): Promise<string> {
  try {
    await using session = await connect(parameters);
    const { authentication, channel } = session;
    if (authentication.channelBound) return `${channel.kind}, bound`;
    const why = authentication.bindingUnavailable ? "cannot be bound" : "unbound";
    return `${channel.kind}, ${why}${authentication.method === "none" ? ", not asked" : ""}`;
  } catch (error) {
    if (!(error instanceof ConnectError || error instanceof PgHandshakeError)) throw error;
    const state = error.code === "server-error" ? ` ${error.sqlState}` : "";
    const attempts = error.attempts?.length ?? 0;
    return `${error.code}${state} at ${error.phase}${attempts === 1 ? "" : ` of ${attempts}`}`;
  }
}

/** Names of the secrets in what somebody heard of us. */
export function readable(heard: string, password: string): readonly string[] {
  const proofs = [...heard.matchAll(/c=([\w+/=]+),r=[^,\0]+,p=[\w+/]{43}=/g)].map(([, header]) => {
    const text = Buffer.from(header ?? "", "base64").toString("latin1");
    return `a proof (${text.slice(0, text.indexOf(","))})`;
  });
  return [
    ...proofs,
    ...(/p=[\w+/]{43}=/.test(heard) && proofs.length === 0 ? ["a proof of no kind known"] : []),
    ...(/md5[0-9a-f]{32}/.test(heard) ? ["an MD5 answer"] : []),
    ...(heard.includes(password) ? ["the password"] : []),
  ];
}
