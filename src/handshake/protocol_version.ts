import { ProtocolError } from "../errors.ts";
import { PROTOCOL_3_0, versionText } from "../wire/codes.ts";
import type { NegotiateProtocolVersion } from "../wire/negotiate.ts";

/** The prefix of protocol extensions; no other name may stand in NegotiateProtocolVersion. */
const EXTENSION_PREFIX = "_pq_.";

/** 3.1 was never a version: PgBouncer once claimed it by mistake (libpq, pqGetNegotiateProtocolVersion3). */
const RESERVED_3_1 = 0x00030001;

/**
 * Judges NegotiateProtocolVersion by libpq 18's rules (fe-protocol3.c, pqGetNegotiateProtocolVersion3).
 *
 * @param message What the server answered.
 * @param versions What we asked for and the least we accept.
 * @returns The version in force from now on.
 * @throws {ProtocolError} Code `protocol-version`.
 */
export function judgeProtocolVersion(
  message: NegotiateProtocolVersion,
  versions: { readonly requested: number; readonly least: number },
): number {
  const { version, unrecognized } = message;
  const refused = (reason: string, hint = hintFor(versions.requested)): ProtocolError =>
    new ProtocolError(`Cannot accept the server's NegotiateProtocolVersion: ${reason}`, {
      code: "protocol-version",
      phase: "start-up",
      hint,
    });
  const offered = versionText(version);
  if (version > versions.requested) {
    throw refused(
      `it offers ${offered}, above the ${versionText(versions.requested)} we asked for`,
    );
  }
  if (version >>> 16 < 3) throw refused(`it offers ${offered}, and the least version is 3.0`);
  if (version === RESERVED_3_1) throw refused("it offers 3.1, a version that does not exist");
  const foreign = unrecognized.find((name) => !name.startsWith(EXTENSION_PREFIX));
  if (foreign !== undefined) throw refused('it lists a name that does not begin with "_pq_."');
  if (unrecognized.length > 0) throw refused("it refuses protocol extensions we never asked for");
  if (version === versions.requested) throw refused("it changes neither version nor extensions");
  if (version < versions.least) {
    throw refused(
      `it speaks ${offered} at most, and min_protocol_version asks for ${
        versionText(versions.least)
      }`,
      "Lower min_protocol_version if that will do",
    );
  }
  return version;
}

function hintFor(requested: number): string {
  return requested > PROTOCOL_3_0
    ? "max_protocol_version=3.0 works with every server and pooler"
    : "The server, or a pooler in front of it, does not keep to the protocol";
}
