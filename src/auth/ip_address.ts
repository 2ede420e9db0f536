/**
 * Reads an IP literal: four decimal numbers without leading zeros (IPv4), or any text form of RFC
 * 4291 section 2.2 without zone and brackets (IPv6).
 *
 * @returns 4 or 16 octets in network order; undefined if the text is no IP literal.
 */
export function parseIpAddress(text: string): Uint8Array | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/**
 * Writes 4 or 16 octets as an IP literal, for display: IPv6 in groups, without compression.
 *
 * @returns The text; undefined for any other number of octets.
 */
export function showIpAddress(octets: Uint8Array): string | undefined {
  if (octets.length === 4) return octets.join(".");
  if (octets.length !== 16) return undefined;
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) {
    groups.push((((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0)).toString(16));
  }
  return groups.join(":");
}

/** A leading zero means octal to some resolvers and decimal to others, so such a text is none. */
function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  const valid = parts.length === 4 &&
    parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255);
  return valid ? Uint8Array.from(parts, Number) : undefined;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [left = "", right] = halves;
  // Embedded IPv4 can only be the end of the whole address.
  const head = parseGroups(left, right === undefined);
  const tail = right === undefined ? [] : parseGroups(right, true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  // "::" stands for at least one group.
  if (right === undefined ? missing !== 0 : missing < 2) return undefined;
  const octets = new Uint8Array(16);
  octets.set(head);
  octets.set(tail, 16 - tail.length);
  return octets;
}

/** The octets of groups between ":", the last of which may be IPv4 if they end the address. */
function parseGroups(text: string, endsAddress: boolean): readonly number[] | undefined {
  const octets: number[] = [];
  if (text === "") return octets;
  const groups = text.split(":");
  for (const [at, group] of groups.entries()) {
    if (group.includes(".")) {
      const embedded = parseIpv4(group);
      if (embedded === undefined || !endsAddress || at !== groups.length - 1) return undefined;
      octets.push(...embedded);
    } else {
      if (!/^[0-9A-Fa-f]{1,4}$/.test(group)) return undefined;
      const value = parseInt(group, 16);
      octets.push(value >> 8, value & 0xff);
    }
    if (octets.length > 16) return undefined;
  }
  return octets;
}
