/** What the demo shows: whom it connects as, in which ways, and what it gets wrong on purpose. */
import type { DemoTarget, DemoTask } from "./demo_report.ts";
import { PASSWORD, SCRAM_PASSWORD } from "./postgres_data.ts";

/** Where the demo's servers are, all on 127.0.0.1. */
export interface DemoPorts {
  /** The server with TLS. */
  readonly tls: number;
  /** The server without. */
  readonly noTls: number;
  /** Where nothing listens. */
  readonly closed: number;
}

/** One way to connect, and everybody who does. */
export interface Section {
  readonly title: string;
  /** The title in one word. */
  readonly short: string;
  /** The part of the URI behind "?". */
  readonly parameters: string;
  readonly targets: readonly DemoTarget[];
}

/** Something done wrong. */
export interface Mistake {
  readonly title: string;
  readonly target: DemoTarget;
}

const HOST = "127.0.0.1";
/** Relative to the repository, where the clients run, so that a target can be copied from the output. */
const CERTIFICATES = "tests/fixtures/certificates";
const VERIFIED = `sslmode=verify-full&sslrootcert=${CERTIFICATES}/ca.crt`;
const CONNECTS = 9;

const ROLES: readonly (readonly [user: string, password: string | undefined])[] = [
  ["trust_user", undefined],
  ["password_user", PASSWORD],
  ["md5_user", PASSWORD],
  ["scram_user", SCRAM_PASSWORD],
];

const WAYS: readonly (readonly [short: string, title: string, parameters: string])[] = [
  ["plain", "Plain", "sslmode=disable"],
  ["SSLRequest", "TLS, asked for by SSLRequest", VERIFIED],
  ["direct", "TLS from the first octet", `sslnegotiation=direct&${VERIFIED}`],
];

/** Every way to connect, each with every role. */
export function sections({ tls: port }: DemoPorts): readonly Section[] {
  return WAYS.map(([short, title, parameters]) => ({
    title,
    short,
    parameters,
    targets: ROLES.map(([user, password]) => ({
      id: `${user}, ${short}`,
      user,
      password,
      host: HOST,
      port,
      parameters,
    })),
  }));
}

/** Everything done wrong on purpose. */
export function mistakes(ports: DemoPorts): readonly Mistake[] {
  const right = {
    user: "scram_user",
    password: SCRAM_PASSWORD,
    host: HOST,
    port: ports.tls,
    parameters: VERIFIED,
  };
  const wrong: readonly (readonly [title: string, difference: Partial<DemoTarget>])[] = [
    ["a wrong password", { password: "guess" }],
    ["no password", { password: undefined }],
    ["a certificate of another authority", {
      parameters: `sslmode=verify-full&sslrootcert=${CERTIFICATES}/other-ca.crt`,
    }],
    ["a certificate for another name", {
      host: "db.example",
      parameters: `hostaddr=${HOST}&${VERIFIED}`,
    }],
    ["channel_binding=require without TLS", {
      parameters: "sslmode=disable&channel_binding=require",
    }],
    ["require_auth=scram-sha-256, and the server asks for MD5", {
      user: "md5_user",
      password: PASSWORD,
      parameters: `require_auth=scram-sha-256&${VERIFIED}`,
    }],
    ["sslmode=require, and the server has no TLS", {
      port: ports.noTls,
      parameters: "sslmode=require",
    }],
    ["a port where nothing listens", { port: ports.closed }],
    ["a misspelt keyword", { parameters: "sslmod=require" }],
  ];
  return wrong.map(([title, difference]) => ({
    title,
    target: { ...right, ...difference, id: title },
  }));
}

/** The connection that is written down: SCRAM with channel binding, TLS by SSLRequest. */
export function tracedTarget(ports: DemoPorts): DemoTarget {
  const target = sections(ports)[1]?.targets.at(-1);
  if (target === undefined) throw new Error("The demo has no connection to write down");
  return target;
}

/**
 * What a runtime is to do.
 *
 * @param traced Whether one connection is written down.
 */
export function taskFor(ports: DemoPorts, traced: boolean): DemoTask {
  return {
    connections: sections(ports).flatMap(({ targets }) => targets),
    refusals: mistakes(ports).map(({ target }) => target),
    traced: traced ? tracedTarget(ports) : undefined,
    rounds: CONNECTS,
  };
}
