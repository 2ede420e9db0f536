import { MessageFormatError } from "../errors.ts";
import { DER_TAG, DerReader, dottedOid } from "./der.ts";

/** What is read of a server's X.509 certificate: how it was signed, and whose it is. */
export interface Certificate {
  /** The dotted OID of the outer signatureAlgorithm. */
  readonly signatureAlgorithm: string;
  /** The dotted OID of the hash, given by the parameters of RSASSA-PSS only. */
  readonly pssHash?: string;
  /**
   * The common names of the subject, in order; zero characters are kept so that the name check sees
   * them.
   */
  readonly subjectCommonNames: readonly string[];
  /** The dNSName entries of subjectAltName, in order; zero characters are kept. */
  readonly dnsNames: readonly string[];
  /** The iPAddress entries of subjectAltName: 4 or 16 octets, if well made. */
  readonly ipAddresses: readonly Uint8Array[];
}

/** OpenSSL takes no certificate chain beyond 100 KiB (SSL_MAX_CERT_LIST_DEFAULT). */
const MAX_CERTIFICATE_OCTETS = 102_400;

const OID_COMMON_NAME = "2.5.4.3";
const OID_SUBJECT_ALT_NAME = "2.5.29.17";
const OID_RSASSA_PSS = "1.2.840.113549.1.1.10";
/** The default of RSASSA-PSS-params (RFC 4055). */
const OID_SHA1 = "1.3.14.3.2.26";

const TAG_VERSION = 0xa0;
const TAG_PSS_HASH = 0xa0;
const TAG_ISSUER_ID = 0x81;
const TAG_SUBJECT_ID = 0x82;
const TAG_EXTENSIONS = 0xa3;
const TAG_DNS_NAME = 0x82;
const TAG_IP_ADDRESS = 0x87;

/**
 * Reads the parts of a certificate (RFC 5280) that channel binding and the name check need. It
 * verifies nothing.
 *
 * @param der The whole certificate.
 * @throws {MessageFormatError} If it is malformed or larger than 100 KiB.
 */
export function readCertificate(der: Uint8Array): Certificate {
  if (der.length > MAX_CERTIFICATE_OCTETS) {
    throw malformed(`it has ${der.length} octets, the limit is ${MAX_CERTIFICATE_OCTETS}`);
  }
  const outer = new DerReader(der);
  const certificate = new DerReader(outer.expect(DER_TAG.SEQUENCE, "the certificate"));
  outer.end("the certificate");
  const body = certificate.expect(DER_TAG.SEQUENCE, "TBSCertificate");
  const algorithm = readAlgorithm(certificate.expect(DER_TAG.SEQUENCE, "signatureAlgorithm"));
  certificate.expect(DER_TAG.BIT_STRING, "signatureValue");
  certificate.end("signatureValue");
  return { ...algorithm, ...readBody(new DerReader(body)) };
}

function readAlgorithm(
  content: Uint8Array,
): Pick<Certificate, "signatureAlgorithm" | "pssHash"> {
  const reader = new DerReader(content);
  const oid = dottedOid(reader.expect(DER_TAG.OBJECT_IDENTIFIER, "the algorithm"));
  if (oid !== OID_RSASSA_PSS) return { signatureAlgorithm: oid };
  return { signatureAlgorithm: oid, pssHash: readPssHash(reader) };
}

function readPssHash(algorithm: DerReader): string {
  if (algorithm.left === 0) return OID_SHA1;
  const parameters = new DerReader(algorithm.expect(DER_TAG.SEQUENCE, "RSASSA-PSS-params"));
  if (parameters.nextTag !== TAG_PSS_HASH) return OID_SHA1;
  const tagged = new DerReader(parameters.next().content);
  const hash = new DerReader(tagged.expect(DER_TAG.SEQUENCE, "hashAlgorithm"));
  tagged.end("hashAlgorithm");
  return dottedOid(hash.expect(DER_TAG.OBJECT_IDENTIFIER, "hashAlgorithm"));
}

