/**
 * libpq itself, called in this process by foreign functions, as the judge of what we say about connection parameters.
 * It comes with the PostgreSQL server of the live tests, so its version is that of the machine `postgres-18`.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isKeyword, type Keyword } from "../../src/settings/keywords.ts";
import type { ConnectionParameters } from "../../src/settings/parameters.ts";
import { machine, MachineUnavailable } from "../support/machines.ts";

/** What libpq makes of a text or of parameters. */
export type Verdict =
  | { readonly accepted: true; readonly values: ConnectionParameters }
  | { readonly accepted: false; readonly message: string };

/** Environment variables that stand for the whole environment while libpq is called. */
export type Environment = Readonly<Record<string, string>>;

/** Keywords and values as `PQconnectdbParams` takes them; a keyword may come twice. */
export type Pairs = readonly (readonly [string, string])[];

/** PQconninfoOption of libpq-fe.h in words of 64 bits: six pointers and an integer. */
const WORDS = 7;
const KEYWORD = 0;
const COMPILED = 2;
const VALUE = 3;
/** The options of libpq 18 and the entry without a keyword that ends them. */
const OPTIONS = 51;

/** The value of `require_auth` that is given where libpq must stop before it connects to anything. */
export const POISON = "poison";

/** The functions of libpq that are asked here. */
export interface Libpq {
  /** `PQconninfoParse`: reads a connection string, without any default. */
  parse(text: string): Verdict;
  /** `PQconndefaults`: service file, environment and compiled defaults; mistakes in a service are ignored. */
  defaults(environment: Environment): ConnectionParameters;
  /** The compiled defaults of `PQconndefaults`. */
  compiled(): ConnectionParameters;
  /** `PQconnectStartParams` with `expand_dbname` up to what comes before `require_auth` is judged, then `PQconninfo`. */
  gather(pairs: Pairs, environment: Environment): Verdict;
  /** The same, then `PQpass`: the octets found in the password file, for the first host of the list. */
  password(pairs: Pairs, environment: Environment): Uint8Array;
  /** `PQconnectStartParams`: "" if libpq had nothing against the values, else its message. */
  begin(pairs: Pairs, environment: Environment): string;
}

/**
 * Loads libpq.
 *
 * @returns Why it is not there on a platform without that server.
 */
export async function loadLibpq(): Promise<Libpq | string> {
  try {
    const { folder = "" } = await machine("postgres-18");
    return await bind(join(folder, "native", "lib"));
  } catch (error) {
    if (error instanceof MachineUnavailable) return error.message;
    throw error;
  }
}

