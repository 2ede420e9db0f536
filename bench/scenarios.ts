import { certificatePath, certificateText } from "../tests/support/certificates.ts";
import { PASSWORD, SCRAM_PASSWORD } from "../tests/support/postgres.ts";
import { DATABASE, HOST, type Place } from "./contenders/contender.ts";
import type { ContenderName } from "./contenders/table.ts";

/** One way to connect. */
export interface Scenario {
  readonly name: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly encryption: Place["encryption"];
}

const SCRAM = { user: "scram_user", password: SCRAM_PASSWORD } as const;

/** With TLS everybody verifies the certificate's chain and name (verify-full). */
export const SCENARIOS: readonly Scenario[] = [
  { name: "trust", user: "trust_user", password: undefined, encryption: "plain" },
  { name: "md5", user: "md5_user", password: PASSWORD, encryption: "plain" },
  { name: "SCRAM", ...SCRAM, encryption: "plain" },
  { name: "SSLRequest + SCRAM", ...SCRAM, encryption: "ssl-request" },
  { name: "direct + SCRAM", ...SCRAM, encryption: "direct" },
];

/** Those in which a process is started for every sample, which takes longer than what is measured. */
export const COLD_SCENARIOS: readonly Scenario[] = SCENARIOS.filter(({ name }) =>
  ["trust", "SCRAM", "SSLRequest + SCRAM"].includes(name)
);

/** The scenario at a server, or at a proxy in front of it. */
export function placeOf({ user, password, encryption }: Scenario, port: number): Place {
  const roots = certificateText("ca.crt");
  return { port, user, password, encryption, roots, rootsFile: certificatePath("ca.crt") };
}

/** The scenario in libpq's words. */
export function conninfoOf({ user, password, encryption }: Scenario, port: number): string {
  const tls = encryption === "plain"
    ? "sslmode=disable"
    : `sslmode=verify-full sslrootcert='${certificatePath("ca.crt")}'`;
  return [
    `host=${HOST} port=${port} user=${user} dbname=${DATABASE} gssencmode=disable`,
    ...(password === undefined ? [] : [`password=${password}`]),
    tls,
    // Older ones do not know the keyword.
    ...(encryption === "direct" ? ["sslnegotiation=direct"] : []),
  ].join(" ");
}

/** Whether somebody can do it in a way of their own; the others are left out. */
export function takesPart(contender: ContenderName, { encryption }: Scenario): boolean {
  switch (contender) {
    case "pgwire":
    case "Bun.sql":
      return encryption !== "direct";
    case "ours, unbound":
    case "ours, unbound, repeat":
      return encryption !== "plain";
    default:
      return true;
  }
}
