/** How much of a JSON text is read, and which of its members are wanted. */
export interface JsonRules {
  /** The most octets. */
  readonly maxOctets: number;
  /** How deep objects and arrays may lie in each other; the object itself is 1. */
  readonly maxDepth: number;
}

/** The members of an object, by name; looked at one by one. */
export type JsonObject = ReadonlyMap<string, unknown>;

/** Why a text is not the object it should be; without a word of the text, which is somebody else's. */
export class JsonProblem extends Error {}

/**
 * Reads the JSON object (RFC 8259) of somebody who is not trusted: bounded, in UTF-8, no member twice at its top.
 *
 * @throws {JsonProblem} If it is anything else.
 */
export function readJsonObject(octets: Uint8Array, rules: JsonRules): JsonObject {
  const { maxOctets, maxDepth } = rules;
  if (octets.length > maxOctets) {
    throw new JsonProblem(`it has ${octets.length} octets, it must have at most ${maxOctets}`);
  }
  if (octets.includes(0)) throw new JsonProblem("it holds a zero octet");
  const text = decoded(octets);
  judgeShape(text, maxDepth);
  const value = parsed(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new JsonProblem("it is no JSON object");
  }
  return new Map(Object.entries(value));
}

/**
 * A member that must be a text if it is there.
 *
 * @throws {JsonProblem} If it is no text, or holds a zero octet or half of a character.
 */
export function textMember(object: JsonObject, name: string): string | undefined {
  const value = object.get(name);
  if (value === undefined) return undefined;
  if (typeof value !== "string") throw new JsonProblem(`"${name}" is no text`);
  if (value.includes("\0") || !value.isWellFormed()) {
    throw new JsonProblem(`"${name}" holds what is no text`);
  }
  return value;
}

function decoded(octets: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets);
  } catch {
    throw new JsonProblem("it is not UTF-8");
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text.
    throw new JsonProblem("it is no JSON");
  }
}

/**
 * A text in quotes, a bracket, a colon or comma, or a run of anything else. A text that lacks its second quote reaches to
 * the end: looking for it anew from every quote inside would take the square of the time.
 */
const TOKEN = /"(?:[^"\\]|\\.)*"?|[{}[\],:]|[^\s{}[\],:"]+/gsu;

/**
 * What JSON.parse does not tell: how deep it goes, and names that come twice. Meaningful only for what JSON.parse takes,
 * harmless for the rest.
 */
function judgeShape(text: string, maxDepth: number): void {
  const names = new Set<string>();
  let depth = 0;
  let last = "";
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") depth += 1;
    else if (token === "}" || token === "]") depth -= 1;
    if (depth > maxDepth) {
      throw new JsonProblem(`its values lie more than ${maxDepth} deep in each other`);
    }
    if (token === ":" && depth === 1 && last.startsWith('"')) {
      const name = parsed(last) as string;
      if (names.has(name)) throw new JsonProblem("a member is there twice");
      names.add(name);
    }
    last = token;
  }
}
