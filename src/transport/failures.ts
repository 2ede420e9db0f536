import { ConfigError, ConnectionError, ProtocolError } from "../errors.ts";
import { describeAddress } from "./endpoint.ts";
import { ON_DENO } from "./runtime.ts";
import type { Address } from "./transport.ts";

/** What the C library says (strerror), which is what people search for; the runtimes give the code, or words of their own. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: "Permission denied",
  EADDRNOTAVAIL: "Cannot assign requested address",
  EAI_AGAIN: "Temporary failure in name resolution",
  EAI_FAIL: "Non-recoverable failure in name resolution",
  ECONNABORTED: "Software caused connection abort",
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "Connection reset by peer",
  EHOSTUNREACH: "No route to host",
  EMFILE: "Too many open files",
  ENETUNREACH: "Network is unreachable",
  ENOENT: "No such file or directory",
  ENOTFOUND: "Name or service not known",
  ENOTSOCK: "Socket operation on non-socket",
  EPIPE: "Broken pipe",
  ETIMEDOUT: "Connection timed out",
  DNS_ENOTFOUND: "Name or service not known",
};

/** Codes of a name that could not be resolved (getaddrinfo, c-ares, Bun's resolver). */
const NAME_CODES: ReadonlySet<string> = new Set([
  "ENOTFOUND",
  "ENODATA",
  "EAI_AGAIN",
  "EAI_FAIL",
  "EAI_NODATA",
  "EAI_NONAME",
  "DNS_ENOTFOUND",
  "DNS_ENODATA",
  "DNS_ESERVFAIL",
  "DNS_ETIMEOUT",
]);

/** Verdicts on a certificate: OpenSSL's X509_V_ERR names without the prefix, as all three runtimes report them. */
const CERTIFICATE_CODES: ReadonlySet<string> = new Set([
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_CRL",
  "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
  "UNABLE_TO_DECRYPT_CRL_SIGNATURE",
  "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
  "CERT_SIGNATURE_FAILURE",
  "CRL_SIGNATURE_FAILURE",
  "CERT_NOT_YET_VALID",
  "CERT_HAS_EXPIRED",
  "CRL_NOT_YET_VALID",
  "CRL_HAS_EXPIRED",
  "ERROR_IN_CERT_NOT_BEFORE_FIELD",
  "ERROR_IN_CERT_NOT_AFTER_FIELD",
  "ERROR_IN_CRL_LAST_UPDATE_FIELD",
  "ERROR_IN_CRL_NEXT_UPDATE_FIELD",
  "OUT_OF_MEM",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_CHAIN_TOO_LONG",
  "CERT_REVOKED",
  "INVALID_CA",
  "PATH_LENGTH_EXCEEDED",
  "INVALID_PURPOSE",
  "CERT_UNTRUSTED",
  "CERT_REJECTED",
  "HOSTNAME_MISMATCH",
  "UNSPECIFIED",
]);

const RUSTLS_VERDICT = "invalid peer certificate: ";
/** How Deno begins what it says of a name that has no address, and of one that can have none. */
const LOOKUP_FAILED = "failed to lookup address information: ";
const NO_HOST_NAME = "invalid host ";
const NO_TLS_HINT = "The server may not speak TLS here, or may require a client certificate";

/** The code of a runtime's error, or an empty text. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** Whether a runtime's error is a verdict on the peer's certificate rather than a failure of the handshake. */
export function isCertificateVerdict(error: unknown): boolean {
  return CERTIFICATE_CODES.has(codeOf(error)) || messageOf(error).startsWith(RUSTLS_VERDICT);
}

/** Whether an error says that Deno was not given a permission. */
export function isPermissionFailure(error: unknown): boolean {
  const { name, code, syscall } = (error ?? {}) as {
    name?: string;
    code?: string;
    syscall?: string;
  };
  // node:dns on Deno has no error of its own for it; a resolver of the system never says EPERM.
  return name === "NotCapable" || (code === "EPERM" && syscall === "getaddrinfo");
}

