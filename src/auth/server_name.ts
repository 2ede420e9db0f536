import { readCertificate } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import { equalOctets } from "./constant_time.ts";
import { showText } from "./display.ts";
import { parseIpAddress, showIpAddress } from "./ip_address.ts";

/** Whether a certificate is the host's; if not, the names it holds (escaped) and why. */
export type NameMatch =
  | { readonly ok: true }
  | { readonly ok: false; readonly presented: readonly string[]; readonly reason: string };

/** The longest host name of DNS in text form, for messages. */
const MAX_SHOWN_NAME = 253;

/**
 * Compares a server certificate with the host by libpq's rules for sslmode=verify-full.
 *
 * subjectAltName entries of the host's kind suppress the common name. An IP literal may match an
 * iPAddress entry or the text of a dNSName entry. A wildcard is a whole leftmost label and stands
 * for exactly one, never in an IP address. Letters compare without case in ASCII.
 *
 * Stricter than libpq: a dNSName with a zero octet or an iPAddress of odd length refuses the
 * certificate even if another entry would have matched before, and IPv4 literals are four decimal
 * numbers only.
 *
 * @param certificate The server's own certificate as DER.
 * @param host A DNS name, or an IP literal without brackets.
 * @throws {MessageFormatError} If the certificate is malformed.
 */
export function matchServerName(certificate: Uint8Array, host: string): NameMatch {
  const read = readCertificate(certificate);
  const address = parseIpAddress(host);
  const commonName = fallbackName(read, address !== undefined);
  const texts = commonName === undefined ? read.dnsNames : [...read.dnsNames, commonName];
  const presented = presentedNames(read, texts);
  const refuse = (reason: string): NameMatch => ({ ok: false, presented, reason });

  if (host === "") return refuse("host name must be specified for a verified SSL connection");
  if (texts.some((name) => name.includes("\0"))) {
    return refuse("the certificate's name contains embedded null, it may be forged");
  }
  const odd = read.ipAddresses.find(({ length }) => length !== 4 && length !== 16);
  if (odd !== undefined) {
    return refuse(`certificate contains IP address with invalid length ${odd.length}`);
  }
  if (
    address !== undefined &&
    read.ipAddresses.some((presentedIp) => equalOctets(presentedIp, address))
  ) return { ok: true };
  if (texts.some((name) => matchesText(name, host, address === undefined))) return { ok: true };
  return refuse(mismatch(presented, host));
}

/**
 * The common name, where no entry of the host's kind suppresses it; libpq looks at the first one
 * only.
 */
function fallbackName(certificate: Certificate, hostIsAddress: boolean): string | undefined {
  const suppressed = hostIsAddress
    ? certificate.ipAddresses.length > 0
    : certificate.dnsNames.length > 0;
  return suppressed ? undefined : certificate.subjectCommonNames[0];
}

function matchesText(name: string, host: string, mayBeWildcard: boolean): boolean {
  const pattern = lowerAscii(name);
  const wanted = lowerAscii(host);
  if (pattern === wanted) return true;
  if (!mayBeWildcard || !pattern.startsWith("*.") || pattern.length < 3) return false;
  const dot = wanted.indexOf(".");
  return dot > 0 && wanted.slice(dot) === pattern.slice(1);
}

/**
 * Folds A to Z only: Unicode folding would make other letters equal, as the Kelvin sign and "k".
 */
function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function presentedNames(certificate: Certificate, texts: readonly string[]): readonly string[] {
  const addresses = certificate.ipAddresses.map((octets) =>
    showIpAddress(octets) ?? `an IP address of ${octets.length} octets`
  );
  return [...texts.map((text) => showText(text, MAX_SHOWN_NAME)), ...addresses];
}

function mismatch(presented: readonly string[], host: string): string {
  const shownHost = showText(host, MAX_SHOWN_NAME);
  const [first] = presented;
  if (first === undefined) {
    return `could not get server's host name from server certificate, it must be "${shownHost}"`;
  }
  const others = presented.length - 1;
  const more = others === 0 ? "" : ` (and ${others} other name${others === 1 ? "" : "s"})`;
  return `server certificate for "${first}"${more} does not match host name "${shownHost}"`;
}
