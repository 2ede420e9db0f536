/** Every fuzz target by its name, and how many cases CI plays of it on each runtime. */
import { run as runCancel } from "./cancel.ts";
import { run as runCertificate } from "./certificate.ts";
import { run as runClient } from "./client.ts";
import { runBackend, runFrontend, runStartup } from "./codecs.ts";
import {
  run as runConnectionString,
  runFormat,
  runSettings,
  runSpoilt,
} from "./connection_string.ts";
import { run as runDeframer } from "./deframer.ts";
import { runBase64, runMd5, runSaslprep } from "./encodings.ts";
import { runEnvironment, runPassword, runService } from "./files.ts";
import type { Report } from "./fuzz.ts";
import { run as runPlan } from "./plan.ts";
import { run as runQuery } from "./query.ts";
import { run as runRequireAuth } from "./require_auth.ts";
import { run as runScram } from "./scram.ts";

/** One target. */
export interface NamedTarget {
  /** As `--target` takes it. */
  readonly name: string;
  /** Plays `cases` cases, the first with this seed, each further one with the next. */
  readonly run: (seed: number, cases: number) => Report;
  /** How many cases CI plays of it. */
  readonly cases: number;
  /** Kinds of end that must be met: chance that finds one only proves little. */
  readonly ends: readonly string[];
}

/** All targets. */
export const TARGETS: readonly NamedTarget[] = [
  {
    name: "backend",
    run: runBackend,
    cases: 6_000,
    ends: ["round trip", "read", "incomplete", "malformed-message", "protocol-violation"],
  },
  {
    name: "frontend",
    run: runFrontend,
    cases: 3_000,
    ends: ["round trip", "read", "incomplete", "malformed-message", "protocol-violation"],
  },
  {
    name: "startup",
    run: runStartup,
    cases: 3_000,
    ends: ["round trip", "read", "incomplete", "malformed-message"],
  },
  { name: "deframer", run: runDeframer, cases: 2_000, ends: ["whole", "more", "refused", "text"] },
  {
    name: "client",
    run: runClient,
    cases: 4_000,
    ends: [
      "finish",
      "malformed-message",
      "protocol-violation",
      "server-not-verified",
      "auth-forbidden",
      "cleartext-forbidden",
      "channel-binding",
      "scram-limit",
      "server-error",
      "connection-lost",
    ],
  },
  {
    name: "cancel",
    run: runCancel,
    cases: 3_000,
    ends: ["finish", "tls-refused", "protocol-violation", "certificate-untrusted"],
  },
  {
    name: "scram",
    run: runScram,
    cases: 4_000,
    ends: [
      "verified",
      "first malformed-message",
      "first server-not-verified",
      "final malformed-message",
      "final server-not-verified",
    ],
  },
  {
    name: "query",
    run: runQuery,
    cases: 3_000,
    ends: ["finish", "unfinished", "protocol-violation", "server-error", "misuse"],
  },
  { name: "plan", run: runPlan, cases: 6_000, ends: ["tried"] },
  {
    name: "connection-string",
    run: runConnectionString,
    cases: 3_000,
    ends: ["uri", "uri refused", "keyword/value", "refused"],
  },
  { name: "spoilt-secret", run: runSpoilt, cases: 3_000, ends: ["read", "refused"] },
  { name: "format", run: runFormat, cases: 2_000, ends: ["round trip"] },
  {
    name: "settings",
    run: runSettings,
    cases: 3_000,
    ends: ["settings", "refused", "object refused"],
  },
  {
    name: "service-file",
    run: runService,
    cases: 3_000,
    ends: ["read", "refused", "no section"],
  },
  { name: "password-file", run: runPassword, cases: 3_000, ends: ["found", "none", "changed"] },
  {
    name: "environment",
    run: runEnvironment,
    cases: 2_000,
    ends: ["gathered", "gathered with a service", "refused"],
  },
  {
    name: "require-auth",
    run: runRequireAuth,
    cases: 5_000,
    ends: ["positive", "negated", "refused"],
  },
  {
    name: "certificate",
    run: runCertificate,
    cases: 4_000,
    ends: ["made, matches", "made, does not match", "read", "refused"],
  },
  {
    name: "saslprep",
    run: runSaslprep,
    cases: 3_000,
    ends: ["as it is", "prepared", "changed"],
  },
  { name: "md5", run: runMd5, cases: 1_500, ends: ["answered"] },
  { name: "base64", run: runBase64, cases: 5_000, ends: ["read", "refused"] },
];

/**
 * The target of a name.
 *
 * @throws {Error} If there is none; the message lists them.
 */
export function targetOf(name: string): NamedTarget {
  const found = TARGETS.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = TARGETS.map((one) => one.name).join(", ");
  throw new Error(`Cannot fuzz "${name}": the targets are ${names}`);
}
