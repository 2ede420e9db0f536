const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const GROUP = /^[0-9A-Fa-f]{1,4}$/;
// A zone goes to the operating system: an interface's name or number.
const ZONE = /^[0-9A-Za-z._~-]+$/;

/**
 * Whether a text is an IPv4 address as four decimal numbers or an IPv6 address (RFC 4291 section 2.2, with an
 * optional zone of RFC 4007). The short, octal and hexadecimal IPv4 forms of `inet_aton` are not taken.
 */
export function isIpLiteral(text: string): boolean {
  return IPV4.test(text) || isIpv6Literal(text);
}

function isIpv6Literal(text: string): boolean {
  const percent = text.indexOf("%");
  if (percent >= 0) {
    return ZONE.test(text.slice(percent + 1)) && isIpv6Literal(text.slice(0, percent));
  }
  const halves = text.split("::");
  const [before = "", after] = halves;
  if (halves.length > 2) return false;
  if (after === undefined) return groupCount(before, true) === 8;
  const first = before === "" ? 0 : groupCount(before, false);
  const second = after === "" ? 0 : groupCount(after, true);
  return first !== undefined && second !== undefined && first + second <= 7;
}

/** How many 16-bit groups a list names; undefined if it is none. The last may be IPv4, which counts as two. */
function groupCount(list: string, mayEndInIpv4: boolean): number | undefined {
  const groups = list.split(":");
  const last = groups[groups.length - 1] ?? "";
  const endsInIpv4 = mayEndInIpv4 && IPV4.test(last);
  const hex = endsInIpv4 ? groups.slice(0, -1) : groups;
  return hex.every((group) => GROUP.test(group)) ? hex.length + (endsInIpv4 ? 2 : 0) : undefined;
}