/** Dialing failed. */
export function dialFailure(
  address: Address,
  error: unknown,
): ConnectionError | ConfigError {
  if (isPermissionFailure(error)) return permissionFailure(address, error);
  if (
    address.kind === "tcp" &&
    (NAME_CODES.has(codeOf(error)) || messageOf(error).startsWith(LOOKUP_FAILED) ||
      messageOf(error).startsWith(NO_HOST_NAME))
  ) {
    return nameFailure(address.host, error);
  }
  const hint = address.kind === "tcp"
    ? "Is the server running on that host and accepting TCP/IP connections?"
    : "Is the server running locally and accepting connections on that socket?";
  return new ConnectionError(
    "dial-failed",
    `Cannot connect to ${describeAddress(address)}: ${reasonOf(error)}`,
    { phase: "dial", cause: error, hint },
  );
}

/** A host name could not be turned into addresses. */
export function nameFailure(host: string, error: unknown): ConnectionError {
  return new ConnectionError(
    "name-not-found",
    `Cannot translate host name "${host}" to an address: ${reasonOf(error)}`,
    { phase: "resolve", cause: error, hint: "Check the spelling of host, and the resolver" },
  );
}

/** Deno was not given a permission; names the flags. */
export function permissionFailure(address: Address, error: unknown): ConfigError {
  let flags: string;
  if (address.kind === "tcp") {
    const host = address.host.includes(":") ? `[${address.host}]` : address.host;
    flags = `--allow-net=${host}:${address.port}`;
  } else {
    const { path } = address;
    flags = `--allow-read=${path} --allow-write=${path} --allow-net=unix:${path}`;
  }
  return new ConfigError(
    `Cannot connect to ${describeAddress(address)}: Deno needs the permission "${flags}"`,
    { code: "missing-permission", keyword: "host", phase: "dial", cause: error },
  );
}

/** Our own side ended an operation: by `close()` or by the signal of `dial`. */
export function abortedFailure(
  address: Address,
  what: "dial" | "transport",
  reason?: unknown,
): ConnectionError {
  const where = describeAddress(address);
  const message = what === "dial"
    ? `Cannot connect to ${where}: the attempt was aborted`
    : `Cannot use the connection to ${where}: it was closed on this side`;
  return new ConnectionError("aborted", message, { phase: "dial", cause: reason });
}

/** An established connection broke. A late alert of the TLS peer is `tls-failed`, anything else `connection-lost`. */
export function lostFailure(address: Address, error: unknown): ConnectionError {
  const where = describeAddress(address);
  const alert = /^(EPROTO$|ERR_SSL_|ERR_OSSL_)/.test(codeOf(error)) ||
    /\bfatal alert\b/.test(messageOf(error));
  if (!alert) {
    return new ConnectionError(
      "connection-lost",
      `Cannot use the connection to ${where}: ${reasonOf(error)}`,
      { phase: "dial", cause: error },
    );
  }
  // TLS 1.3 lets a client finish before the server has judged its certificate; the verdict comes with the first read.
  const reason = reasonOf(error);
  return new ConnectionError(
    "tls-failed",
    `Cannot use the TLS connection to ${where}: ${reason}`,
    /certificate/i.test(reason)
      ? {
        phase: "tls",
        cause: error,
        hint: "The server requires a client certificate, or refuses this one",
      }
      : { phase: "tls", cause: error },
  );
}

/** The server's certificate did not pass. */
export function certificateFailure(address: Address, error: unknown): ConnectionError {
  // Deno's node:tls gives this one code for a bad issuer, date, algorithm or key size alike.
  const vague = ON_DENO && codeOf(error) === "UNABLE_TO_VERIFY_LEAF_SIGNATURE";
  const reason = vague ? "its issuer, dates, signature or key size did not pass" : reasonOf(error);
  const code = /not valid for name/.test(reason) ? "certificate-name" : "certificate-untrusted";
  return new ConnectionError(
    code,
    `Cannot verify the server certificate of ${describeAddress(address)}: ${reason}`,
    { phase: "tls", cause: error },
  );
}

