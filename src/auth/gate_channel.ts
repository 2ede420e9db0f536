import { ConnectionError, PgHandshakeError } from "../errors.ts";
import type { ChannelFacts, TlsFacts } from "./channel.ts";
import { tlsServerEndPoint } from "./channel_binding.ts";
import { showText } from "./display.ts";
import type { AuthPolicy } from "./policy.ts";
import { matchServerName } from "./server_name.ts";

/** The protocol PostgreSQL registered with IANA for ALPN. */
const ALPN = "postgresql";

/**
 * Whether a SCRAM exchange can be bound to the channel: no TLS, not wanted, not possible, or with
 * these octets.
 */
export type Binding =
  | { readonly kind: "no-tls" }
  | { readonly kind: "off" }
  | {
    readonly kind: "unavailable";
    readonly why: string;
    readonly cause: unknown;
    /** Whether the certificate was verified all the same, so that nobody else can have made it. */
    readonly trusted: boolean;
  }
  | { readonly kind: "ready"; readonly data: Uint8Array };

/**
 * The part of the gate that judges TLS: application protocol, certificate, name.
 *
 * A wrong application protocol is refused even where none is demanded: the octets may be meant for
 * another service (ALPACA).
 *
 * @throws {ConnectionError} `certificate-untrusted`, `certificate-name` or `alpn-missing`.
 * @throws {MessageFormatError} If the certificate whose name is to be checked is malformed.
 */
export function judgeTls(policy: AuthPolicy, facts: TlsFacts): void {
  const { tls } = policy;
  const server = showText(policy.serverName, 255);
  if (facts.alpn !== ALPN && (facts.alpn !== undefined || tls?.requireAlpn === true)) {
    const selected = facts.alpn === undefined ? "none" : `"${showText(facts.alpn)}"`;
    throw new ConnectionError(
      "alpn-missing",
      `Cannot use TLS with server "${server}": it selected application protocol ${selected}, ` +
        `it must be "${ALPN}"`,
      { phase: "tls" },
    );
  }
  if (tls === undefined || tls.verify === "none" || facts.verified === "full") return;
  if (facts.verified === "none") {
    throw new ConnectionError(
      "certificate-untrusted",
      `Cannot trust server "${server}": certificate verified as "none", it must be "${tls.verify}"`,
      { phase: "tls" },
    );
  }
  if (tls.verify === "ca") return;
  if (facts.serverCertificate === undefined) {
    throw new ConnectionError(
      "certificate-name",
      `Cannot trust server "${server}": this runtime does not show the certificate, ` +
        `its name cannot be compared with host name "${showText(tls.host ?? "", 255)}"`,
      { phase: "tls" },
    );
  }
  const match = matchServerName(facts.serverCertificate, tls.host ?? "");
  if (!match.ok) {
    throw new ConnectionError(
      "certificate-name",
      `Cannot trust server "${server}": ${match.reason}`,
      { phase: "tls" },
    );
  }
}

/**
 * Finds out whether SCRAM can be bound to a channel.
 *
 * Under `prefer` a certificate that gives no hash is no error: the exchange then says it cannot
 * bind, visibly.
 */
export function bindingOf(policy: AuthPolicy, channel: ChannelFacts): Binding {
  if (channel.kind !== "tls") return { kind: "no-tls" };
  if (policy.channelBinding === "disable") return { kind: "off" };
  const { serverCertificate: certificate, verified } = channel.tls;
  const unavailable = (why: string, cause?: unknown): Binding => {
    return { kind: "unavailable", why, cause, trusted: verified !== "none" };
  };
  if (certificate === undefined) {
    return unavailable("this runtime does not show the server certificate");
  }
  try {
    const data = tlsServerEndPoint(certificate);
    return data === undefined
      ? unavailable("the signature algorithm of the server certificate defines no binding hash")
      : { kind: "ready", data };
  } catch (cause) {
    if (!(cause instanceof PgHandshakeError)) throw cause;
    return unavailable("the server certificate cannot be read", cause);
  }
}
