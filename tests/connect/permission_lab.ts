/** Runs connections in a Deno of their own, with exactly the permissions a test gives. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { encodeBackend } from "../../src/wire/backend.ts";
import { execute } from "../support/execute.ts";
import { type Script, startScripted } from "../support/servers.ts";
import { join as joinOctets } from "../support/vectors.ts";
import { GREETING } from "./fake_server.ts";
import type { Permitted } from "./permitted.ts";

/** Why a test of permissions is skipped; false on Deno. */
export const SKIP: string | false = "Deno" in globalThis ? false : "runs on Deno only";
/** `.ts` even in the compiled tests: Deno runs what stands in the repository only. */
const CHILD = fileURLToPath(new URL("./permitted.ts", import.meta.url));
const LIMIT_MS = 60_000;

/** What lets a client in. */
export const LET_IN: Uint8Array = joinOctets(...GREETING.map(encodeBackend));
/** Lets the client in. */
export const PLAIN: Script = [{ expect: "packet" }, { send: LET_IN }, { wait: true }];
/** The same, inside TLS. */
export const TLS: Script = [
  { expect: "packet" },
  { send: "53" },
  { tls: "server" },
  { expect: "packet" },
  { send: LET_IN },
  { wait: true },
];
/** Asks for a cleartext password first. */
export const PASSWORD: Script = [
  { expect: "packet" },
  { send: "52 00000008 00000003" },
  { expect: "message" },
  { send: LET_IN },
  { wait: true },
];

/** What a child is given besides its target. */
export interface Circumstances {
  readonly flags: readonly string[];
  /** Added to our environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What to do with the session. */
  readonly then?: "cancel";
}

/** How a child's connection went, and every permission it made use of, or would have asked for. */
export interface Ran extends Permitted {
  readonly used: readonly string[];
}

/** A place of a test's own, whose name Deno's lists of paths can hold. */
export async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "pg-handshake-permissions-"));
  try {
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs a child on Deno. */
export async function connectIn(
  folder: string,
  target: Readonly<Record<string, string | number>>,
  { flags, environment = {}, then }: Circumstances,
): Promise<Ran> {
  const audit = join(folder, "audit.jsonl");
  rmSync(audit, { force: true });
  const { code, output } = await execute(process.execPath, [
    "run",
    "--no-prompt",
    "--no-check",
    "--quiet",
    ...flags,
    CHILD,
    JSON.stringify(target),
    ...(then === undefined ? [] : [then]),
  ], {
    limitMs: LIMIT_MS,
    environment: {
      ...process.env,
      NO_COLOR: "1",
      DENO_AUDIT_PERMISSIONS: audit,
      ...environment,
    },
  });
  const line = output.split("\n").find((text) => text.startsWith("{"));
  assert.ok(code === 0 && line !== undefined, `the child ended with ${code}: ${output}`);
  const text = existsSync(audit) ? readFileSync(audit, "utf8") : "";
  const used = text.split("\n").filter((entry) => entry !== "").map((entry) => {
    const { permission, value } = JSON.parse(entry) as { permission: string; value: string };
    return `${permission} ${value}`;
  });
  return { ...JSON.parse(line) as Permitted, used: [...new Set(used)].sort() };
}

/** Starts a server for a test and a folder beside it. */
export function withServer(
  script: Script,
  run: (port: number, folder: string, received: () => string) => Promise<void>,
): () => Promise<void> {
  return () =>
    withFolder(async (folder) => {
      const server = await startScripted(script);
      const received = (): string =>
        server.received().map((octets) => new TextDecoder("latin1").decode(octets)).join("");
      try {
        await run(server.port, folder, received);
      } finally {
        await server.close();
      }
    });
}

/** Asserts that the child had a session. */
export function succeeded(ran: Ran): void {
  assert.deepEqual(ran.parameters, ["server_version"], ran.message);
}
