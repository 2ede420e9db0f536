/** The cases of `tests/hostile/corpus_*.json`: what a hostile server does, octet by octet, and what must come of it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LegacyAuth } from "../../src/auth/legacy.ts";
import type { ErrorCode, Phase } from "../../src/errors.ts";
import { type CaseTls, type HandshakeCase, scriptOf } from "../handshake/vector_case.ts";
import { repositoryRoot } from "../support/repository.ts";

/** Messages, octets or named flights, as in `tests/vectors/handshake.json`. */
export type Flight = Extract<HandshakeCase["server"][number], readonly unknown[]>;

/**
 * What the server does next: sends a flight; `"<Name"` takes the client's next message, which must be of that name;
 * `"end"` closes its side; `"break"` resets the connection; `"silence"` says nothing until the client's deadline.
 */
export type ServerStep = Flight | string;

/** What TLS does on every connection of the case: reports these facts, or fails. */
export type HostileTls = CaseTls | { readonly breaks: "tls-failed" | "certificate-untrusted" };

/** What must come of a case. */
export type HostileOutcome =
  | {
    readonly fail: ErrorCode;
    readonly phase: Phase;
    readonly sqlState?: string;
    readonly includes?: readonly string[];
    readonly notIncludes?: readonly string[];
  }
  | {
    readonly session: {
      readonly method: string;
      readonly channelBound?: boolean;
      readonly protocolVersion?: string;
      readonly parameters?: Readonly<Record<string, string>>;
      readonly serverVersion?: number;
      readonly transactionStatus?: string;
      readonly notices?: number;
    };
  };

/** One attack. */
export interface HostileCase {
  /** Unique among all files. */
  readonly name: string;
  /** The CVE, or the place in our protocol sheet. */
  readonly source: string;
  /** The group it stands under in the README. */
  readonly attack: string;
  /** What the user asks for, over {@link BASE}; null leaves a setting out. */
  readonly settings?: Readonly<Record<string, string | null>>;
  /** A whole connection string in place of settings. */
  readonly target?: string;
  readonly options?: {
    readonly allowCleartextPassword?: boolean;
    readonly maxScramIterations?: number;
    readonly minScramIterations?: number;
    /** A token to send; null asks the server where to get one, and then has none. */
    readonly bearerToken?: string | null;
    readonly allowLegacyAuth?: readonly LegacyAuth[];
  };
  /** Whether there is a GSSAPI provider, which authenticates and does not encrypt. */
  readonly gss?: true;
  readonly tls?: HostileTls;
  /** What the server does on each connection; there must be no more connections than these. */
  readonly server: readonly (readonly ServerStep[])[];
  readonly outcome: HostileOutcome;
  /** Exactly what the client sends on each connection; `TLS` stands where the channel changes. */
  readonly sent: readonly (readonly string[])[];
  /** What must not be sent: the point of the case, said twice. `plaintext X` is an X before `TLS`. */
  readonly mustNotSend?: readonly string[];
  /** The most octets the client's deframer may hold at any time; {@link MAX_HELD} unless given. */
  readonly heldAtMost?: number;
  /** The most octets the client may take from its sockets before it gives up. */
  readonly takenAtMost?: number;
  /** The password goes out in clear, as the user allowed. */
  readonly clearAllowed?: true;
  /** The phase where the flights are cut: surplus octets are found by the socket then, not by the machine. */
  readonly cutPhase?: Phase;
  /** Octets behind `N`, which in a chunk of their own are an answer like any other: played whole only. */
  readonly wholeOnly?: true;
}

/** What every case begins with: another machine, and a password that must not get out. */
export const BASE: Readonly<Record<string, string>> = {
  host: "192.0.2.1",
  user: "u",
  dbname: "d",
  password: "pencil",
  sslmode: "disable",
};

/** The group of cases that stand in no file; thousands of them are played, so their errors are not printed in full. */
export const GENERATED = "every word at every state, under every policy";

/** One message of the greatest length legal before AuthenticationOk, its type octet included. */
export const MAX_HELD = 30_001;

const FOLDER = join(repositoryRoot(), "tests", "hostile");

/**
 * Every written case, in the order of files and of cases in them.
 *
 * @throws {Error} If a case lacks a name, a source or a group, or two have one name.
 */
export function hostileCases(): readonly HostileCase[] {
  const files = readdirSync(FOLDER).filter((file) => /^corpus_.*\.json$/.test(file)).sort();
  const cases = files.flatMap((file) => casesIn(file));
  const seen = new Set<string>();
  for (const { name, source, attack } of cases) {
    if (!name || !source || !attack) throw new Error(`Case "${name}" lacks name, source or attack`);
    if (seen.has(name)) throw new Error(`Case "${name}" is there twice`);
    seen.add(name);
  }
  return cases;
}

function casesIn(file: string): readonly HostileCase[] {
  const text = readFileSync(join(FOLDER, file), "utf8");
  return (JSON.parse(text) as { readonly cases: readonly HostileCase[] }).cases;
}

/** Which cases belong to which attack, for the table in the README. */
export function casesByAttack(
  cases: readonly HostileCase[],
): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const { attack, name } of cases) {
    const names = groups.get(attack) ?? [];
    names.push(name);
    groups.set(attack, names);
  }
  return groups;
}

/** The octets of a flight. */
export function octetsOfFlight(flight: Flight): Uint8Array {
  const { flights } = scriptOf({
    name: "-",
    source: "-",
    server: [flight],
    outcome: { waits: "negotiate" },
  });
  const [octets] = flights;
  if (octets === undefined || octets === "end") throw new Error("A flight must have octets");
  return octets;
}