async function bind(folder: string): Promise<Libpq> {
  const { default: koffi } = await import("koffi");
  const file = readdirSync(folder).find((name) =>
    /^libpq(\.so\.5\.\d+|\.5\.\d+\.dylib)$/.test(name)
  );
  if (file === undefined) throw new Error(`Cannot find libpq in "${folder}"`);
  const library = koffi.load(join(folder, file));
  const conninfoParse = library.func("void *PQconninfoParse(const char *text, _Out_ void **error)");
  const conninfoFree = library.func("void PQconninfoFree(void *options)");
  const freemem = library.func("void PQfreemem(void *memory)");
  const conndefaults = library.func("void *PQconndefaults(void)");
  const connectStart = library.func(
    "void *PQconnectStartParams(const char **keywords, const char **values, int expand)",
  );
  const conninfo = library.func("void *PQconninfo(void *connection)");
  const pass = library.func("void *PQpass(void *connection)");
  const status = library.func("int PQstatus(void *connection)");
  const errorMessage = library.func("const char *PQerrorMessage(void *connection)");
  const finish = library.func("void PQfinish(void *connection)");

  const words = (address: bigint, count: number): BigUint64Array =>
    new BigUint64Array(koffi.view(address, count * 8));
  const textAt = (address: bigint): string => koffi.decode(address, "char", -1);
  const octetsAt = (address: bigint): Uint8Array => {
    const octets: number[] = [];
    for (let at = 0n;; at++) {
      const octet: number = koffi.decode.uint8(address + at);
      if (octet === 0) return Uint8Array.from(octets);
      octets.push(octet);
    }
  };

  /** Reads one column of a list of options, and frees the list. */
  const optionsOf = (list: bigint, column: number): ConnectionParameters => {
    const table = words(list, OPTIONS * WORDS);
    const values: { [K in Keyword]?: string } = {};
    for (let row = 0; row < OPTIONS; row++) {
      const name = table[row * WORDS + KEYWORD] ?? 0n;
      const value = table[row * WORDS + column] ?? 0n;
      if (name === 0n || value === 0n) continue;
      const keyword = textAt(name);
      if (!isKeyword(keyword)) throw new Error(`Cannot place libpq's option "${keyword}"`);
      values[keyword] = textAt(value);
    }
    conninfoFree(list);
    return values;
  };

  const process = koffi.load(null);
  const environ: bigint = globalThis.process.platform === "darwin"
    ? process.func("void *_NSGetEnviron(void)")()
    : process.symbol("environ");

  /**
   * Lets the C library see another environment for one call. One pointer is exchanged and put back, which other
   * threads survive; `setenv` could free what they are reading.
   */
  const within = <Result>(environment: Environment, call: () => Result): Result => {
    const entries = Object.entries(environment).map(([name, value]) =>
      new TextEncoder().encode(`${name}=${value}\0`)
    );
    const block: bigint = koffi.alloc("void *", entries.length + 1);
    const pointers = words(block, entries.length + 1);
    const texts = entries.map((octets): bigint => {
      const memory: bigint = koffi.alloc("char", octets.length);
      new Uint8Array(koffi.view(memory, octets.length)).set(octets);
      return memory;
    });
    texts.forEach((memory, index) => pointers[index] = memory);
    pointers[entries.length] = 0n;
    const cell = words(environ, 1);
    const own = cell[0] ?? 0n;
    cell[0] = block;
    try {
      return call();
    } finally {
      cell[0] = own;
      for (const memory of [...texts, block]) koffi.free(memory);
    }
  };

  const connection = <Result>(
    pairs: Pairs,
    environment: Environment,
    use: (connection: bigint) => Result,
  ): Result =>
    within(environment, () => {
      const keywords = [...pairs.map(([keyword]) => keyword), null];
      const values = [...pairs.map(([, value]) => value), null];
      const opened: bigint = connectStart(keywords, values, 1);
      try {
        return use(opened);
      } finally {
        finish(opened);
      }
    });

  return {
    parse(text): Verdict {
      const error: [bigint | null] = [null];
      const list: bigint | null = conninfoParse(text, error);
      if (list !== null) return { accepted: true, values: optionsOf(list, VALUE) };
      const [address] = error;
      const message = address === null ? "" : textAt(address);
      freemem(address);
      return { accepted: false, message };
    },
    defaults: (environment) =>
      within(environment, () => optionsOf(conndefaults() as bigint, VALUE)),
    compiled: () => within({}, () => optionsOf(conndefaults() as bigint, COMPILED)),
    gather: (pairs, environment) =>
      connection([...pairs, ["require_auth", POISON]], environment, (opened): Verdict => {
        const message: string = errorMessage(opened);
        if (!message.includes(POISON)) return { accepted: false, message };
        return { accepted: true, values: optionsOf(conninfo(opened) as bigint, VALUE) };
      }),
    password: (pairs, environment) =>
      connection(
        [...pairs, ["require_auth", POISON]],
        environment,
        (opened) => octetsAt(pass(opened) as bigint),
      ),
    begin: (pairs, environment) =>
      connection(pairs, environment, (opened) => {
        const CONNECTION_BAD = 1;
        if (status(opened) !== CONNECTION_BAD) return "";
        const message: string = errorMessage(opened);
        return message.split("\n").every((line) =>
            line === "" || line.startsWith("\t") || isNobody(line)
          )
          ? ""
          : message;
      }),
  };
}

/** Nobody is there to connect to: the values were all fine. */
function isNobody(line: string): boolean {
  return /^connection to server .* failed: (No such file or directory|Connection refused)$/.test(
    line,
  );
}
