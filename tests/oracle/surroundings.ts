/** Makes surroundings for the look-up of parameters: what is given, an environment, and service files. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { keywordInfo, KEYWORDS } from "../../src/settings/keyword_reference.ts";
import type { Keyword } from "../../src/settings/keywords.ts";
import type { ParameterObject } from "../../src/settings/object_parameters.ts";
import type { Prng } from "../support/prng.ts";
import type { Environment } from "./libpq.ts";

/** Everything that bears on one look-up. */
export interface Surroundings {
  readonly explicit: ParameterObject;
  readonly environment: Environment;
  /** By path. */
  readonly files: ReadonlyMap<string, string>;
}

const NAMES = ["a", "b", "ab", "", "none", "a]"];
/** No commas: lists of different lengths would be refused before what is asked here. */
const VALUES = [
  "",
  "x",
  "1",
  "require",
  "h1",
  "a b",
  "caf\u00e9",
  "system",
  "'q'",
  "a=b",
  "/nowhere",
  "5433",
];
const COMMON: readonly Keyword[] = [
  "host",
  "port",
  "user",
  "dbname",
  "sslmode",
  "sslrootcert",
  "passfile",
];

function keyOf(prng: Prng): Keyword {
  const keyword = prng.below(2) === 0 ? prng.pick(COMMON) : prng.pick(KEYWORDS).keyword;
  return keyword === "service" && prng.below(3) > 0 ? "options" : keyword;
}

/**
 * One of very many.
 *
 * @param prng Chance.
 * @param folder Where the files are to be; home and system directories are made in it.
 */
export function surroundingsOf(prng: Prng, folder: string): Surroundings {
  const home = join(folder, "home");
  const system = join(folder, "system");
  for (const path of [home, system]) mkdirSync(path, { recursive: true });
  const environment: Record<string, string> = { HOME: home };
  const files = new Map<string, string>();
  const explicit: { [K in Keyword]?: string } = {};
  for (let left = prng.below(4); left > 0; left--) {
    const keyword = keyOf(prng);
    if (keyword !== "service" && keyword !== "require_auth") {
      explicit[keyword] = explicitValue(keyword, prng);
    }
  }
  for (let left = prng.below(8); left > 0; left--) {
    const { environment: name = "PGREQUIRESSL" } = keywordInfo(keyOf(prng));
    if (name !== "PGSERVICE") environment[name] = prng.pick(VALUES);
  }
  if (prng.below(3) > 0) {
    if (prng.below(2) === 0) explicit.service = prng.pick(NAMES);
    if (prng.below(2) === 0) environment["PGSERVICE"] = prng.pick(NAMES);
    if (prng.below(2) === 0) environment["PGSYSCONFDIR"] = system;
    if (prng.below(3) === 0) {
      environment["PGSERVICEFILE"] = join(folder, prng.pick(["own", "own", "absent"]));
    }
    for (
      const path of [
        join(home, ".pg_service.conf"),
        join(system, "pg_service.conf"),
        join(folder, "own"),
      ]
    ) {
      if (prng.below(3) > 0) files.set(path, serviceFile(prng));
    }
  }
  return { explicit, environment, files };
}

function explicitValue(keyword: Keyword, prng: Prng): string {
  const isNested = keyword === "dbname" && prng.below(2) === 0;
  return isNested
    ? prng.pick([
      "host=h2 user='u 2'",
      "postgres://u3@h3:6000/d3?sslmode=allow",
      "dbname='host=h4' port=''",
      "service=a",
      "broken = 'x",
      "nothing=1",
      "postgres://h?service=b",
    ])
    : prng.pick(VALUES);
}

function serviceFile(prng: Prng): string {
  const lines = Array.from({ length: prng.below(12) }, () => {
    switch (prng.below(8)) {
      case 0:
      case 1:
        return prng.pick([
          "[a]",
          "[a]",
          "[b]",
          "[ab]",
          "[]",
          " [a]\t",
          "[a]x",
          "[b",
          "[ a]",
          "[a]]",
        ]);
      case 2:
        return prng.pick(["", "  ", "# c", "  # [a]", "#host=h"]);
      case 3:
        return prng.below(4) === 0 ? longLine(prng) : "port=7";
      case 4:
        return prng.below(4) === 0
          ? prng.pick([
            "host = x",
            "broken",
            "service=b",
            "nothing=1",
            "=x",
            "Host=x",
            "requiressl=1",
          ])
          : "user=u1";
      default:
        return `${prng.pick(["", " "])}${plainKey(prng)}=${prng.pick(VALUES)}${
          prng.pick(["", " ", "\r", "\v"])
        }`;
    }
  });
  return lines.join("\n") + prng.pick(["", "\n"]);
}

function plainKey(prng: Prng): Keyword {
  const keyword = keyOf(prng);
  return keyword === "service" || keyword === "require_auth" ? "port" : keyword;
}

/** Around the 1022 octets libpq's buffer takes. */
function longLine(prng: Prng): string {
  const length = 1019 + prng.below(6);
  const start = prng.pick(["#", "options="]);
  const middle = prng.pick(["x", "\u00e9"]);
  return `${start}${middle}`.padEnd(length - (middle === "x" ? 0 : 1), "y");
}
