import {
  L_CAT,
  PROHIBITED,
  RAND_AL_CAT,
  TO_NOTHING,
  TO_SPACE,
  UNASSIGNED,
} from "./saslprep_tables.ts";

/**
 * Prepares a password for SCRAM as PostgreSQL does on both sides (src/common/saslprep.c); a
 * password it cannot prepare is used as it is.
 *
 * It is SASLprep (RFC 4013) with PostgreSQL's two deviations: passwords in ASCII are not checked at
 * all, and what is prohibited, unassigned or of mixed direction is looked for before normalization,
 * not after.
 *
 * @param password The password's octets, in any encoding.
 * @returns The octets to derive keys from: always a copy.
 */
export function saslprep(password: Uint8Array): Uint8Array {
  if (password.every((octet) => octet < 0x80)) return new Uint8Array(password);
  const text = decodeUtf8(password);
  if (text === undefined) return new Uint8Array(password);
  const mapped = mapCharacters(text);
  if (mapped.length === 0 || hasForbidden(mapped) || hasMixedDirection(mapped)) {
    return new Uint8Array(password);
  }
  const joined = mapped.map((codePoint) => String.fromCodePoint(codePoint)).join("");
  return new TextEncoder().encode(joined.normalize("NFKC"));
}

/** Undefined if the octets are not UTF-8. */
function decodeUtf8(octets: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets);
  } catch {
    // PostgreSQL's rule, not a failure: such a password is used as it is.
    return undefined;
  }
}

/** Step 1 of RFC 4013: U+200B is in both tables, and PostgreSQL looks for spaces first. */
function mapCharacters(text: string): readonly number[] {
  const mapped: number[] = [];
  for (const character of text) {
    const codePoint = character.codePointAt(0) ?? 0;
    if (TO_SPACE.has(codePoint)) mapped.push(0x20);
    else if (!TO_NOTHING.has(codePoint)) mapped.push(codePoint);
  }
  return mapped;
}

function hasForbidden(codePoints: readonly number[]): boolean {
  return codePoints.some((codePoint) => PROHIBITED.has(codePoint) || UNASSIGNED.has(codePoint));
}

/**
 * RFC 3454 section 6: right-to-left text has no left-to-right character, and begins and ends right
 * to left.
 */
function hasMixedDirection(codePoints: readonly number[]): boolean {
  if (!codePoints.some((codePoint) => RAND_AL_CAT.has(codePoint))) return false;
  const first = codePoints[0] ?? 0;
  const last = codePoints[codePoints.length - 1] ?? 0;
  return !RAND_AL_CAT.has(first) || !RAND_AL_CAT.has(last) ||
    codePoints.some((codePoint) => L_CAT.has(codePoint));
}
