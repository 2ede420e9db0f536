import type { SessionStart } from "../handshake/client_state.ts";
import type { ExpectedRequest } from "../handshake/early.ts";
import type { AttemptTarget } from "../plan/targets.ts";
import type { Settings } from "../settings/resolve.ts";
import type { Address } from "../transport/transport.ts";
import type { EndpointName, LearnedEndpoint } from "./endpoints.ts";
import type { Memory } from "./memory.ts";
import type { PasswordContext } from "./options.ts";

/** PostgreSQL 18 has the setting ssl_groups, "X25519:prime256v1" by default; before it was ssl_ecdh_curve with one. */
const FIRST_WITH_X25519 = 180_000;

const PASSWORD_METHODS: readonly PasswordContext["method"][] = [
  "scram-sha-256",
  "md5",
  "password",
  "crypt",
];

/** The name an endpoint is remembered by. */
export function endpointName(
  { host, encryption }: Pick<AttemptTarget, "host" | "encryption">,
  { user, dbname }: Pick<Settings, "user" | "dbname">,
  address: Address,
): EndpointName {
  return {
    host: host.host,
    address: address.kind === "unix" ? address.path : address.host,
    port: host.port,
    user,
    database: dbname,
    encryption,
  };
}

/** The endpoint one attempt leads to, and what is remembered of it; looked up once. */
export class KnownEndpoint {
  readonly #name: EndpointName;
  readonly #memory: Memory;
  readonly #learned: LearnedEndpoint | undefined;

  /** Looks it up. */
  constructor(name: EndpointName, memory: Memory) {
    this.#name = name;
    this.#memory = memory;
    this.#learned = memory.endpoints.find(name);
  }

  /** What the server will ask for if it does what it did last time; undefined if nothing may be sent before it asks. */
  get expected(): ExpectedRequest | undefined {
    const learned = this.#learned;
    // A password or a token is never sent before it is asked for, so there is nothing to expect where one was.
    if (learned?.method !== "none" && learned?.method !== "scram-sha-256") return undefined;
    const { channel, mechanisms } = learned;
    return { channel, mechanisms };
  }

  /** The method that took a password last time; undefined if none did, or nothing is known. */
  get passwordMethod(): PasswordContext["method"] | undefined {
    return PASSWORD_METHODS.find((method) => method === this.#learned?.method);
  }

  /** Whether the server is known to be of a version that knows more curves than P-256. */
  get knowsX25519(): boolean {
    const version = this.#learned?.serverVersion.number;
    return version !== undefined && version >= FIRST_WITH_X25519;
  }

  /** Remembers how the start-up went. */
  learn(start: SessionStart): void {
    this.#memory.endpoints.learn(this.#name, start);
  }

  /** Forgets an endpoint that did something else. */
  forget(): void {
    this.#memory.endpoints.forget(this.#name);
  }
}