function readBody(
  body: DerReader,
): Pick<Certificate, "subjectCommonNames" | "dnsNames" | "ipAddresses"> {
  if (body.nextTag === TAG_VERSION) body.next();
  body.expect(DER_TAG.INTEGER, "serialNumber");
  body.expect(DER_TAG.SEQUENCE, "signature");
  body.expect(DER_TAG.SEQUENCE, "issuer");
  body.expect(DER_TAG.SEQUENCE, "validity");
  const subjectCommonNames = readCommonNames(body.expect(DER_TAG.SEQUENCE, "subject"));
  body.expect(DER_TAG.SEQUENCE, "subjectPublicKeyInfo");
  if (body.nextTag === TAG_ISSUER_ID) body.next();
  if (body.nextTag === TAG_SUBJECT_ID) body.next();
  const names = body.nextTag === TAG_EXTENSIONS
    ? readExtensions(body.next().content)
    : { dnsNames: [], ipAddresses: [] };
  body.end("TBSCertificate");
  return { subjectCommonNames, ...names };
}

function readCommonNames(subject: Uint8Array): readonly string[] {
  const names: string[] = [];
  for (const relative of elements(subject, DER_TAG.SET, "a part of the subject")) {
    for (const attribute of elements(relative, DER_TAG.SEQUENCE, "an attribute of the subject")) {
      const reader = new DerReader(attribute);
      const type = dottedOid(reader.expect(DER_TAG.OBJECT_IDENTIFIER, "an attribute type"));
      const value = reader.next();
      reader.end("an attribute of the subject");
      if (type === OID_COMMON_NAME) names.push(decodeName(value.content));
    }
  }
  return names;
}

function readExtensions(content: Uint8Array): Pick<Certificate, "dnsNames" | "ipAddresses"> {
  const dnsNames: string[] = [];
  const ipAddresses: Uint8Array[] = [];
  let found = false;
  const wrapper = new DerReader(content);
  const list = wrapper.expect(DER_TAG.SEQUENCE, "extensions");
  wrapper.end("extensions");
  for (const extension of elements(list, DER_TAG.SEQUENCE, "an extension")) {
    const reader = new DerReader(extension);
    const oid = dottedOid(reader.expect(DER_TAG.OBJECT_IDENTIFIER, "extnID"));
    if (reader.nextTag === DER_TAG.BOOLEAN) reader.next();
    const value = new DerReader(reader.expect(DER_TAG.OCTET_STRING, "extnValue"));
    reader.end("an extension");
    if (oid !== OID_SUBJECT_ALT_NAME) continue;
    // RFC 5280 section 4.2: no extension twice; which of two would count is anybody's guess.
    if (found) throw malformed("subjectAltName is there twice");
    found = true;
    const names = new DerReader(value.expect(DER_TAG.SEQUENCE, "subjectAltName"));
    value.end("subjectAltName");
    while (names.left > 0) {
      const name = names.next();
      if (name.tag === TAG_DNS_NAME) dnsNames.push(decodeName(name.content));
      if (name.tag === TAG_IP_ADDRESS) ipAddresses.push(new Uint8Array(name.content));
    }
  }
  return { dnsNames, ipAddresses };
}

/** The contents of all elements, which must have the same tag. */
function elements(content: Uint8Array, tag: number, what: string): readonly Uint8Array[] {
  const reader = new DerReader(content);
  const contents: Uint8Array[] = [];
  while (reader.left > 0) contents.push(reader.expect(tag, what));
  return contents;
}

/**
 * Reads a name as UTF-8 whatever string type it has, as libpq compares octets: names in two octets
 * a character show their zeros and are refused.
 */
function decodeName(content: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(content);
}

function malformed(problem: string): MessageFormatError {
  return new MessageFormatError("Certificate", problem, { phase: "tls" });
}
