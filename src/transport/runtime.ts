/**
 * Which runtime this is and on what system it runs: asked once, here.
 *
 * On Deno `process`, `Buffer`, `setImmediate` and even `setTimeout` of `globalThis` are getters, and the first of them that
 * is asked for loads Deno's compatibility with Node: 12 to 40 ms, more than all of this library takes. So nothing here
 * asks for them there; only what is for `node:` modules anyway may, and who sets a deadline.
 */

/** The parts of Node's and Bun's `process` used here, as far as they are used. */
export interface NodeProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  readonly versions?: { readonly node?: string; readonly openssl?: string };
  geteuid?(): number;
  hrtime?(): [seconds: number, nanoseconds: number];
  /** Of Node's permission model, if that is on. */
  readonly permission?: { has(scope: string, reference: string): boolean };
  /** Gives Node's own modules, from 20.16 on. */
  getBuiltinModule?(name: "node:crypto"): typeof import("node:crypto");
  getBuiltinModule?(name: "node:fs"): typeof import("node:fs");
  getBuiltinModule?(name: "node:tls"): typeof import("node:tls");
}

const scope = globalThis as unknown as {
  readonly Deno?: { readonly build: { readonly os: string } };
  readonly process?: NodeProcess;
  readonly setImmediate?: (run: () => void) => unknown;
};

export const ON_DENO: boolean = "Deno" in globalThis;
export const ON_BUN: boolean = "Bun" in globalThis;

/** That of Node and Bun. */
export const nodeProcess: NodeProcess | undefined = ON_DENO ? undefined : scope.process;

export const ON_NODE: boolean = !ON_DENO && !ON_BUN && nodeProcess?.versions?.node !== undefined;

const system: string | undefined = ON_DENO ? scope.Deno?.build.os : nodeProcess?.platform;

export const ON_WINDOWS: boolean = system === "windows" || system === "win32";
/** Whether the kernel is Linux. */
export const ON_LINUX: boolean = system === "linux" || system === "android";

/**
 * Milliseconds since some point in the past, for durations. On Node not by `performance`, which takes 2 ms to load.
 */
export const now: () => number = ON_NODE ? nodeNow : () => performance.now();

function nodeNow(): number {
  const [seconds = 0, nanoseconds = 0] = nodeProcess?.hrtime?.() ?? [];
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** More than there are functions that wait for one another between a session and whoever asked for it. */
const TURNS = 32;

/**
 * Runs something when whoever waits for what is done now has gone on: when all that is ready to run has run, or, on Deno, so
 * many turns of its promises later. Its timers are Node's, and take 12 ms to load.
 */
export function soon(run: () => void): void {
  if (ON_DENO) void afterTurns(run);
  else if (scope.setImmediate === undefined) setTimeout(run, 0);
  else scope.setImmediate(run);
}

async function afterTurns(run: () => void): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await undefined;
  run();
}
