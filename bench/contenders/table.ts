import type { Contender } from "./contender.ts";

/** Who takes part; `libpq` is a program of its own. */
export type ContenderName =
  | "ours"
  | "ours, unbound"
  | "ours, repeat"
  | "ours, unbound, repeat"
  | "raw"
  | "raw, repeat"
  | "pg"
  | "postgres.js"
  | "pgwire"
  | "Bun.sql";

/** In the order they are shown. */
export const CONTENDERS: readonly ContenderName[] = [
  "raw",
  "ours",
  "ours, unbound",
  "raw, repeat",
  "ours, repeat",
  "ours, unbound, repeat",
  "pg",
  "postgres.js",
  "pgwire",
  "Bun.sql",
];

/** Loads one; a process loads no other, so that nobody pays for another's imports. */
export async function loadContender(name: ContenderName): Promise<Contender> {
  switch (name) {
    case "ours":
      return (await import("./ours.ts")).ours;
    case "ours, unbound":
      return (await import("./ours.ts")).oursUnbound;
    case "ours, repeat":
      return (await import("./ours_repeat.ts")).oursRepeat;
    case "ours, unbound, repeat":
      return (await import("./ours_repeat.ts")).oursUnboundRepeat;
    case "raw":
      return (await import("./raw.ts")).raw;
    case "raw, repeat":
      return (await import("./raw.ts")).rawRepeat;
    case "pg":
      return await (await import("./peers.ts")).pg();
    case "postgres.js":
      return await (await import("./peers.ts")).postgresJs();
    case "pgwire":
      return await (await import("./peers.ts")).pgwire();
    case "Bun.sql":
      return await (await import("./peers.ts")).bunSql();
  }
}
