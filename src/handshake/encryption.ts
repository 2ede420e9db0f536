import { ConnectionError, ProtocolError } from "../errors.ts";
import { BACKEND, ENCRYPTION_REFUSED, SSL_ACCEPTED } from "../wire/codes.ts";
import type { Deframer } from "../wire/deframer.ts";

/**
 * Judges the one octet that answers SSLRequest.
 *
 * @param deframer What the server sent so far.
 * @returns undefined while nothing came.
 * @throws {ProtocolError} For surplus octets and for octets that no PostgreSQL sends.
 * @throws {ConnectionError} `tls-refused` if the server answered with an error, whose text is neither read nor
 *   shown: nobody has proved to be the server yet (CVE-2024-10977).
 */
export function judgeSslAnswer(deframer: Deframer): "S" | "N" | undefined {
  const octet = deframer.octet();
  if (octet === undefined) return undefined;
  if (octet === BACKEND.ErrorResponse) {
    throw new ConnectionError(
      "tls-refused",
      "Cannot negotiate TLS: the server answered SSLRequest with an error",
      {
        phase: "negotiate",
        hint:
          "Its text is not shown, as anybody may have written it before TLS; the server's log has it",
      },
    );
  }
  if (octet !== SSL_ACCEPTED && octet !== ENCRYPTION_REFUSED) {
    throw new ProtocolError(
      `Cannot negotiate TLS: the server answered SSLRequest with octet 0x${
        octet.toString(16).padStart(2, "0")
      } where "S" or "N" was expected`,
      {
        code: "not-postgresql",
        phase: "negotiate",
        hint: "Check host and port: this does not look like a PostgreSQL server",
      },
    );
  }
  // What stands behind the answer would be plaintext posing as TLS, or an answer to a StartupMessage that was
  // never sent (CVE-2021-23222).
  if (deframer.held > 0) throw surplusOctets(deframer.held);
  return octet === SSL_ACCEPTED ? "S" : "N";
}

function surplusOctets(count: number): ProtocolError {
  return new ProtocolError(
    `Cannot negotiate TLS: ${count} octets stand behind the answer to SSLRequest where nothing was expected`,
    {
      phase: "negotiate",
      hint: "Somebody between this client and the server may be injecting octets",
    },
  );
}

/** The error for the end of the stream in place of an answer to SSLRequest. */
export function endedInsteadOfAnswer(): ConnectionError {
  return new ConnectionError(
    "connection-lost",
    "Cannot negotiate TLS: the server closed the connection instead of answering SSLRequest",
    {
      phase: "negotiate",
      hint: "Check host and port; a server that expects TLS at once needs sslnegotiation=direct",
    },
  );
}

/** The error for `N` where policy wants TLS. */
export function tlsRefused(): ConnectionError {
  return new ConnectionError("tls-refused", "server does not support SSL, but SSL was required", {
    phase: "negotiate",
    hint:
      "Switch TLS on in the server (ssl = on), or choose a weaker sslmode if plaintext is acceptable",
  });
}
