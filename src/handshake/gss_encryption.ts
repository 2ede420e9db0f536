import { ConnectionError, ProtocolError } from "../errors.ts";
import { BACKEND, ENCRYPTION_REFUSED, GSSENC_ACCEPTED } from "../wire/codes.ts";
import type { Deframer } from "../wire/deframer.ts";

const REFUSED_HINT = "Choose gssencmode=prefer or disable, or a server built with GSSAPI";

/**
 * Judges the one octet that answers GSSENCRequest.
 *
 * @param deframer What the server sent so far.
 * @returns undefined while nothing came.
 * @throws {ProtocolError} For surplus octets and for octets that no PostgreSQL sends.
 * @throws {ConnectionError} `gss-refused` if the server answered with an error, as servers before 12 do, whose text is
 *   neither read nor shown: nobody has proved to be the server yet (CVE-2022-41862, CVE-2024-10977).
 */
export function judgeGssAnswer(deframer: Deframer): "G" | "N" | undefined {
  const octet = deframer.octet();
  if (octet === undefined) return undefined;
  if (octet === BACKEND.ErrorResponse) {
    throw new ConnectionError(
      "gss-refused",
      "Cannot negotiate GSSAPI encryption: the server answered GSSENCRequest with an error",
      { phase: "negotiate", hint: `Servers before PostgreSQL 12 do so. ${REFUSED_HINT}` },
    );
  }
  if (octet !== GSSENC_ACCEPTED && octet !== ENCRYPTION_REFUSED) {
    throw new ProtocolError(
      `Cannot negotiate GSSAPI encryption: the server answered GSSENCRequest with octet 0x${
        octet.toString(16).padStart(2, "0")
      } where "G" or "N" was expected`,
      {
        code: "not-postgresql",
        phase: "negotiate",
        hint: "Check host and port: this does not look like a PostgreSQL server",
      },
    );
  }
  if (deframer.held > 0) {
    // Plaintext posing as encrypted, or an answer to what was never sent (CVE-2021-23222).
    throw new ProtocolError(
      `Cannot negotiate GSSAPI encryption: ${deframer.held} octets stand behind the answer to GSSENCRequest ` +
        "where nothing was expected",
      {
        phase: "negotiate",
        hint: "Somebody between this client and the server may be injecting octets",
      },
    );
  }
  return octet === GSSENC_ACCEPTED ? "G" : "N";
}

/** The error for the end of the stream in place of an answer to GSSENCRequest. */
export function endedInsteadOfGssAnswer(): ConnectionError {
  return new ConnectionError(
    "connection-lost",
    "Cannot negotiate GSSAPI encryption: the server closed the connection instead of answering GSSENCRequest",
    { phase: "negotiate", hint: "Check host and port, or use gssencmode=disable" },
  );
}

/** The error for `N` where this connection cannot go on without GSSAPI encryption. */
export function gssRefused(): ConnectionError {
  return new ConnectionError(
    "gss-refused",
    "GSSAPI encryption required but it was rejected by server",
    { phase: "negotiate", hint: REFUSED_HINT },
  );
}