/** A TLS handshake failed; a verdict on the certificate gets its own code. */
export function tlsFailure(address: Address, error: unknown): ConnectionError {
  if (isCertificateVerdict(error)) return certificateFailure(address, error);
  const what = `Cannot complete the TLS handshake with ${describeAddress(address)}`;
  if (isEarlyEnd(error)) return earlyEndFailure(address, error);
  const reason = reasonOf(error);
  const hinted = /wrong version|corrupt message|handshake.failure|certificate.?required/i;
  return new ConnectionError(
    "tls-failed",
    `${what}: ${reason}`,
    hinted.test(reason) || codeOf(error) === "ECONNRESET"
      ? { phase: "tls", cause: error, hint: NO_TLS_HINT }
      : { phase: "tls", cause: error },
  );
}

/** The peer closed its side in the middle of a TLS handshake. */
export function earlyEndFailure(address: Address, cause?: unknown): ConnectionError {
  return new ConnectionError(
    "tls-failed",
    `Cannot complete the TLS handshake with ${
      describeAddress(address)
    }: the server closed the connection`,
    { phase: "tls", cause, hint: NO_TLS_HINT },
  );
}

/**
 * Octets arrived where the TLS handshake should begin (CVE-2021-23222). A breach of protocol and no failure of TLS, so
 * that nothing is tried in plaintext because of it.
 */
export function unreadOctetsFailure(address: Address, octets: number): ProtocolError {
  return new ProtocolError(
    `Cannot start TLS with ${
      describeAddress(address)
    }: ${octets} octets arrived before the handshake`,
    {
      phase: "tls",
      hint: "Somebody between this client and the server may be injecting octets",
    },
  );
}

/** Something TLS needs on our side cannot be used: the settings are at fault, so nothing is tried in plaintext. */
export function tlsSetupFailure(
  keyword: "sslcert" | "sslkey" | "sslrootcert",
  what: string,
  error: unknown,
): ConfigError {
  return new ConfigError(`Cannot start TLS: ${what}: ${reasonOf(error)}`, {
    keyword,
    phase: "tls",
    cause: error,
  });
}

/** The shortest true words for a runtime's error. */
export function reasonOf(error: unknown): string {
  const known = REASONS[codeOf(error)];
  if (known !== undefined) return known;
  const reason = (error as { reason?: unknown } | null | undefined)?.reason;
  if (typeof reason === "string" && reason !== "") return plainWords(reason);
  const message = messageOf(error);
  // "error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER", maybe followed by file and line.
  const openssl = /error:[0-9a-f]+:[^:]*:[^:]*:([^:]+)/i.exec(message)?.[1];
  if (openssl !== undefined) return plainWords(openssl.trim());
  for (const prefix of [RUSTLS_VERDICT, LOOKUP_FAILED]) {
    if (message.startsWith(prefix)) return message.slice(prefix.length);
  }
  return message.replace(/ \(os error \d+\)$/, "").replace(/\.$/, "");
}

/** BoringSSL shouts where OpenSSL speaks: "WRONG_VERSION_NUMBER", "wrong version number". */
function plainWords(reason: string): string {
  return /^[A-Z0-9_]+$/.test(reason) ? reason.replaceAll("_", " ").toLowerCase() : reason;
}

function isEarlyEnd(error: unknown): boolean {
  const message = messageOf(error);
  return (error as { name?: unknown } | null | undefined)?.name === "UnexpectedEof" ||
    /disconnected before secure TLS connection|unexpected end of file|socket hang up/i.test(
      message,
    );
}

function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === "string" ? message : String(error);
}
